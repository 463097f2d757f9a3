// How long blocks lived, in logarithmic buckets: eight to an octave, so a value read back from its bucket's middle is at most 1/16 off.
// Two forms: a sparse table of (cell, bucket) counts that the pass fills, and a small dense histogram that rows are summed into.
internal import CMachine

/// The bucket scheme: bucket 0 to 7 hold the values 0 to 7 exactly, then every octave is cut into eight equal parts.
enum LifetimeBucket {
    /// Buckets that a 64-bit value can fall in.
    static let count = 8 + 61 * 8

    /// The bucket of `ticks`. O(1).
    @inline(__always)
    static func index(of ticks: UInt64) -> Int {
        if ticks < 8 { return Int(truncatingIfNeeded: ticks) }
        let octave = 63 &- ticks.leadingZeroBitCount
        return (octave &- 2) &* 8 &+ Int(truncatingIfNeeded: (ticks &>> UInt64(octave &- 3)) & 7)
    }

    /// The middle of a bucket, in ticks.
    static func middle(of index: Int) -> Double {
        if index < 8 { return Double(index) }
        let octave = index / 8 + 2
        let width = Double(sign: .plus, exponent: octave - 3, significand: 1)
        return width * (8 + Double(index % 8) + 0.5)
    }
}

/// Counts of lifetimes of one row: a value that can be merged and asked for quantiles.
struct LifetimeHistogram: Equatable {
    private var buckets: [Int: Int] = [:]
    /// Lifetimes counted.
    private(set) var total = 0

    /// Counts `count` lifetimes in `bucket`.
    mutating func add(bucket: Int, count: Int) {
        buckets[bucket, default: 0] &+= count
        total &+= count
    }

    /// Calls `body` with every occupied bucket, in no particular order.
    func forEach(_ body: (_ bucket: Int, _ count: Int) -> Void) {
        for (bucket, count) in buckets { body(bucket, count) }
    }

    /// The lifetime that a share `quantile` of the counted ones do not exceed, in ticks, at most 1/16 off; nil when none was counted.
    /// - Complexity: O(b log b) in the occupied buckets.
    func quantile(_ quantile: Double) -> Double? {
        guard total > 0 else { return nil }
        let rank = max(1, Int((Double(total) * quantile).rounded(.up)))
        var seen = 0
        for bucket in buckets.keys.sorted() {
            seen &+= buckets[bucket] ?? 0
            if seen >= rank { return LifetimeBucket.middle(of: bucket) }
        }
        return nil
    }
}

/// Lifetimes of all cells during the pass: an open-addressing table from (cell, bucket) to a count.
struct LifetimeTable: ~Copyable {
    private struct Entry {
        /// `cell` × `stride` + bucket + 1; 0 marks a free slot.
        var key: UInt64
        var count: Int
    }

    private static let stride: UInt64 = 512

    private var entries: UnsafeMutablePointer<Entry>
    private var mask: Int
    private var shift: UInt64
    private var used = 0
    /// Counts that were asked for and not yet made: the table's memory is fetched meanwhile. A ring; key 0 is none.
    private let pending: UnsafeMutablePointer<Entry>
    private var oldest = 0
    private static let pendingCount = 16

    init(bits: Int = 10) {
        entries = Self.emptyEntries(1 << bits)
        mask = 1 << bits - 1
        shift = UInt64(64 - bits)
        pending = Self.emptyEntries(Self.pendingCount)
    }

    deinit {
        entries.deallocate()
        pending.deallocate()
    }

    private static func emptyEntries(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        entries.initialize(repeating: Entry(key: 0, count: 0), count: capacity)
        return entries
    }

    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift)
    }

    /// Counts a lifetime of `ticks` for `cell`, `count` times; it is in the table after ``flush()``. Expected O(1).
    @inline(__always)
    mutating func add(cell: UInt32, ticks: UInt64, count: Int) {
        let key = UInt64(cell) &* Self.stride &+ UInt64(LifetimeBucket.index(of: ticks)) &+ 1
        ht_machine_prefetch(entries + home(key))
        let due = pending[oldest]
        pending[oldest] = Entry(key: key, count: count)
        oldest = (oldest &+ 1) & (Self.pendingCount &- 1)
        if due.key != 0 { add(due.key, count: due.count) }
    }

    /// Makes the counts that are still pending.
    mutating func flush() {
        for index in 0..<Self.pendingCount where pending[index].key != 0 {
            add(pending[index].key, count: pending[index].count)
            pending[index].key = 0
        }
    }

    @inline(__always)
    private mutating func add(_ key: UInt64, count: Int) {
        var index = home(key)
        while entries[index].key != key {
            if entries[index].key == 0 {
                entries[index].key = key
                used &+= 1
                if used &* 8 > (mask &+ 1) &* 5 {
                    grow()
                    index = home(key)
                    while entries[index].key != key { index = (index &+ 1) & mask }
                }
                break
            }
            index = (index &+ 1) & mask
        }
        entries[index].count &+= count
    }

    @inline(never)
    private mutating func grow() {
        let old = entries
        let oldCapacity = mask + 1
        entries = Self.emptyEntries(oldCapacity * 2)
        mask = oldCapacity * 2 - 1
        shift -= 1
        for index in 0..<oldCapacity where old[index].key != 0 {
            var target = home(old[index].key)
            while entries[target].key != 0 { target = (target &+ 1) & mask }
            entries[target] = old[index]
        }
        old.deallocate()
    }

    /// Calls `body` with every (cell, bucket, count), in no particular order; nothing may be pending. O(table).
    func forEach(_ body: (_ cell: Int, _ bucket: Int, _ count: Int) -> Void) {
        for index in 0...mask where entries[index].key != 0 {
            let key = entries[index].key - 1
            body(Int(key / Self.stride), Int(key % Self.stride), entries[index].count)
        }
    }
}
