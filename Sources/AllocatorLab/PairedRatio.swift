// The statistics of a verdict: how many times as much one allocator takes than another, from runs that were made side by
// side, and whether the runs bear it out. Arithmetic alone.

internal import Glibc

/// The ratio of a figure on one allocator to that on another, over pairs of runs of the same round.
///
/// The estimate is the median of the pairs' ratios. The interval is the exact, distribution-free one of a median, the
/// counterpart of the sign test: of n ratios in ascending order it runs from the (k+1)-th to the (n−k)-th, where k is the
/// largest number for which 2·P(X ≤ k) ≤ 1 − confidence, X being binomial with n trials and probability ½ (Hollander,
/// Wolfe and Chicken, *Nonparametric Statistical Methods*, 3rd edition, §3.4 to 3.6). It takes the pairs as independent
/// and nothing else: no normal distribution, no equal spread; a run that was held up counts as one pair, however long
/// it was held up.
public struct PairedRatio: Equatable, Sendable {
    /// The median of the ratios.
    public let median: Double
    /// The interval that holds the true median at the given confidence; nil where there are too few pairs for one.
    public let interval: ClosedRange<Double>?
    /// How many pairs there were.
    public let pairs: Int

    /// The chance of a false verdict on one row: three figures are judged, so each gets a third of it.
    public static let falseVerdicts = 0.01
    /// Of each figure's interval: 1 − 0.01 / 3.
    public static let confidence = 1 - falseVerdicts / 3
    /// The fewest pairs that can have an interval: 2·½ⁿ ≤ 1 − confidence.
    public static let fewestPairs = (1...64).first { rank(of: $0, confidence: confidence) != nil } ?? 64

    /// Summarises pairs; nil where none has two figures above zero.
    ///
    /// - Parameters:
    ///   - pairs: the figures of the same round on both, in the figure's own unit.
    ///   - confidence: that of the interval.
    /// - Complexity: O(n log n).
    public init?(_ pairs: [(own: Double, base: Double)], confidence: Double = PairedRatio.confidence) {
        let ratios = pairs.filter { $0.own > 0 && $0.base > 0 }.map { $0.own / $0.base }.sorted()
        guard let spread = Spread(ratios) else { return nil }
        median = spread.median
        self.pairs = ratios.count
        interval = Self.rank(of: ratios.count, confidence: confidence).map { k in
            ratios[k]...ratios[ratios.count - 1 - k]
        }
    }

    /// The largest k whose interval is wide enough; nil where even the whole range is not.
    ///
    /// - Complexity: O(count).
    static func rank(of count: Int, confidence: Double) -> Int? {
        // Terms by logarithms: ½ⁿ is no longer a number from n = 1075 on.
        var logarithm = -Double(count) * log(2)
        var outside = 0.0
        var rank: Int?
        for k in 0..<(count + 1) / 2 {
            if k > 0 { logarithm += log(Double(count - k + 1) / Double(k)) }
            outside += 2 * exp(logarithm)
            // A hair's breadth for rounding: 2·½¹⁰ must not depend on it.
            if outside > (1 - confidence) * (1 + 1e-9) { break }
            rank = k
        }
        return rank
    }
}

/// What the runs say about a figure on one allocator beside that on another.
public enum Verdict: Equatable, Sendable {
    /// It takes less, `ratio` times as much.
    case less(ratio: Double)
    /// It takes more, `ratio` times as much.
    case more(ratio: Double)
    /// The two are the same within `Verdict.margin`.
    case same
    /// No difference beyond noise: the runs allow either.
    case noise
    /// Too few pairs of runs to tell.
    case tooFewRuns

    /// A difference of less than this share of the figure is none that matters.
    public static let margin = 0.01

    /// Judges a ratio: there is a difference only where the whole interval lies on one side of 1 and the median is off
    /// by the margin at least.
    public init(_ ratio: PairedRatio) {
        guard let interval = ratio.interval else {
            self = .tooFewRuns
            return
        }
        if interval.lowerBound >= 1 - Self.margin, interval.upperBound <= 1 + Self.margin {
            self = .same
        } else if interval.upperBound < 1, ratio.median <= 1 - Self.margin {
            self = .less(ratio: ratio.median)
        } else if interval.lowerBound > 1, ratio.median >= 1 + Self.margin {
            self = .more(ratio: ratio.median)
        } else {
            self = .noise
        }
    }
}
