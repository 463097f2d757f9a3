// Curves over time as text: one small chart below the other, all on one scale of time and one of height, so that they can
// be compared by eye. No I/O.

/// Several figures over time, drawn with block characters.
///
///     resident set over time: 0 … 1.20 s wide, 0 … 57.4 MiB high
///       glibc        ▃▆████▆
///                 ▁▅███████   57.4 MiB at its peak, 20.1 MiB at its end
public struct TimeChart: Sendable {
    /// One figure over time.
    public struct Curve: Sendable {
        /// What stands at its left.
        public let name: String
        /// The readings, in bytes.
        public let series: TimeSeries

        /// Names a series.
        public init(name: String, series: TimeSeries) {
            self.name = name
            self.series = series
        }
    }

    /// What the curves are drawn over.
    public enum Axis: Sendable {
        /// Time: a series' times are nanoseconds.
        case time
        /// Events: a series' times count them.
        case events
    }

    private static let eighths: [Character] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let widestName = 24
    private static let note = 44

    private let title: String
    private let curves: [Curve]
    private let height: Int
    private let axis: Axis

    /// Plans a chart.
    ///
    /// - Parameters:
    ///   - title: what is shown, such as `resident set over time`.
    ///   - curves: the figures, from the top.
    ///   - height: lines of text a curve; each line has eight steps.
    ///   - axis: what the series' times are.
    public init(title: String, curves: [Curve], height: Int = 2, axis: Axis = .time) {
        self.axis = axis
        self.title = title
        self.curves = curves.filter { !$0.series.samples.isEmpty }
        self.height = max(1, height)
    }

    /// The chart, lines ended by newlines; empty where there is nothing to show.
    ///
    /// A column shows the greatest reading of its stretch of time, or the one before where there was none. A curve ends
    /// where its readings end.
    ///
    /// - Parameter width: characters a line at most; charts are never narrower than 16 columns of time.
    /// - Complexity: O(samples + columns).
    public func text(width: Int) -> String {
        let peak = curves.map(\.series.peak).max() ?? 0
        let span = curves.compactMap(\.series.end).map(\.nanoseconds).max() ?? 0
        guard peak > 0, span > 0 else { return "" }
        let longest = curves.map(\.name.count).max() ?? 0
        let margin = min(longest, Self.widestName)
        let columns = max(16, width - margin - 4 - Self.note)
        let wide =
            axis == .time ? Comparison.duration(Double(span) / 1e9) : "\(Comparison.grouped(Double(span))) events"
        var text = "\(title): 0 … \(wide) wide, 0 … \(Comparison.size(Double(peak))) high\n"
        for curve in curves {
            let levels = Self.columns(curve.series, count: columns, span: span).map { value in
                value.map { Self.level($0, of: peak, steps: height * 8) }
            }
            if curve.name.count > margin { text += "  \(curve.name)\n" }
            for line in (0..<height).reversed() {
                let name = line == 0 && curve.name.count <= margin ? curve.name : ""
                var row = String(levels.map { Self.eighths[max(0, min(8, ($0 ?? 0) - line * 8))] })
                if line == 0, let end = curve.series.end {
                    row += "  \(Comparison.size(Double(curve.series.peak))) at its peak"
                    row += ", \(Comparison.size(Double(end.value))) at its end"
                }
                let padded = "  " + name + String(repeating: " ", count: margin - name.count) + "  " + row
                text += String(padded.reversed().drop { $0 == " " }.reversed()) + "\n"
            }
        }
        return text
    }

    /// The value of each column, nil after the end of the series.
    static func columns(_ series: TimeSeries, count: Int, span: UInt64) -> [UInt64?] {
        guard let first = series.samples.first, let end = series.end, span > 0 else {
            return [UInt64?](repeating: nil, count: count)
        }
        func column(_ nanoseconds: UInt64) -> Int {
            min(count - 1, Int(Double(nanoseconds) / Double(span) * Double(count)))
        }
        var greatest = [UInt64?](repeating: nil, count: count)
        for sample in series.samples {
            let index = column(sample.nanoseconds)
            greatest[index] = max(greatest[index] ?? 0, sample.value)
        }
        var current = first.value
        let ending = column(end.nanoseconds)
        var latest = 0
        return (0..<count).map { index in
            if index > ending { return nil }
            let held = current
            while latest < series.samples.count, column(series.samples[latest].nanoseconds) <= index {
                current = series.samples[latest].value
                latest += 1
            }
            return greatest[index] ?? held
        }
    }

    /// Steps of height; at least one where there is anything.
    private static func level(_ value: UInt64, of peak: UInt64, steps: Int) -> Int {
        value == 0 ? 0 : max(1, min(steps, Int((Double(value) / Double(peak) * Double(steps)).rounded())))
    }
}
