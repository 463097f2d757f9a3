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
    let schema = "heaptrail.compare/1"
    let runs: Int
    let rows: [RowDocument]

    init(_ comparison: Comparison) {
        runs = comparison.runs
        rows = comparison.rows.map { RowDocument($0, of: comparison) }
    }
}

private struct RowDocument: Encodable {
    let row: Comparison.Row
    let wallRatio: Double?
    let cpuRatio: Double?
    let residentRatio: Double?

    enum CodingKeys: String, CodingKey {
        case allocator
        case wallSeconds = "wall_s"
        case cpuSeconds = "cpu_s"
        case peakResidentBytes = "peak_rss_bytes"
        case minorFaults = "minor_faults"
        case ratioToFirst = "ratio_to_first"
    }

    enum RatioKeys: String, CodingKey {
        case wall, cpu
        case peakResident = "peak_rss"
    }

    init(_ row: Comparison.Row, of comparison: Comparison) {
        self.row = row
        wallRatio = comparison.ratioToFirst(row, \.wallSeconds)
        cpuRatio = comparison.ratioToFirst(row, \.cpuSeconds)
        residentRatio = comparison.ratioToFirst(row, \.peakResidentBytes)
    }

    // By hand, because a synthesized encoding leaves nil out.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(row.allocator, forKey: .allocator)
        try container.encode(SpreadDocument(row.wallSeconds), forKey: .wallSeconds)
        try container.encode(SpreadDocument(row.cpuSeconds), forKey: .cpuSeconds)
        try container.encode(WholeSpreadDocument(row.peakResidentBytes), forKey: .peakResidentBytes)
        try container.encode(WholeSpreadDocument(row.minorFaults), forKey: .minorFaults)
        var ratios = container.nestedContainer(keyedBy: RatioKeys.self, forKey: .ratioToFirst)
        try ratios.encode(wallRatio, forKey: .wall)
        try ratios.encode(cpuRatio, forKey: .cpu)
        try ratios.encode(residentRatio, forKey: .peakResident)
    }
}

private enum SpreadKeys: String, CodingKey {
    case median, min, max
}

/// A spread of seconds.
private struct SpreadDocument: Encodable {
    let spread: Spread?

    init(_ spread: Spread?) {
        self.spread = spread
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SpreadKeys.self)
        try container.encode(spread?.median, forKey: .median)
        try container.encode(spread?.min, forKey: .min)
        try container.encode(spread?.max, forKey: .max)
    }
}

/// A spread of bytes or counts, which are whole; the mean of two middle ones is rounded.
private struct WholeSpreadDocument: Encodable {
    let spread: Spread?

    init(_ spread: Spread?) {
        self.spread = spread
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: SpreadKeys.self)
        try container.encode(spread.map { Int64($0.median.rounded()) }, forKey: .median)
        try container.encode(spread.map { Int64($0.min) }, forKey: .min)
        try container.encode(spread.map { Int64($0.max) }, forKey: .max)
    }
}
