// The header's lines of who ran on what, and those of a report that ends at a moment.
internal import HeapAnalysis

extension ReportText {
    /// Who ran.
    var programLine: String {
        let facts = profile.trace.facts
        var first = facts.program.isEmpty ? "not recorded" : FrameText.printable(facts.program)
        if let pid = facts.pid { first += " (pid \(pid))" }
        if facts.imageCount > 1 { first += ", image \(facts.image) of \(facts.imageCount)" }
        return labelled("program", first)
    }

    /// On what, how long, and how it was recorded.
    var ranOnLine: String {
        let trace = profile.trace
        let facts = trace.facts
        var how = [facts.allocator.map { FrameText.printable($0) } ?? "allocator not recorded"]
        if let duration = trace.durationNanoseconds { how.append(NumberText.duration(duration)) }
        if !trace.isLiveOnly { how.append(plural(trace.threads, "thread")) }
        how.append(
            (facts.mode == "text" ? "read from text" : "recorded by " + facts.mode)
                + (facts.isAttached ? ", attached" : "") + (facts.isSampled ? ", sampled" : ""))
        return labelled("ran on", how.joined(separator: ", "))
    }

    /// The moment at which the analysis ended, if it did.
    var momentLines: [String] {
        let trace = profile.trace
        guard trace.endsAtMoment else { return [] }
        guard let after = trace.momentNanoseconds, let duration = trace.durationNanoseconds else {
            return [labelled("until", "event \(NumberText.count(trace.events))")]
        }
        let share = duration == 0 ? nil : Double(after) / Double(duration)
        return [
            labelled(
                "until",
                NumberText.duration(after) + " after the first event, " + NumberText.percent(share) + " of the whole")
        ]
    }

    /// The header of what is live at a moment.
    var momentHeader: [String] {
        let trace = profile.trace
        let estimate = EstimateText(trace)
        let shares = profile.attributed
        var faults = plural(trace.facts.lost, "event")
        if !trace.facts.isComplete { faults += "; the trace was cut" }
        let mark = trace.hasExactTotals ? "" : "≈"
        return [programLine, ranOnLine] + sampleLines + momentLines + [
            labelled(
                "events",
                mark + plural(trace.allocations, "allocation") + " and " + mark + plural(trace.frees, "free")
                    + " until then"),
            labelled(
                "live then",
                estimate.bytes(trace.liveBytes) + EstimateText.plusMinusBytes(trace.standardError?.liveBytes) + " in "
                    + (trace.hasExactLiveBlocks ? "" : "≈") + plural(trace.liveBlocks, "block")
                    + (trace.facts.isAttached ? " made since the attachment" : "")),
            labelled("lost", faults),
            labelled(
                "attributed",
                estimate.percent(shares.bytes) + " of the live bytes, " + estimate.percent(shares.allocations)
                    + " of the live blocks"),
        ]
    }
}
