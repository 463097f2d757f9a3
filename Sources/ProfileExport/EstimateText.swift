// How the figures of a sampled trace are written: `≈` before what is estimated, `±` and the standard error behind the figures of the whole trace, the
// errors as members of the JSON document. A complete trace is written as ever.
internal import HeapAnalysis

/// Writes figures of one trace.
struct EstimateText {
    /// Whether the figures are estimates.
    let isEstimated: Bool

    /// How figures are written that are estimates or not.
    init(isEstimated: Bool) { self.isEstimated = isEstimated }

    /// How the figures of a trace's rows are written.
    init(_ trace: TraceSummary) { isEstimated = trace.facts.isSampled }

    func marked(_ text: String) -> String { isEstimated ? "≈" + text : text }
    func count(_ value: Int) -> String { marked(NumberText.count(value)) }
    func bytes(_ value: Int) -> String { marked(NumberText.bytes(value)) }
    func percent(_ share: Double?) -> String {
        share.map { $0.isFinite } == true ? marked(NumberText.percent(share)) : NumberText.percent(share)
    }

    /// ` ± 1,234`: the standard error of a number of blocks; empty where the figure is exact.
    static func plusMinus(_ error: Double?) -> String {
        guard let error, error > 0 else { return "" }
        return " ± " + NumberText.count(Int(error.rounded(.up)))
    }

    /// ` ± 1.2 MiB`: the standard error of a number of bytes; empty where the figure is exact.
    static func plusMinusBytes(_ error: Double?) -> String {
        guard let error, error > 0 else { return "" }
        return " ± " + NumberText.bytes(Int(error.rounded(.up)))
    }

    /// `±3.1%`: a standard error as a share of its figure.
    static func relative(_ error: Double?, of value: Int) -> String {
        guard let error, value > 0 else { return "–" }
        return "±" + NumberText.percent(error / Double(value))
    }
}

extension StandardError {
    /// The member `standard_error` of a document; errors are in blocks and bytes, cut to three decimals.
    var json: JSONValue {
        func number(_ value: Double) -> JSONValue { .number((value * 1000).rounded() / 1000) }
        return .object([
            ("allocations", number(allocations)), ("frees", number(frees)), ("bytes", number(bytes)),
            ("live_blocks", number(liveBlocks)), ("live_bytes", number(liveBytes)),
            ("peak_bytes", number(peakBytes)), ("temporary", number(temporary)),
        ])
    }
}

extension ReportView {
    /// The figure that rows of this view are ordered by, and its standard error.
    func measured(_ row: ProfileRow) -> (value: Int, error: Double?) {
        switch self {
        case .totals, .size, .thread, .strings, .growth, .copies: (row.figures.bytes, row.standardError?.bytes)
        case .peak: (row.figures.peakBytes, row.standardError?.peakBytes)
        case .leaks, .live: (row.figures.liveBytes, row.standardError?.liveBytes)
        case .temporary: (row.figures.temporary, row.standardError?.temporary)
        case .lifetimes: (row.figures.allocations, row.standardError?.allocations)
        }
    }
}
