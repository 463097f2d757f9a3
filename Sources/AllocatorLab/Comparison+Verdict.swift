// What the figures come to, in words: a line for each figure of an allocator beside the first one.

extension Comparison {
    /// Lines for each row but the first, the fastest first; ended by newlines.
    func verdicts() -> String {
        let sure = Self.fixed((1 - PairedRatio.falseVerdicts) * 100, 0)
        let indices = ranking.filter { $0 > 0 && pairedRatio(ofRow: $0, .wall) != nil }
        guard !indices.isEmpty else { return "" }
        let needed = PairedRatio.fewestPairs
        let judged = indices.filter { verdict(ofRow: $0, .wall) != .tooFewRuns }
        guard !judged.isEmpty else {
            return "no verdict: \(needed) runs of each are the fewest that can give one (--runs \(needed))\n"
        }
        var text = "beside \(rows[0].allocator), with \(sure) % confidence (range of the ratio):\n"
        let margin = judged.map { rows[$0].allocator.count }.filter { $0 <= TextGrid.widestName }.max() ?? 0
        let label = Figure.allCases.map(\.label.count).max() ?? 0
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        for index in judged {
            var name = rows[index].allocator
            if name.count > margin {
                text += "  \(name)\n"
                name = ""
            }
            for figure in Figure.allCases {
                guard let ratio = pairedRatio(ofRow: index, figure) else { continue }
                text += "  \(padded(name, margin))  \(padded(figure.label, label))  "
                text += "\(Self.words(Verdict(ratio), figure))\(Self.range(ratio))\n"
                name = ""
            }
        }
        return text
    }

    private static func words(_ verdict: Verdict, _ figure: Figure) -> String {
        switch verdict {
        case .less(let ratio): "\(share(1 - ratio)) \(figure == .wall ? "shorter" : "less")"
        case .more(let ratio) where ratio >= 2: "\(fixed(ratio, 2)) times as \(figure == .wall ? "long" : "much")"
        case .more(let ratio): "\(share(ratio - 1)) \(figure == .wall ? "longer" : "more")"
        case .same: "the same within \(share(Verdict.margin))"
        case .noise: "no difference beyond noise"
        case .tooFewRuns: "too few runs"
        }
    }

    private static func range(_ ratio: PairedRatio) -> String {
        guard let interval = ratio.interval else { return "" }
        // An interval that leaves 1 out must not read as one that ends there.
        let bounds = [interval.lowerBound, interval.upperBound]
        let isClose = !interval.contains(1) && bounds.contains { fixed($0, 2) == "1.00" }
        return " (" + bounds.map { fixed($0, isClose ? 3 : 2) }.joined(separator: " … ") + ")"
    }

    private static func share(_ value: Double) -> String { "\(fixed(value * 100, 0)) %" }
}

extension Comparison.Figure {
    var label: String {
        switch self {
        case .wall: "wall"
        case .cpu: "CPU"
        case .peakResident: "peak RSS"
        }
    }
}
