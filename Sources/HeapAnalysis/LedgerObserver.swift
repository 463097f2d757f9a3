// What the pass tells whoever watches it: the one place where analyses that need the order of events hang on to the ledger.
// The ledger is generic over its observer. `NoObserver` says so by a constant, and every call to it is compiled away: a report that asks for
// nothing but sums pays nothing. All trackers of views share the second specialisation, `PassTrackers`.
//
// Calls come in the order of the ledger's own bookkeeping: `allocated` after the block is live and counted, `freed` before the cell forgets it
// (the block's cell is still there; cells never go). All that an observer can change in the ledger is what `settled` says: in which cell a block is
// counted whose cause only later events tell.

/// An allocation as the pass sees it.
struct ObservedAllocation {
    /// The block: address, size, time, its cell's number and, in sampled traces, its weight.
    var block: LiveBlock
    /// The call stack's id in its image, 0 when none was recorded.
    var stack: UInt32
    /// Serial of the thread that allocated.
    var thread: UInt32
    /// Id of the runtime type, 0 for none.
    var type: UInt64
    /// The trace's alignment code, 0 for malloc's own.
    var alignment: UInt8
    /// Whether it is the second half of a `realloc` pair; the first half was told as a free just before it in its thread.
    var isReallocation: Bool
    /// Usable bytes less bytes asked for; `UsableSizes.unknown` where the trace does not tell.
    var slack: Int
    /// How many peaks there were before it.
    var peakNumber: Int
}

/// The end of a block as the pass sees it.
struct ObservedFree {
    /// The block that ends.
    var block: LiveBlock
    /// What its allocation was counted under: its stack and type always, size and thread where the options keep them apart.
    var origin: CellKey
    /// Time of the end, in ticks.
    var time: UInt64
    /// Serial of the thread that freed; of the thread that allocated the address anew when `isRepaired`.
    var thread: UInt32
    /// Whether it is the first half of a `realloc` pair.
    var isReallocation: Bool
    /// Whether it was the next event of the thread that allocated the block.
    var isTemporary: Bool
    /// Whether the FREE was read out of order: not yet, or before its ALLOC (see OrderRepair). Time and thread are then the nearest known ones.
    var isRepaired: Bool
    /// Whether it was read before its ALLOC: the block was told as allocated just now, and was never live.
    var wasNeverLive = false
}

/// Watches a pass.
protocol LedgerObserver {
    /// Whether it wants to be told anything; a constant.
    static var isActive: Bool { get }
    /// A block became live.
    mutating func allocated(_ allocation: ObservedAllocation)
    /// A block ended. Called once for every block that ends within the trace.
    mutating func freed(_ free: ObservedFree)
    /// The block of the last `freed` is counted in another cell than that call said, for what was settled with it.
    mutating func recounted(_ free: ObservedFree, in cell: UInt32)
    /// A FREE of an address at which nothing is known to live.
    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32)
    /// The pass has come to its end.
    mutating func finish()
    /// Blocks to count apart from now on, as if their allocations had been counted so; the ledger empties it after each call. Never in sampled traces.
    var settled: [SettledBlock] { get set }
    /// Whether there are any.
    var hasSettled: Bool { get }
}

extension LedgerObserver {
    /// Nothing, for those who settle nothing or keep nothing by cells.
    @inline(__always)
    mutating func recounted(_ free: ObservedFree, in cell: UInt32) {}
}

/// Nobody watches.
struct NoObserver: LedgerObserver {
    static var isActive: Bool {
        @inline(__always) get { false }
    }
    @inline(__always)
    mutating func allocated(_ allocation: ObservedAllocation) {}
    @inline(__always)
    mutating func freed(_ free: ObservedFree) {}
    @inline(__always)
    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {}
    @inline(__always)
    mutating func finish() {}
    var settled: [SettledBlock] {
        @inline(__always) get { [] }
        @inline(__always) set {}
    }
    var hasSettled: Bool {
        @inline(__always) get { false }
    }
}
