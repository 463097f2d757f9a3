// Blocks freed by another thread than the one that allocated them, counted during the pass: an open-addressing table from (cell, freeing thread)
// to blocks and bytes. The cell tells the allocating thread and the stack, so exact flows of every owner follow. Blocks that stay within their
// thread cost one comparison and no room; memory grows with the distinct flows of each call stack, never with events.

final class ThreadFlowTable {
    private struct Entry {
        /// (cell + 1) × 2^32 + the freeing thread's serial; 0 marks a free slot.
        var key: UInt64
        var blocks: Int
        var bytes: Int
        /// Of sampled traces: the variances of the two.
        var blockVariance = 0.0
        var byteVariance = 0.0
    }

    private let units: SumUnits
    private var entries: UnsafeMutablePointer<Entry>
    private var mask: Int
    private var shift: UInt64
    private var used = 0
    /// Blocks of which the freeing thread is not known: their FREE was read out of order.
    private(set) var unplaced = 0

    init(units: SumUnits, bits: Int = 8) {
        self.units = units
        entries = Self.emptyEntries(1 << bits)
        mask = 1 << bits - 1
        shift = UInt64(64 - bits)
    }

    deinit { entries.deallocate() }

    private static func emptyEntries(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        entries.initialize(repeating: Entry(key: 0, blocks: 0, bytes: 0), count: capacity)
        return entries
    }

    /// Takes the end of a block. Expected O(1).
    func freed(_ free: ObservedFree) {
        let blocks = units == .whole ? 1 : units.blocks(weight: free.block.weight)
        if free.isRepaired {
            unplaced &+= blocks
            return
        }
        if free.thread == free.origin.thread { return }
        let size = Int(truncatingIfNeeded: min(free.block.size, 1 << 47))
        let bytes = units == .whole ? size : units.bytes(size, weight: free.block.weight)
        let index = entry(of: free.block.cell, free.thread)
        entries[index].blocks &+= blocks
        entries[index].bytes &+= bytes
        if units != .whole {
            let variance = SumUnits.variance(weight: free.block.weight)
            entries[index].blockVariance += variance
            entries[index].byteVariance += variance * Double(size) * Double(size)
        }
    }

    /// Counts the block that ended in another cell. Blocks of sampled traces always stay in theirs. Expected O(1).
    func recounted(_ free: ObservedFree, in cell: UInt32) {
        if free.isRepaired || free.thread == free.origin.thread { return }
        let size = Int(truncatingIfNeeded: min(free.block.size, 1 << 47))
        for (number, sign) in [(free.block.cell, -1), (cell, 1)] {
            let index = entry(of: number, free.thread)
            entries[index].blocks &+= sign
            entries[index].bytes &+= sign &* size
        }
    }

    /// Where the flow from a cell to a thread is counted.
    @inline(__always)
    private func entry(of cell: UInt32, _ thread: UInt32) -> Int {
        let key = (UInt64(cell) &+ 1) &<< 32 | UInt64(thread)
        var index = home(key)
        while entries[index].key != key {
            if entries[index].key == 0 { return add(key, at: index) }
            index = (index &+ 1) & mask
        }
        return index
    }

    private func home(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> shift) }

    /// Puts a new key at a free slot and returns where it lies, which is elsewhere when the table had to grow.
    @inline(never)
    private func add(_ key: UInt64, at slot: Int) -> Int {
        entries[slot].key = key
        used += 1
        if used * 4 <= (mask + 1) * 3 { return slot }
        let old = entries
        let oldCapacity = mask + 1
        entries = Self.emptyEntries(oldCapacity * 2)
        mask = oldCapacity * 2 - 1
        shift -= 1
        for index in 0..<oldCapacity where old[index].key != 0 { entries[free(for: old[index].key)] = old[index] }
        old.deallocate()
        var index = home(key)
        while entries[index].key != key { index = (index + 1) & mask }
        return index
    }

    private func free(for key: UInt64) -> Int {
        var index = home(key)
        while entries[index].key != 0 { index = (index + 1) & mask }
        return index
    }

    /// What was counted, by cell and thread; cells are the ledger's. O(table log table).
    func finish() -> CountedFlows {
        var flows: [CountedFlows.Flow] = []
        flows.reserveCapacity(used)
        for index in 0...mask where entries[index].key != 0 && entries[index].blocks != 0 {
            let entry = entries[index]
            flows.append(
                CountedFlows.Flow(
                    cell: Int(entry.key >> 32) - 1, thread: Int(entry.key & 0xFFFF_FFFF), blocks: entry.blocks,
                    bytes: entry.bytes, blockVariance: entry.blockVariance, byteVariance: entry.byteVariance))
        }
        flows.sort { ($0.cell, $0.thread) < ($1.cell, $1.thread) }
        return CountedFlows(flows: flows, unplaced: unplaced)
    }
}

/// Flows between threads as the pass counted them, in the profile's units.
struct CountedFlows: Sendable {
    /// Blocks of one cell that one other thread freed.
    struct Flow: Sendable {
        /// Index into ``HeapProfile/cells``, which tells the thread that allocated.
        var cell: Int
        /// Serial of the thread that freed.
        var thread: Int
        var blocks: Int
        var bytes: Int
        /// Of sampled traces: the variances of the two.
        var blockVariance: Double
        var byteVariance: Double
    }

    /// By cell, then thread.
    var flows: [Flow] = []
    /// Blocks of which the freeing thread is not known.
    var unplaced = 0

    /// Gives every cell the sums of what other threads freed of it.
    /// - Parameter places: the index of each of the ledger's cells in `cells`, which leaves out those that nothing is left in.
    mutating func add(to cells: inout [ProfileCell], places: [Int?]) {
        flows = flows.compactMap { flow in
            guard let place = places[flow.cell] else { return nil }
            var flow = flow
            flow.cell = place
            return flow
        }
        for index in cells.indices {
            cells[index].figures.elsewhere = 0
            cells[index].figures.elsewhereBytes = 0
        }
        for flow in flows {
            cells[flow.cell].figures.elsewhere? &+= flow.blocks
            cells[flow.cell].figures.elsewhereBytes? &+= flow.bytes
        }
    }
}
