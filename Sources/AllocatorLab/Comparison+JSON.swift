// A comparison as the document `heaptrail.compare/1`. A figure that was not measured is null, never 0.

public import ProfileExport

extension Comparison {
    /// The document: its text is ``JSONValue/document()``.
    public func json() -> JSONValue {
        .object([
            ("schema", .string("heaptrail.compare/1")), ("runs", .integer(runs)), ("warmup_runs", .integer(warmUps)),
            ("confidence", .number(1 - PairedRatio.falseVerdicts)), ("sampling_cpu_share", Self.number(readingShare)),
            ("remarks", .array(remarks.map { .string($0.description) })), ("rows", .array(rows.indices.map(row))),
        ])
    }

    private func row(_ index: Int) -> JSONValue {
        let row = rows[index]
        let ratios: [(Figure, KeyPath<Row, Spread?>)] = [
            (.wall, \.wallSeconds), (.cpu, \.cpuSeconds), (.peakResident, \.peakResidentBytes),
        ]
        func each(_ value: (Figure, KeyPath<Row, Spread?>) -> JSONValue) -> JSONValue {
            .object(ratios.map { ($0.0.key, value($0.0, $0.1)) })
        }
        return .object([
            ("allocator", .string(row.allocator)), ("failure", JSONValue(row.failure)),
            ("runs_counted", .integer(row.rounds.count { $0 != nil })),
            ("wall_s", Self.spread(row.wallSeconds)), ("cpu_s", Self.spread(row.cpuSeconds)),
            ("user_s", Self.spread(row.userSeconds)), ("system_s", Self.spread(row.systemSeconds)),
            ("peak_rss_bytes", Self.whole(row.peakResidentBytes)),
            ("mean_rss_bytes", Self.whole(row.meanResidentBytes)),
            ("rss_after_drive_bytes", Self.whole(row.residentAfterDriveBytes)),
            ("minor_faults", Self.whole(row.minorFaults)), ("major_faults", Self.whole(row.majorFaults)),
            ("voluntary_switches", Self.whole(row.voluntarySwitches)),
            ("involuntary_switches", Self.whole(row.involuntarySwitches)),
            ("ratio_to_first", each { Self.number(ratioToFirst(row, $1)) }),
            ("paired_ratio", each { figure, _ in Self.paired(pairedRatio(ofRow: index, figure)) }),
            ("verdict", each { figure, _ in JSONValue(pairedRatio(ofRow: index, figure).map { Verdict($0).word }) }),
            ("rss_over_time", Self.curve(row.typicalResident)),
        ])
    }

    /// A ratio with its interval.
    private static func paired(_ ratio: PairedRatio?) -> JSONValue {
        guard let ratio else { return .null }
        return .object([
            ("median", .number(ratio.median)), ("low", number(ratio.interval?.lowerBound)),
            ("high", number(ratio.interval?.upperBound)), ("pairs", .integer(ratio.pairs)),
        ])
    }

    /// A figure over time as two arrays of one length.
    private static func curve(_ series: TimeSeries?) -> JSONValue {
        guard let series else { return .null }
        return .object([
            ("t_ns", .array(series.samples.map { .integer(Int(clamping: $0.nanoseconds)) })),
            ("bytes", .array(series.samples.map { .integer(Int(clamping: $0.value)) })),
        ])
    }

    private static func spread(_ spread: Spread?) -> JSONValue { members(of: spread) { number($0) } }

    /// A spread of bytes or counts, which are whole: the mean of two middle ones is rounded.
    private static func whole(_ spread: Spread?) -> JSONValue {
        members(of: spread) { value in JSONValue(value.map { Int($0.rounded()) }) }
    }

    private static func members(of spread: Spread?, _ value: (Double?) -> JSONValue) -> JSONValue {
        .object([
            ("median", value(spread?.median)), ("min", value(spread?.min)), ("max", value(spread?.max)),
            ("spread", value(spread?.deviation)),
        ])
    }

    private static func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
}

extension Comparison.Figure {
    /// The key in the document.
    fileprivate var key: String {
        switch self {
        case .wall: "wall"
        case .cpu: "cpu"
        case .peakResident: "peak_rss"
        }
    }
}

extension Verdict {
    /// The word in the document.
    fileprivate var word: String {
        switch self {
        case .less: "less"
        case .more: "more"
        case .same: "same"
        case .noise: "noise"
        case .tooFewRuns: "too few runs"
        }
    }
}
