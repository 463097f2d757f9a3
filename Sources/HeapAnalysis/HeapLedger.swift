// The one-pass engine: events in time order go in, sums per cell come out. Memory grows with live blocks and distinct cells, never with events.
// Peak by cell needs one pass too: before a cell's live bytes change for the first time after the last peak, the value the peak saw is kept,
// so at the end every cell knows what it had live at the trace's peak and the rows sum to the whole.
// A plain value with one owner; it reads no file and never traps on what a file may contain.

/// What the pass keeps apart and how it reads the trace.
struct LedgerOptions {
    /// Cells are kept by size too.
    var bySize = false
    /// Cells are kept by allocating thread too.
    var byThread = false
    /// Events carry weights.
    var isSampled = false
    /// The process is a forked child: frees of unknown blocks are of inherited ones.
    var isForkedChild = false
    /// Events to wait for the FREE of a block whose address was allocated again; 0 when the trace has lost events, for then it may never come.
    var repairWindow: UInt64 = 65_536
}

struct HeapLedger: ~Copyable {
    /// A sampled trace counts in 1/1024 of a block, so that fractional weights add up; an exact one in blocks.
    let unitsPerBlock: Int
    let options: LedgerOptions

    private(set) var cells = CellTable()
    private(set) var lifetimes = LifetimeTable()
    private(set) var threads = ThreadTable()
    private(set) var repair: OrderRepair
    private var blocks = LiveBlockTable()
    private var usable: UsableSizes

    /// Events so far: allocations and frees.
    private(set) var events: UInt64 = 0
    private(set) var allocations = 0
    private(set) var frees = 0
    private(set) var bytes = 0
    private(set) var liveBytes = 0
    private(set) var peakBytes = 0
    private(set) var peakTime: UInt64 = 0
    private(set) var peakNumber = 0
    private(set) var reallocations = 0
    private(set) var temporary = 0
    private(set) var firstTime: UInt64?
    private(set) var lastTime: UInt64 = 0

    init(options: LedgerOptions = LedgerOptions(), usable: @escaping UsableSizes.Lookup = { _, _ in nil }) {
        self.options = options
        self.usable = UsableSizes(lookup: usable)
        unitsPerBlock = options.isSampled ? 1024 : 1
        repair = OrderRepair(window: options.repairWindow)
    }

    /// Sizes beyond this are no real requests; they are counted as this, so that sums cannot run over.
    private static let largestSize: UInt64 = 1 << 47

    @inline(__always)
    private func units(_ weight: Float) -> Int {
        options.isSampled ? Self.sampledUnits(weight) : 1
    }

    @inline(never)
    private static func sampledUnits(_ weight: Float) -> Int {
        guard weight.isFinite, weight > 0 else { return 1024 }
        return Int((Double(min(weight, 1e9)) * 1024).rounded())
    }

    @inline(__always)
    private mutating func count(_ time: UInt64) {
        events &+= 1
        if firstTime == nil { firstTime = time }
        if time > lastTime { lastTime = time }
        if !repair.isIdle { repair.expire(at: events) }
    }

    /// Takes an ALLOC. Expected O(1).
    /// - Parameters:
    ///   - time: ticks of the trace's clock.
    ///   - alignment: the trace's alignment code, 0 for malloc's own.
    ///   - weight: the allocations this one stands for, read in sampled traces only.
    ///   - isReallocation: whether it is the second half of a `realloc` pair.
    @inline(__always)
    mutating func allocate(
        address: UInt64, size: UInt64, stack: UInt32, thread: UInt32, time: UInt64, alignment: UInt8 = 0,
        type: UInt64 = 0, weight: Float = 1, isReallocation: Bool = false
    ) {
        count(time)
        let amount = units(weight)
        let weighed = Int(truncatingIfNeeded: min(size, Self.largestSize)) &* amount
        let number = cells.cell(
            for: CellKey(
                stack: stack, thread: options.byThread ? thread : 0, size: options.bySize ? size : 0, type: type))

        let index = threads.index(of: thread)  // first: it may move the states
        let state = threads.states + index
        state.pointee.allocations &+= amount
        state.pointee.bytes &+= weighed
        state.pointee.lastAllocation = address
        state.pointee.lastAllocationTime = time
        allocations &+= amount
        bytes &+= weighed
        if isReallocation { reallocations &+= amount }

        let block = LiveBlock(address: address, size: size, time: time, cell: number, weight: weight)
        // A block whose FREE was read already never lives in the table; what does live at its address stays.
        let earlyFree = repair.isIdle ? nil : repair.takeEarly(address, for: thread, at: time)
        if earlyFree == nil {
            if let slot = blocks.insert(block) {
                closeReused(slot: slot, by: block, thread: thread)
            } else if !repair.isIdle {
                repair.allocated(address, by: thread)
            }
        }

        let cell = cells.cells + Int(number)
        cell.pointee.keepPeak(peakNumber)
        cell.pointee.allocations &+= amount
        cell.pointee.bytes &+= weighed
        cell.pointee.liveBlocks &+= amount
        cell.pointee.liveBytes &+= weighed
        let slack = usable.slack(size: size, alignmentCode: alignment)
        if slack >= 0 {
            cell.pointee.slackBytes &+= slack &* amount
        } else {
            cell.pointee.withoutSlack &+= amount
        }

        if let earlyFree {
            closeFreedEarly(block, by: earlyFree)
            return
        }
        liveBytes &+= weighed
        if liveBytes > peakBytes {
            peakBytes = liveBytes
            peakTime = time
            peakNumber &+= 1
        }
    }

    /// Takes a FREE. Expected O(1).
    @inline(__always)
    mutating func free(address: UInt64, thread: UInt32, time: UInt64) {
        count(time)
        let index = threads.index(of: thread)  // first: it may move the states
        let state = threads.states + index
        let isTemporary = state.pointee.lastAllocation == address
        state.pointee.lastAllocation = ThreadCounts.noAllocation

        let found = blocks.slot(of: address)
        if !repair.isIdle, let owed = repair.settle(address, by: thread, isLive: found != nil) {
            settle(owed, state: state, isTemporary: isTemporary)
            return
        }
        guard let slot = found else {
            freeUnknown(address, at: time, state: state)
            return
        }
        let block = blocks[slot]
        blocks.remove(slot: slot)
        let amount = units(block.weight)
        state.pointee.frees &+= amount
        frees &+= amount
        close(block, at: time, amount: amount)
        if isTemporary, block.time == state.pointee.lastAllocationTime {
            countTemporary(cell: block.cell, amount: amount)
        }
    }

    /// Ends the pass: FREEs still owed are missing for good.
    mutating func finish() { repair.finish() }

    @inline(__always)
    private mutating func close(_ block: LiveBlock, at time: UInt64, amount: Int) {
        let weighed = Int(truncatingIfNeeded: min(block.size, Self.largestSize)) &* amount
        let cell = cells.cells + Int(block.cell)
        cell.pointee.keepPeak(peakNumber)
        cell.pointee.frees &+= amount
        cell.pointee.liveBlocks &-= amount
        cell.pointee.liveBytes &-= weighed
        liveBytes &-= weighed
        lifetimes.add(cell: block.cell, ticks: time > block.time ? time &- block.time : 0, count: amount)
    }

    @inline(__always)
    private mutating func countTemporary(cell: UInt32, amount: Int) {
        cells.cells[Int(cell)].temporary &+= amount
        temporary &+= amount
    }

    @inline(never)
    private mutating func closeReused(slot: Int, by block: LiveBlock, thread: UInt32) {
        let old = blocks[slot]
        blocks.replace(slot: slot, with: block)
        close(old, at: block.time, amount: units(old.weight))
        repair.owe(
            OrderRepair.OwedFree(cell: old.cell, weight: old.weight, event: events), at: block.address,
            liveThread: thread)
    }

    @inline(never)
    private mutating func settle(
        _ owed: OrderRepair.OwedFree, state: UnsafeMutablePointer<ThreadCounts>, isTemporary: Bool
    ) {
        let amount = units(owed.weight)
        state.pointee.frees &+= amount
        frees &+= amount
        if isTemporary { countTemporary(cell: owed.cell, amount: amount) }
    }

    /// Closes a block whose FREE was read before its ALLOC. It was never live, so no peak sees it.
    @inline(never)
    private mutating func closeFreedEarly(_ block: LiveBlock, by free: OrderRepair.EarlyFree) {
        let amount = units(block.weight)
        liveBytes &+= Int(truncatingIfNeeded: min(block.size, Self.largestSize)) &* amount
        close(block, at: block.time, amount: amount)
        // The FREE was counted as one block when it was read; a sample stands for `amount`.
        frees &+= amount &- unitsPerBlock
        threads.states[threads.index(of: free.thread)].frees &+= amount &- unitsPerBlock
    }

    @inline(never)
    private mutating func freeUnknown(
        _ address: UInt64, at time: UInt64, state: UnsafeMutablePointer<ThreadCounts>
    ) {
        state.pointee.frees &+= unitsPerBlock
        frees &+= unitsPerBlock
        repair.keep(OrderRepair.EarlyFree(thread: state.pointee.serial, time: time, event: events), at: address)
    }

    /// FREEs of addresses at which no block was known; final after ``finish()``.
    var unmatchedFrees: Int { options.isForkedChild ? 0 : repair.unmatched }
    /// FREEs, in a forked child, of blocks that its parent allocated; final after ``finish()``.
    var inheritedFrees: Int { options.isForkedChild ? repair.unmatched : 0 }
}
