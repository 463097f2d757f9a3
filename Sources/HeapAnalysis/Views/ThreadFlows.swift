// Who allocates and who frees: blocks that cross from the thread that allocated them to another that freed them, by pair of threads and by owner.

/// Flows of blocks between threads.
public struct ThreadFlows: Sendable {
    /// Blocks that one thread allocated and another freed.
    public struct Flow: Sendable {
        /// Serial of the thread that allocated.
        public var from: Int
        /// Serial of the thread that freed.
        public var to: Int
        /// Blocks.
        public var blocks: Int
        /// Their bytes.
        public var bytes: Int
        /// What most of the bytes belonged to: fields of the owner.
        public var topOwner: RowKey?
        /// Standard errors of the two in a sampled trace; 0 in others.
        public var error: (blocks: Double, bytes: Double) = (0, 0)
    }

    /// Blocks of one owner that crossed threads.
    public struct OwnerFlow: Sendable {
        /// The owner, or what the grouping tells.
        public var key: RowKey
        /// Blocks freed, by any thread.
        public var freed: Int
        /// Of them, blocks freed by another thread than the one that allocated them.
        public var blocks: Int
        /// Their bytes.
        public var bytes: Int
        /// The pair of threads between which most of the bytes went.
        public var top: Flow
        /// How many pairs of threads there are.
        public var pairs: Int
    }

    /// Flows between different threads, by bytes descending.
    public let crossing: [Flow]
    /// Owners whose blocks crossed threads, by bytes descending.
    public let owners: [OwnerFlow]
    /// Blocks freed by the thread that allocated them, and their bytes, by serial of the thread; the unplaced ones are among them.
    public let within: [Int: (blocks: Int, bytes: Int)]
    /// Blocks freed, by any thread.
    public let freed: Int
    /// Of them, blocks of which the freeing thread is not known: their FREE was read out of order.
    public let unplaced: Int

    /// Blocks freed by another thread than the one that allocated them.
    public var crossed: Int { crossing.reduce(0) { $0 &+ $1.blocks } }
    /// Their bytes.
    public var crossedBytes: Int { crossing.reduce(0) { $0 &+ $1.bytes } }

    /// The flows of a profile; nil unless they were tracked. O(cells + flows log flows).
    /// - Parameter fields: what owners are grouped by.
    public init?(_ profile: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        guard let counted = profile.views.flows else { return nil }
        let accepted = profile.stacks.map { filter.accepts($0) }
        var sums: [Pair: Sum] = [:]
        var owners: [RowKey: [Pair: Sum]] = [:]
        var leaving: [Int: (blocks: Int, bytes: Int)] = [:]
        for flow in counted.flows {
            let cell = profile.cells[flow.cell]
            guard accepted[cell.stack], let from = cell.thread else { continue }
            let owner = RowKey(GroupingKey.owner.fields, cell: cell, stack: profile.stacks[cell.stack])
            let pair = Pair(from: from, to: flow.thread)
            sums[pair, default: Sum()].add(flow, owner: owner)
            let key = RowKey(fields, cell: cell, stack: profile.stacks[cell.stack])
            owners[key, default: [:]][pair, default: Sum()].add(flow, owner: owner)
            leaving[from, default: (0, 0)].blocks &+= flow.blocks
            leaving[from, default: (0, 0)].bytes &+= flow.bytes
        }
        var freed: [Int: (blocks: Int, bytes: Int)] = [:]
        var freedOf: [RowKey: Int] = [:]
        for cell in profile.cells where accepted[cell.stack] {
            let key = RowKey(fields, cell: cell, stack: profile.stacks[cell.stack])
            if owners[key] != nil { freedOf[key, default: 0] &+= cell.figures.frees }
            guard let thread = cell.thread, cell.figures.frees > 0 else { continue }
            freed[thread, default: (0, 0)].blocks &+= cell.figures.frees
            freed[thread, default: (0, 0)].bytes &+= cell.figures.bytes &- cell.figures.liveBytes
        }
        let units = profile.units
        crossing = Self.sorted(sums, units)
        self.owners = owners.map { key, sums in
            let flows = Self.sorted(sums, units)
            return OwnerFlow(
                key: key, freed: HeapFigures.rounded(freedOf[key] ?? 0, units.blocks),
                blocks: flows.reduce(0) { $0 &+ $1.blocks }, bytes: flows.reduce(0) { $0 &+ $1.bytes }, top: flows[0],
                pairs: flows.count)
        }.sorted {
            ($1.bytes, $1.blocks) == ($0.bytes, $0.blocks)
                ? $0.key.precedes($1.key) : ($1.bytes, $1.blocks) < ($0.bytes, $0.blocks)
        }
        within = Dictionary(
            uniqueKeysWithValues: freed.map { thread, all in
                let gone = leaving[thread] ?? (0, 0)
                return (
                    thread,
                    (
                        HeapFigures.rounded(all.blocks &- gone.blocks, units.blocks),
                        HeapFigures.rounded(all.bytes &- gone.bytes, units.bytes)
                    )
                )
            })
        self.freed = HeapFigures.rounded(freed.values.reduce(0) { $0 &+ $1.blocks }, units.blocks)
        unplaced = HeapFigures.rounded(counted.unplaced, units.blocks)
    }

    private static func sorted(_ sums: [Pair: Sum], _ units: SumUnits) -> [Flow] {
        sums.map { $0.value.flow($0.key, units) }.sorted {
            ($1.bytes, $1.blocks, $0.from, $0.to) < ($0.bytes, $0.blocks, $1.from, $1.to)
        }
    }

    private struct Pair: Hashable {
        var from: Int
        var to: Int
    }

    private struct Sum {
        var blocks = 0
        var bytes = 0
        var owners: [RowKey: Int] = [:]
        var blockVariance = 0.0
        var byteVariance = 0.0

        mutating func add(_ flow: CountedFlows.Flow, owner: RowKey) {
            blocks &+= flow.blocks
            bytes &+= flow.bytes
            owners[owner, default: 0] &+= flow.bytes
            blockVariance += flow.blockVariance
            byteVariance += flow.byteVariance
        }

        func flow(_ pair: Pair, _ units: SumUnits) -> Flow {
            let top = owners.min { ($1.value == $0.value) ? $0.key.precedes($1.key) : $1.value < $0.value }
            return Flow(
                from: pair.from, to: pair.to, blocks: HeapFigures.rounded(blocks, units.blocks),
                bytes: HeapFigures.rounded(bytes, units.bytes), topOwner: top?.key,
                error: (blockVariance.squareRoot(), byteVariance.squareRoot()))
        }
    }
}
