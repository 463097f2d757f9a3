// How long the blocks that are live at the end have lived: of each cell after the pass, summed up by rows.

/// How long live blocks have lived, in nanoseconds up to the last event.
public struct LeakAge: Sendable, Hashable {
    /// The oldest block's age.
    public var oldest: Int
    /// The age that half of the blocks do not exceed, at most 1/16 off.
    public var median: Int
    /// The youngest block's age.
    public var youngest: Int
}

/// Ages of the live blocks of a cell or a row, in ticks.
struct AgeHistogram {
    private(set) var oldest: UInt64 = 0
    private(set) var youngest = UInt64.max
    private var buckets: [Int: Int] = [:]

    mutating func add(_ age: UInt64, count: Int) {
        oldest = max(oldest, age)
        youngest = min(youngest, age)
        buckets[LifetimeBucket.index(of: age), default: 0] &+= count
    }

    func adding(_ other: AgeHistogram) -> AgeHistogram {
        var sum = self
        sum.oldest = max(oldest, other.oldest)
        sum.youngest = min(youngest, other.youngest)
        sum.buckets.merge(other.buckets) { $0 &+ $1 }
        return sum
    }

    /// The ages where a tick is so long; nil without blocks.
    func age(nanosecondsPerTick tick: Double) -> LeakAge? {
        var histogram = LifetimeHistogram()
        for (bucket, count) in buckets { histogram.add(bucket: bucket, count: count) }
        guard let median = histogram.quantile(0.5), let oldest = Int(exactly: (Double(oldest) * tick).rounded()),
            let youngest = Int(exactly: (Double(youngest) * tick).rounded()),
            let middle = Int(exactly: (median * tick).rounded())
        else { return nil }
        return LeakAge(oldest: oldest, median: min(max(middle, youngest), oldest), youngest: youngest)
    }
}

extension HeapLedger {
    /// Ages of the live blocks of every cell that has any, by the cell's number. O(live blocks).
    func ages() -> [Int: AgeHistogram] {
        var ages: [Int: AgeHistogram] = [:]
        let end = lastTime
        forEachLive { block in
            let count = options.isSampled ? units.blocks(weight: block.weight) : 1
            ages[Int(block.cell), default: AgeHistogram()].add(end > block.time ? end &- block.time : 0, count: count)
        }
        return ages
    }
}
