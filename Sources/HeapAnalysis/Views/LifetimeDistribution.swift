// How long blocks lived, in the decades that people think in: less than a microsecond, up to ten seconds and more.
// Computed from the pass's finer histogram (LifetimeHistogram.swift), so a lifetime within a sixteenth of a bound may count next to it.

/// Lifetimes of freed blocks by decade.
public struct LifetimeDistribution: Sendable, Equatable {
    /// The decades' bounds in nanoseconds, from 1 µs to 10 s.
    public static let bounds = [
        1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
    ]

    /// Blocks by decade: below the first bound, from each bound to the next, and from the last on.
    public var counts: [Int]
    /// Blocks freed within the trace, of every lifetime.
    public var freed: Int

    /// No block was freed.
    public init() {
        counts = Array(repeating: 0, count: Self.bounds.count + 1)
        freed = 0
    }

    /// - Parameter tick: nanoseconds a tick.
    init(_ histogram: LifetimeHistogram, tick: Double, units: SumUnits) {
        self.init()
        histogram.forEach { bucket, count in
            let nanoseconds = LifetimeBucket.middle(of: bucket) * tick
            let decade = Self.bounds.firstIndex { nanoseconds < Double($0) } ?? Self.bounds.count
            counts[decade] &+= count
        }
        counts = counts.map { HeapFigures.rounded($0, units.blocks) }
        freed = HeapFigures.rounded(histogram.total, units.blocks)
    }

    /// Adds the counts of `other`.
    public mutating func add(_ other: LifetimeDistribution) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        freed &+= other.freed
    }
}
