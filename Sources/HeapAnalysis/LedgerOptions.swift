// What a pass over the events is asked for: the parts of a cell's key, and what to make of events that are out of order.

/// What the pass keeps apart and how it reads the trace.
struct LedgerOptions {
    /// Cells are kept by size and alignment too.
    var bySize = false
    /// With `bySize`: only the cells of these stacks are.
    var sizedStacks: SizedStacks?
    /// Cells are kept by allocating thread too.
    var byThread = false
    /// Events carry weights.
    var isSampled = false
    /// The process is a forked child: frees of unknown blocks are of inherited ones.
    var isForkedChild = false
    /// Events to wait for the FREE of a block whose address was allocated again; 0 when the trace has lost events, for then it may never come.
    var repairWindow: UInt64 = 65_536

    /// Whether a cell's key tells its size.
    func keepsSize(of key: CellKey) -> Bool {
        bySize && sizedStacks?.contains(stack: key.stack, type: key.type) != false
    }
}
