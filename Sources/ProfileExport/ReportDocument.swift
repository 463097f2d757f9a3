// The report as JSON, schema "heaptrail.report/1". A key that does not apply to the grouping is absent; a figure that was not measured is null.
public import HeapAnalysis
internal import Symbolication

/// The JSON form of a report.
public struct ReportDocument: Sendable {
    private let profile: HeapProfile
    private let request: ReportRequest
    private let leaks: LeakReport?

    /// The report on `profile` that `request` asks for.
    public init(profile: HeapProfile, request: ReportRequest) {
        self.profile = profile
        self.request = request
        leaks = request.leaks(of: profile)
    }

    /// The document. O(cells + rows log rows).
    public func json() -> String {
        var rows = request.rows(of: profile, leaks: leaks)
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
        for view in request.views {
            let alone = request.alone(view)
            if let member = member(of: alone) { members.append((view.rawValue, member)) }
            if view == .thread { members.append(("flows", ThreadSection(profile, alone).flowsJSON)) }
        }
        return JSONValue.object(members).document()
    }

    /// The member `trace`: what the recorder says and the totals.
    var trace: JSONValue {
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
        if trace.endsAtMoment { members.append(("at_ns", JSONValue(trace.momentNanoseconds))) }
        if trace.isLiveOnly { members = members.map { Self.ofThePast.contains($0.0) ? ($0.0, .null) : $0 } }
        if let samples = trace.samples {
            members += [
                ("sample_bytes", .integer(facts.sampleBytes)), ("samples", .integer(samples)),
                ("exact_totals", .bool(trace.hasExactTotals)),
                ("standard_error", trace.standardError?.json ?? .null),
            ]
        }
        return .object(members)
    }

    /// What is not measured where only what is live at a moment was kept.
    private static let ofThePast: Set<String> = [
        "threads", "reallocations", "bytes_allocated", "peak_bytes", "temporary", "unmatched_frees", "inherited_frees",
        "missing_frees",
    ]
    private static let rowOfThePast: Set<String> = [
        "allocations", "frees", "bytes", "peak_bytes", "temporary", "slack_bytes",
    ]

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
        if profile.trace.isLiveOnly {
            members = members.map { Self.rowOfThePast.contains($0.0) ? ($0.0, .null) : $0 }
        }
        if let errors = row.standardError { members.append(("standard_error", errors.json)) }
        if request.explains { members += RowExplanation(row, of: profile).members }
        return .object(members)
    }

    /// The member of a view's own name; the totals are the trace's.
    private func member(of request: ReportRequest) -> JSONValue? {
        switch request.view {
        case .totals: nil
        case .leaks: request.leaks(of: profile).map { LeaksSection($0, profile, request).json }
        case .live:
            .object([
                ("blocks", .integer(profile.trace.liveBlocks)), ("bytes", .integer(profile.trace.liveBytes)),
            ])
        case .peak: PeakSection(profile, request).json
        case .temporary: TemporarySection(profile, request).json
        case .lifetimes: LifetimeSection(profile, request).json
        case .thread: ThreadSection(profile, request).json
        case .size: SizeSection(profile, request).json
        case .strings: StringSection(profile, request).json
        case .growth: GrowthSection(profile, request).json
        case .copies: CopiesSection(profile, request).json
        }
    }
}
