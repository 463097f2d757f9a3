// Bars of a table, made of block characters: one bar a line for a histogram, one character a bucket for a histogram within a row.
internal import HeapAnalysis

enum BarText {
    private static let eighths: [Character] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
    private static let heights: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    /// A bar of `value` where `largest` fills `width` characters; empty for 0, never empty otherwise.
    static func bar(_ value: Int, largest: Int, width: Int) -> String {
        guard value > 0, largest > 0 else { return "" }
        let parts = max(1, Int((Double(value) / Double(largest) * Double(width * 8)).rounded()))
        var text = String(repeating: "█", count: parts / 8)
        if parts % 8 > 0 { text.append(eighths[parts % 8 - 1]) }
        return text
    }

    /// One character a count, as high as its share of all; `·` where there is none.
    static func spark(_ counts: [Int]) -> String {
        let total = counts.reduce(0, +)
        return String(
            counts.map { count -> Character in
                if count <= 0 || total <= 0 { return "·" }
                return heights[min(7, Int(Double(count) / Double(total) * 8))]
            })
    }

    /// Stands above a row's lifetimes: where a microsecond, a millisecond and a second begin.
    static let decadesTitle = "<µ··m··s+"
}
