// Who allocates and who frees: blocks that cross from the thread that allocated them to another that freed them, by pair of threads and by owner.

/// Flows of blocks between threads.
public struct ThreadFlows: Sendable {
    /// Blocks that one thread allocated and another freed.
    public struct Flow: Sendable, Hashable {
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
    }

    /// Flows between different threads, by bytes descending.
    public let crossing: [Flow]
    /// Blocks freed by the thread that allocated them, and their bytes, by serial of the thread; without blocks live at the end.
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
    public init?(_ profile: HeapProfile, filter: RowFilter = RowFilter()) {
        guard let counted = profile.views.flows else { return nil }
        let accepted = profile.stacks.map { filter.accepts($0) }
        var sums: [Pair: Sum] = [:]
        var leaving: [Int: (blocks: Int, bytes: Int)] = [:]
        for flow in counted.flows {
            let cell = profile.cells[flow.cell]
            guard accepted[cell.stack], let from = cell.thread else { continue }
            let owner = RowKey(GroupingKey.owner.fields, cell: cell, stack: profile.stacks[cell.stack])
            sums[Pair(from: from, to: flow.thread), default: Sum()].add(flow, owner: owner)
            leaving[from, default: (0, 0)].blocks &+= flow.blocks
            leaving[from, default: (0, 0)].bytes &+= flow.bytes
        }
        var freed: [Int: (blocks: Int, bytes: Int)] = [:]
        for cell in profile.cells where accepted[cell.stack] {
            guard let thread = cell.thread, cell.figures.frees > 0 else { continue }
            freed[thread, default: (0, 0)].blocks &+= cell.figures.frees
            freed[thread, default: (0, 0)].bytes &+= cell.figures.bytes &- cell.figures.liveBytes
        }
        let units = profile.units
        crossing = sums.map { $0.value.flow($0.key, units) }.sorted {
            ($1.bytes, $1.blocks, $0.from, $0.to) < ($0.bytes, $0.blocks, $1.from, $1.to)
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

    private struct Pair: Hashable {
        var from: Int
        var to: Int
    }

    private struct Sum {
        var blocks = 0
        var bytes = 0
        var owners: [RowKey: Int] = [:]

        mutating func add(_ flow: CountedFlows.Flow, owner: RowKey) {
            blocks &+= flow.blocks
            bytes &+= flow.bytes
            owners[owner, default: 0] &+= flow.bytes
        }

        func flow(_ pair: Pair, _ units: SumUnits) -> Flow {
            let top = owners.min { ($1.value == $0.value) ? $0.key.precedes($1.key) : $1.value < $0.value }
            return Flow(
                from: pair.from, to: pair.to, blocks: HeapFigures.rounded(blocks, units.blocks),
                bytes: HeapFigures.rounded(bytes, units.bytes), topOwner: top?.key)
        }
    }
}
