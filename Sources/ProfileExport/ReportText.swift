// The report as people read it: a header, a table of rows, the sites that matter most.
public import HeapAnalysis
internal import Symbolication

/// The text form of a report.
public struct ReportText: Sendable {
    private static let defaultRows = 20
    private static let topSites = 5

    let profile: HeapProfile
    let request: ReportRequest
    let style: TextStyle
    private let leaks: LeakReport?

    /// The report on `profile` that `request` asks for, for a terminal of `style`.
    public init(profile: HeapProfile, request: ReportRequest, style: TextStyle = TextStyle()) {
        self.profile = profile
        self.request = request
        self.style = style
        leaks = request.leaks(of: profile)
    }

    /// The whole report, with a newline at its end. O(cells + rows log rows).
    public func text() -> String {
        var lines = header
        if request.moreViews.isEmpty {
            lines += [""] + viewLines + counters + leakLines
        } else {
            for view in request.views {
                let alone = ReportText(profile: profile, request: request.alone(view), style: style)
                lines += ["", style.bold("── \(view.rawValue) ──")] + alone.viewLines + alone.leakLines
            }
            lines += counters
        }
        if request.explains { lines += disagreements }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the view shows.
    private var viewLines: [String] {
        var lines: [String]
        switch request.view {
        case .growth where hasRows: lines = GrowthSection(profile, request).lines(style)
        case .copies where hasRows: lines = CopiesSection(profile, request).lines(style)
        default: lines = rowLines
        }
        if showsSites { lines += sites }
        if let section = request.view.section(profile, request) { lines += section.lines(style) }
        return lines
    }

    private var leakLines: [String] { leaks.map { LeaksSection($0, profile, request).lines(style) } ?? [] }

    /// The table of rows alone. O(cells + rows log rows).
    public func table() -> String { rowLines.joined(separator: "\n") + "\n" }

    // MARK: - Header

    private var header: [String] {
        if profile.trace.isLiveOnly { return momentHeader }
        let trace = profile.trace
        let facts = trace.facts
        let shares = profile.attributed
        let disagreed = profile.disagreements(filter: request.filter)
        let estimate = EstimateText(trace)
        let errors = trace.standardError
        var bytes = (trace.hasExactTotals ? "" : "≈") + NumberText.bytes(trace.bytesAllocated)
        bytes += (trace.hasExactTotals ? "" : EstimateText.plusMinusBytes(errors?.bytes)) + " allocated, peak "
        bytes += estimate.bytes(trace.peakBytes) + EstimateText.plusMinusBytes(errors?.peakBytes)
        if let after = trace.peakAfterNanoseconds { bytes += " after " + NumberText.duration(after) }
        let temporary = trace.allocations == 0 ? nil : Double(trace.temporary) / Double(trace.allocations)
        var faults = plural(facts.lost, "event")
        if facts.isAttached {
            faults += "; frees of blocks from before the attachment: " + NumberText.count(trace.unmatchedFrees)
        } else {
            faults += ", " + plural(trace.unmatchedFrees, "unmatched free")
        }
        if trace.inheritedFrees > 0 { faults += ", " + plural(trace.inheritedFrees, "free") + " of inherited blocks" }
        if trace.missingFrees > 0 { faults += ", " + plural(trace.missingFrees, "missing free") }
        if !facts.isComplete { faults += "; the trace was cut" }
        let live =
            estimate.bytes(trace.liveBytes) + EstimateText.plusMinusBytes(errors?.liveBytes) + " in "
            + (trace.hasExactLiveBlocks ? "" : "≈") + plural(trace.liveBlocks, "block")
        return [programLine, ranOnLine] + sampleLines + momentLines + [
            labelled("events", events),
            labelled("bytes", bytes),
            labelled(
                trace.endsAtMoment ? "live then" : "live at end",
                live + (facts.isAttached ? " made since the attachment" : "")),
            labelled(
                "temporary",
                estimate.count(trace.temporary) + EstimateText.plusMinus(errors?.temporary) + " ("
                    + estimate.percent(temporary) + ")"),
            labelled("lost", faults),
            labelled(
                "attributed",
                estimate.percent(shares.bytes) + " of bytes, " + estimate.percent(shares.allocations)
                    + " of allocations"),
        ] + (disagreed.isEmpty ? [] : [labelled("disagreed", disagreement(disagreed))])
    }

    private func disagreement(_ shares: [DisagreementShare]) -> String {
        let bytes = shares.reduce(0) { $0 + $1.bytes }
        let share = profile.trace.bytesAllocated == 0 ? nil : Double(bytes) / Double(profile.trace.bytesAllocated)
        let text =
            plural(shares.reduce(0) { $0 + $1.allocations }, "allocation") + " ("
            + EstimateText(profile.trace).percent(share)
        return text + " of bytes): two rules name different owners" + (request.explains ? "" : "; --explain shows them")
    }

    private var events: String {
        let trace = profile.trace
        var text = NumberText.count(trace.events) + ": " + plural(trace.allocations, "allocation") + ", "
        text += plural(trace.frees, "free") + ", "
        if !trace.facts.isSampled { return text + plural(trace.reallocations, "reallocation") }
        if trace.hasExactTotals { return text + plural(trace.reallocations, "reallocation") + " (exact)" }
        return "≈" + text + "reallocations not counted"
    }

    /// What a sampled trace is, and how its figures are to be read.
    var sampleLines: [String] {
        guard let samples = profile.trace.samples else { return [] }
        let distance = NumberText.bytes(profile.trace.facts.sampleBytes)
        return [
            labelled(
                "sample",
                plural(samples, "allocation")
                    + ", one every \(distance) on average; ≈ is estimated, ± its standard error")
        ]
    }

    func labelled(_ label: String, _ text: String) -> String {
        style.bold(label + String(repeating: " ", count: 13 - label.count)) + text
    }

    func plural(_ count: Int, _ noun: String) -> String {
        NumberText.count(count) + " " + noun + (count == 1 ? "" : "s")
    }

    // MARK: - Rows

    private var hasRows: Bool { !request.rows(of: profile, leaks: leaks).isEmpty }

    private var rowLines: [String] {
        var rows = request.rows(of: profile, leaks: leaks)
        switch request.view {
        case .leaks, .live: rows.removeAll { $0.figures.liveBlocks == 0 }
        case .temporary: rows.removeAll { $0.figures.temporary == 0 }
        case .peak: rows.removeAll { $0.figures.peakBlocks == 0 }
        default: break
        }
        if rows.isEmpty {
            let nothing = profile.trace.samples == 0 ? "no allocation was sampled" : "no allocations to show"
            return [style.dim(nothing)]
        }
        let shown = Array(rows.prefix(request.top ?? Self.defaultRows))
        let columns = RowColumns(request: request, profile: profile, rows: shown)
        var table = TextTable(columns.columns)
        table.rows = shown.map { columns.cells(of: $0) }
        var lines = table.lines(style)
        if request.explains {
            lines = zip(lines.dropFirst(), shown).reduce(into: [lines[0]]) { $0 += [$1.0] + explanation($1.1) }
        }
        if rows.count > shown.count {
            lines.append(
                style.dim("… \(NumberText.count(rows.count - shown.count)) more rows: --top \(rows.count) shows them"))
        }
        return lines
    }

    private func explanation(_ row: ProfileRow) -> [String] {
        RowExplanation(row, of: profile).lines(width: style.width).map { style.dim($0) }
    }

    // MARK: - Blocks under the table

    private var showsSites: Bool { request.keys == nil && request.view == .totals }

    private var sites: [String] {
        let rows = profile.rows(by: GroupingKey.site.fields, filter: request.filter).filter { $0.key.site != nil }
        if rows.isEmpty { return [] }
        let estimate = EstimateText(profile.trace)
        var table = TextTable([
            .init(title: "top sites", isText: true, readable: 44), .init(title: "owner", isText: true),
            .init(title: "cause", isText: true, dropOrder: 1), .init(title: "allocs"), .init(title: "bytes"),
        ])
        table.rows = rows.prefix(Self.topSites).map { row in
            [
                FrameText.printable(FrameText.short(row.key.site)), FrameText.printable(RowColumns.owner(row.key)),
                row.key.cause?.rawValue ?? "", estimate.count(row.figures.allocations),
                estimate.bytes(row.figures.bytes),
            ]
        }
        return [""] + table.lines(style)
    }

    private var disagreements: [String] {
        let shares = profile.disagreements(filter: request.filter)
        if shares.isEmpty { return [] }
        var table = TextTable([
            .init(title: "rules that disagree: kept", isText: true), .init(title: "owner", isText: true),
            .init(title: "other", isText: true), .init(title: "owner", isText: true), .init(title: "allocs"),
            .init(title: "bytes"),
        ])
        let estimate = EstimateText(profile.trace)
        table.rows = shares.prefix(request.top ?? Self.defaultRows).map { share in
            let pair = share.disagreement
            return [pair.keptRule, pair.keptType, pair.otherRule, pair.otherType].map { FrameText.printable($0) }
                + [estimate.count(share.allocations), estimate.bytes(share.bytes)]
        }
        return [""] + table.lines(style)
    }

    private var counters: [String] {
        if profile.counters.isEmpty { return [] }
        var table = TextTable([.init(title: "counted", isText: true), .init(title: "times")])
        table.rows = profile.counters.map { [FrameText.printable($0.name), NumberText.count($0.total)] }
        return [""] + table.lines(style)
    }
}
