// The report as JSON, schema "heaptrail.report/1". A key that does not apply to the grouping is absent; a figure that was not measured is null.
public import HeapAnalysis
internal import Symbolication

/// The JSON form of a report.
public struct ReportDocument: Sendable {
    private let profile: HeapProfile
    private let request: ReportRequest

    /// The report on `profile` that `request` asks for.
    public init(profile: HeapProfile, request: ReportRequest) {
        self.profile = profile
        self.request = request
    }

    /// The document. O(cells + rows log rows).
    public func json() -> String {
        var rows = request.rows(of: profile)
        if let top = request.top { rows = Array(rows.prefix(top)) }
        let shares = profile.attributed
        var members: [(String, JSONValue)] = [
            ("schema", .string("heaptrail.report/1")),
            ("trace", trace),
            (
                "attributed",
                .object([("allocations", .share(shares.allocations)), ("bytes", .share(shares.bytes))])
            ),
            ("rows", .array(rows.map { row($0) })),
            ("counters", .object(profile.counters.map { ($0.name, .integer($0.total)) })),
        ]
        let disagreements = profile.disagreements(filter: request.filter)
        if request.explains || !disagreements.isEmpty {
            members.append(("disagreements", .array(disagreements.map(\.json))))
        }
        if let view { members.append((request.view.rawValue, view)) }
        return JSONValue.object(members).document()
    }

    private var trace: JSONValue {
        let trace = profile.trace
        let facts = trace.facts
        let reallocationsAreKnown = !facts.isSampled || trace.hasExactTotals
        var members: [(String, JSONValue)] = [
            ("program", .string(facts.program)),
            ("pid", JSONValue(facts.pid)),
            ("allocator", JSONValue(facts.allocator)),
            ("mode", .string(facts.mode)),
            ("duration_ns", JSONValue(trace.durationNanoseconds)),
            ("threads", .integer(trace.threads)),
            ("events", .integer(trace.events)),
            ("allocations", .integer(trace.allocations)),
            ("frees", .integer(trace.frees)),
            ("reallocations", reallocationsAreKnown ? .integer(trace.reallocations) : .null),
            ("bytes_allocated", .integer(trace.bytesAllocated)),
            ("peak_bytes", .integer(trace.peakBytes)),
            ("live_bytes", .integer(trace.liveBytes)),
            ("live_blocks", .integer(trace.liveBlocks)),
            ("temporary", .integer(trace.temporary)),
            ("lost", .integer(facts.lost)),
            ("unmatched_frees", .integer(trace.unmatchedFrees)),
            ("inherited_frees", .integer(trace.inheritedFrees)),
            ("missing_frees", .integer(trace.missingFrees)),
            ("complete", .bool(facts.isComplete)),
            ("sampled", .bool(facts.isSampled)),
            ("attached", .bool(facts.isAttached)),
            ("image", .integer(facts.image)),
            ("images", .integer(facts.imageCount)),
        ]
        if let samples = trace.samples {
            members += [
                ("sample_bytes", .integer(facts.sampleBytes)), ("samples", .integer(samples)),
                ("exact_totals", .bool(trace.hasExactTotals)),
                ("standard_error", trace.standardError?.json ?? .null),
            ]
        }
        return .object(members)
    }

    private func row(_ row: ProfileRow) -> JSONValue {
        let figures = row.figures
        var members = row.key.members(request.fields)
        if request.explains { members.append(("rule", JSONValue(row.rules.first))) }
        members += [
            ("allocations", .integer(figures.allocations)),
            ("frees", .integer(figures.frees)),
            ("bytes", .integer(figures.bytes)),
            ("live_blocks", .integer(figures.liveBlocks)),
            ("live_bytes", .integer(figures.liveBytes)),
            ("peak_bytes", .integer(figures.peakBytes)),
            ("temporary", .integer(figures.temporary)),
            ("slack_bytes", JSONValue(figures.slackBytes)),
            (
                "lifetime_ns",
                .object([("median", JSONValue(row.lifetime?.median)), ("p99", JSONValue(row.lifetime?.p99))])
            ),
        ]
        if let errors = row.standardError { members.append(("standard_error", errors.json)) }
        if request.explains { members += RowExplanation(row, of: profile).members }
        return .object(members)
    }

    /// The member of the view's own name; the totals are the trace's.
    private var view: JSONValue? {
        let trace = profile.trace
        switch request.view {
        case .totals: return nil
        case .peak:
            return .object([("bytes", .integer(trace.peakBytes)), ("after_ns", JSONValue(trace.peakAfterNanoseconds))])
        case .leaks: return .object([("blocks", .integer(trace.liveBlocks)), ("bytes", .integer(trace.liveBytes))])
        case .temporary:
            let part = trace.allocations == 0 ? nil : Double(trace.temporary) / Double(trace.allocations)
            return .object([("allocations", .integer(trace.temporary)), ("share", .share(part))])
        case .size:
            let sizes = profile.rows(by: .size, filter: request.filter).compactMap(\.key.size)
            return .object([
                ("distinct", .integer(sizes.count)), ("smallest", JSONValue(sizes.min())),
                ("largest", JSONValue(sizes.max())),
            ])
        case .growth: return GrowthSection(profile, request).json
        case .copies: return CopiesSection(profile, request).json
        case .thread:
            return .array(
                profile.threads.map { thread in
                    .object([
                        ("thread", .integer(thread.serial)), ("tid", JSONValue(thread.threadID)),
                        ("name", JSONValue(thread.name)), ("allocations", .integer(thread.allocations)),
                        ("frees", .integer(thread.frees)), ("bytes", .integer(thread.bytes)),
                    ])
                })
        }
    }
}
