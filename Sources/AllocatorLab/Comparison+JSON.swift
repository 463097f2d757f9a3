// A comparison as the document `heaptrail.compare/1`. A figure that was not measured is null, never 0.

internal import FoundationEssentials

extension Comparison {
    /// The document, indented, keys in alphabetical order, with a newline at its end.
    ///
    /// - Throws: when a figure has no JSON form (it is not finite).
    public func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(Document(self)), as: UTF8.self) + "\n"
    }
}

private struct Document: Encodable {
    let comparison: Comparison

    init(_ comparison: Comparison) {
        self.comparison = comparison
    }

    enum CodingKeys: String, CodingKey {
        case schema, runs, rows, remarks, confidence
        case warmUps = "warmup_runs"
        case readingShare = "sampling_cpu_share"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("heaptrail.compare/1", forKey: .schema)
        try container.encode(comparison.runs, forKey: .runs)
        try container.encode(comparison.warmUps, forKey: .warmUps)
        try container.encode(1 - PairedRatio.falseVerdicts, forKey: .confidence)
        try container.encode(comparison.readingShare, forKey: .readingShare)
        try container.encode(comparison.remarks.map(\.description), forKey: .remarks)
        let rows = comparison.rows.indices.map { RowDocument(index: $0, comparison: comparison) }
        try container.encode(rows, forKey: .rows)
    }
}

private struct RowDocument: Encodable {
    let index: Int
    let comparison: Comparison

    enum CodingKeys: String, CodingKey {
        case allocator, failure, verdict
        case countedRuns = "runs_counted"
        case wallSeconds = "wall_s"
        case cpuSeconds = "cpu_s"
        case userSeconds = "user_s"
        case systemSeconds = "system_s"
        case peakResidentBytes = "peak_rss_bytes"
        case meanResidentBytes = "mean_rss_bytes"
        case residentAfterDriveBytes = "rss_after_drive_bytes"
        case minorFaults = "minor_faults"
        case majorFaults = "major_faults"
        case voluntarySwitches = "voluntary_switches"
        case involuntarySwitches = "involuntary_switches"
        case residentOverTime = "rss_over_time"
        case ratioToFirst = "ratio_to_first"
        case pairedRatio = "paired_ratio"
    }

    enum RatioKeys: String, CodingKey {
        case wall, cpu
        case peakResident = "peak_rss"
    }

    // By hand, because a synthesized encoding leaves nil out.
    func encode(to encoder: any Encoder) throws {
        let row = comparison.rows[index]
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(row.allocator, forKey: .allocator)
        try container.encode(row.failure, forKey: .failure)
        try container.encode(row.rounds.count { $0 != nil }, forKey: .countedRuns)
        let seconds: [(CodingKeys, Spread?)] = [
            (.wallSeconds, row.wallSeconds), (.cpuSeconds, row.cpuSeconds), (.userSeconds, row.userSeconds),
            (.systemSeconds, row.systemSeconds),
        ]
        for (key, spread) in seconds {
            try container.encode(SpreadDocument(spread: spread, isWhole: false), forKey: key)
        }
        let whole: [(CodingKeys, Spread?)] = [
            (.peakResidentBytes, row.peakResidentBytes), (.meanResidentBytes, row.meanResidentBytes),
            (.residentAfterDriveBytes, row.residentAfterDriveBytes), (.minorFaults, row.minorFaults),
            (.majorFaults, row.majorFaults), (.voluntarySwitches, row.voluntarySwitches),
            (.involuntarySwitches, row.involuntarySwitches),
        ]
        for (key, spread) in whole { try container.encode(SpreadDocument(spread: spread, isWhole: true), forKey: key) }
        try container.encode(row.typicalResident.map(CurveDocument.init), forKey: .residentOverTime)
        var ratios = container.nestedContainer(keyedBy: RatioKeys.self, forKey: .ratioToFirst)
        try ratios.encode(comparison.ratioToFirst(row, \.wallSeconds), forKey: .wall)
        try ratios.encode(comparison.ratioToFirst(row, \.cpuSeconds), forKey: .cpu)
        try ratios.encode(comparison.ratioToFirst(row, \.peakResidentBytes), forKey: .peakResident)
        var paired = container.nestedContainer(keyedBy: RatioKeys.self, forKey: .pairedRatio)
        var verdicts = container.nestedContainer(keyedBy: RatioKeys.self, forKey: .verdict)
        for (figure, key) in [(Comparison.Figure.wall, RatioKeys.wall), (.cpu, .cpu), (.peakResident, .peakResident)] {
            let ratio = comparison.pairedRatio(ofRow: index, figure)
            try paired.encode(ratio.map(PairedDocument.init), forKey: key)
            try verdicts.encode(ratio.map { Verdict($0).word }, forKey: key)
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

/// A ratio with its interval.
private struct PairedDocument: Encodable {
    let ratio: PairedRatio

    enum CodingKeys: String, CodingKey {
        case median, low, high, pairs
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(ratio.median, forKey: .median)
        try container.encode(ratio.interval?.lowerBound, forKey: .low)
        try container.encode(ratio.interval?.upperBound, forKey: .high)
        try container.encode(ratio.pairs, forKey: .pairs)
    }
}

/// A figure over time as two arrays of one length.
private struct CurveDocument: Encodable {
    let series: TimeSeries

    enum CodingKeys: String, CodingKey {
        case nanoseconds = "t_ns"
        case bytes
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(series.samples.map(\.nanoseconds), forKey: .nanoseconds)
        try container.encode(series.samples.map(\.value), forKey: .bytes)
    }
}

/// A spread; bytes and counts are whole, the mean of two middle ones is rounded.
private struct SpreadDocument: Encodable {
    let spread: Spread?
    let isWhole: Bool

    enum CodingKeys: String, CodingKey {
        case median, min, max, spread
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let values: [(CodingKeys, Double?)] = [
            (.median, spread?.median), (.min, spread?.min), (.max, spread?.max), (.spread, spread?.deviation),
        ]
        for (key, value) in values {
            if isWhole {
                try container.encode(value.map { Int64($0.rounded()) }, forKey: key)
            } else {
                try container.encode(value, forKey: key)
            }
        }
    }
}
