// `--view growth`: containers that grew, by site: how often, what it copied, how large they became, and the capacity to reserve that the sizes
// reached bear out, with what it would have saved.
internal import Symbolication

/// Growth of the containers of one row.
public struct GrowthRow: Sendable {
    /// What tells it from the others.
    public var key: RowKey
    /// Containers that began to grow here, whether they grew on or stayed with their first block.
    public var containers = 0
    /// Those that grew at least once from a block to a larger one: chains.
    public var chains = 0
    /// Those that are live at the end and may grow on.
    public var live = 0
    /// Growth steps: blocks that took the place of a smaller one.
    public var steps = 0
    /// The most steps of one container.
    public var longest = 0
    /// Steps by `realloc` that left the block where it was; nothing was copied.
    public var inPlace = 0
    /// Steps of large blocks whose pages the allocator moved without copying.
    public var remapped = 0
    /// Bytes asked for by the blocks that other steps replaced: the most that was copied.
    public var copiedBytes = 0
    /// The size that half of the containers, nine in ten and all of them stayed within, in bytes; each is a size that one reached.
    public var finalBytes = GrowthSizes(median: 0, p90: 0, largest: 0)
    /// What to reserve; nil where the sizes reached are too different for it to pay, and in rows that are not of one site.
    public var reserve: ReserveAdvice?
    /// The stack with most steps: an index into ``HeapProfile/stacks``.
    public var sampleStack = 0
}

/// Sizes that containers reached, in bytes.
public struct GrowthSizes: Hashable, Sendable {
    /// Half of the containers stayed within this.
    public var median: Int
    /// Nine in ten did.
    public var p90: Int
    /// All did.
    public var largest: Int
}

/// What reserving a capacity for every container would have changed, had each of them had it from the start.
public struct ReserveAdvice: Hashable, Sendable {
    /// The capacity in bytes.
    public var bytes: Int
    /// The share of the containers that it would have been enough for.
    public var share: Double
    /// Allocations and reallocations less.
    public var savedAllocations: Int
    /// Bytes less to copy.
    public var savedCopies: Int
    /// Bytes less to ask for: those of the blocks that were replaced, less the room that smaller containers would have left unused. Never negative.
    public var savedBytes: Int
}

/// Containers that grew.
public struct GrowthView: Sendable {
    /// The rows, most bytes copied first.
    public var rows: [GrowthRow]
    /// The sums of all rows; its key is empty.
    public var total: GrowthRow

    /// Growth by `fields`; nil where blocks were not followed, as in sampled traces. O(stacks + rows log rows).
    public init?(_ profile: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        guard let findings = profile.views.chains else { return nil }
        var groups: [RowKey: Group] = [:]
        var all = Group()
        for (number, record) in findings.chains {
            let stack = profile.stacks[number]
            guard filter.accepts(stack) else { continue }
            groups[RowKey(fields, stack: stack), default: Group()].add(record, stack: number)
            all.add(record, stack: number)
        }
        // One capacity is advice for one place.
        let isAdvised = fields.contains(.site)
        rows = groups.map { $1.row($0, isAdvised: isAdvised) }.filter { $0.steps > 0 }.sorted { left, right in
            if left.copiedBytes != right.copiedBytes { return left.copiedBytes > right.copiedBytes }
            if left.steps != right.steps { return left.steps > right.steps }
            if left.containers != right.containers { return left.containers > right.containers }
            return left.key.precedes(right.key)
        }
        total = all.row(RowKey([], stack: nil), isAdvised: false)
    }

    private struct Group {
        var record = ChainRecord()
        var sampleStack = 0
        var sampleSteps = -1

        mutating func add(_ other: ChainRecord, stack: Int) {
            record.add(other)
            let steps = other.buckets.values.reduce(0) { $0 + $1.steps }
            if steps > sampleSteps { (sampleSteps, sampleStack) = (steps, stack) }
        }

        func row(_ key: RowKey, isAdvised: Bool) -> GrowthRow {
            var row = GrowthRow(key: key)
            let buckets = record.buckets.sorted { $0.key < $1.key }.map(\.value)
            let sum = buckets.reduce(into: ChainBucket()) { $0.add($1) }
            row.containers = sum.containers
            row.chains = record.grown
            row.live = record.live
            row.steps = sum.steps
            row.longest = record.longest
            row.inPlace = record.inPlace
            row.remapped = record.remapped
            row.copiedBytes = sum.copied
            row.finalBytes = GrowthSizes(
                median: Self.quantile(0.5, of: buckets, sum.containers),
                p90: Self.quantile(0.9, of: buckets, sum.containers), largest: sum.largest)
            if isAdvised { row.reserve = ReserveAdvice(buckets, containers: sum.containers) }
            row.sampleStack = sampleStack
            return row
        }

        private static func quantile(_ quantile: Double, of buckets: [ChainBucket], _ total: Int) -> Int {
            let rank = max(1, Int((Double(total) * quantile).rounded(.up)))
            var seen = 0
            for bucket in buckets {
                seen &+= bucket.containers
                if seen >= rank { return bucket.largest }
            }
            return 0
        }
    }
}

extension ReserveAdvice {
    /// The capacity that saves most allocations of those that do not ask for more bytes in all; nil where none saves any.
    ///
    /// Containers that outgrow it are counted as if it did not help them, so what is saved is the least that would be.
    /// - Parameter buckets: by final size, ascending.
    init?(_ buckets: [ChainBucket], containers: Int) {
        var within = ChainBucket()
        var best: ReserveAdvice?
        for bucket in buckets {
            within.add(bucket)
            // Those that outgrow it ask for its bytes once more at most.
            let outgrown = (containers &- within.containers) &* bucket.largest
            let unused = within.containers &* bucket.largest &- within.bytes &+ outgrown
            let saved = within.replaced &- unused
            if saved >= 0, within.steps > best?.savedAllocations ?? 0 {
                best = ReserveAdvice(
                    bytes: bucket.largest, share: Double(within.containers) / Double(containers),
                    savedAllocations: within.steps, savedCopies: within.copied, savedBytes: saved)
            }
        }
        guard let best else { return nil }
        self = best
    }
}
