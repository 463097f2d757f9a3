// The one-pass engine: events in time order go in, sums per cell come out. Memory grows with live blocks and distinct cells, never with events.
// Peak by cell needs one pass too: before a cell's live bytes change for the first time after the last peak, the value the peak saw is kept,
// so at the end every cell knows what it had live at the trace's peak and the rows sum to the whole.
// A plain value with one owner; it reads no file and never traps on what a file may contain. Analyses that need the order of events watch
// the pass as its observer (LedgerObserver.swift); without one the calls are compiled away.

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

struct HeapLedger<Observer: LedgerObserver>: ~Copyable {
    /// Who watches the pass.
    private(set) var observer: Observer
    /// What the sums are counted in.
    let units: SumUnits
    let options: LedgerOptions

    private(set) var cells = CellTable()
    private(set) var lifetimes = LifetimeTable()
    private(set) var threads = ThreadTable()
    private(set) var repair: OrderRepair
    private(set) var freedTypes = FreedTypes()
    /// Of the cells, by their numbers; empty unless the trace is sampled.
    private(set) var variances: [SampleVariance] = []
    private var blocks = LiveBlockTable()
    private var usable: UsableSizes

    /// Events so far: allocations and frees.
    private(set) var events: UInt64 = 0
    /// ALLOC events: in a sampled trace the samples.
    private(set) var samples = 0
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

    init(
        options: LedgerOptions = LedgerOptions(), observer: Observer,
        usable: @escaping UsableSizes.Lookup = { _, _ in nil }
    ) {
        self.options = options
        self.observer = observer
        self.usable = UsableSizes(lookup: usable)
        units = options.isSampled ? .sampled : .whole
        repair = OrderRepair(window: options.repairWindow)
    }

    /// Sizes beyond this are no real requests; they are counted as this, so that sums cannot run over.
    private static var largestSize: UInt64 { 1 << 47 }

    /// What an allocation of this weight adds to sums of blocks.
    @inline(__always)
    private func blockUnits(_ weight: Float) -> Int { options.isSampled ? units.blocks(weight: weight) : 1 }

    /// What it adds to sums of something of which it has `amount` bytes.
    @inline(__always)
    private func byteUnits(_ amount: Int, _ weight: Float) -> Int {
        options.isSampled ? units.bytes(amount, weight: weight) : amount
    }

    /// What it adds to sums of bytes asked for.
    @inline(__always)
    private func sizeUnits(_ size: UInt64, _ weight: Float) -> Int {
        byteUnits(Int(truncatingIfNeeded: min(size, Self.largestSize)), weight)
    }

    /// What a cell's key says of the size, where sizes are kept apart.
    @inline(__always)
    private func sizePart(_ size: UInt64, _ alignment: UInt8, _ stack: UInt32, _ type: UInt64) -> UInt64 {
        if let sized = options.sizedStacks, !sized.contains(stack: stack, type: type) { return 0 }
        return CellKey.sizePart(min(size, Self.largestSize), alignmentCode: alignment)
    }

    @inline(__always)
    private mutating func count(_ time: UInt64) {
        events &+= 1
        if firstTime == nil { firstTime = time }
        if time > lastTime { lastTime = time }
        if !repair.isIdle { repair.expire(at: events) }
    }

    /// Fetches the tags of the table of live blocks that an event about `address` will need; to be called many events ahead.
    @inline(__always)
    func prefetchTags(_ address: UInt64) { blocks.prefetchTags(address) }

    /// Fetches the slot of the block at `address`, whose tags must be there already.
    @inline(__always)
    func prefetchBlock(_ address: UInt64) { blocks.prefetchSlot(address) }

    /// Fetches the cell that an allocation will be counted in.
    @inline(__always)
    func prefetchCell(stack: UInt32) { cells.prefetch(stack: stack) }

    /// Fetches the cell that the block at `address` was counted in, whose slot must be there already.
    @inline(__always)
    func prefetchCell(ofBlockAt address: UInt64) {
        if let cell = blocks.likelyCell(of: address) { cells.prefetch(number: cell) }
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
        let amount = blockUnits(weight)
        let weighed = sizeUnits(size, weight)
        let number = cells.cell(
            for: CellKey(
                stack: stack, thread: options.byThread ? thread : 0,
                size: options.bySize ? sizePart(size, alignment, stack, type) : 0, type: type))

        let index = threads.index(of: thread)  // first: it may move the states
        let state = threads.states + index
        state.pointee.allocations &+= amount
        state.pointee.bytes &+= weighed
        state.pointee.lastAllocation = address
        state.pointee.lastAllocationTime = time
        allocations &+= amount
        samples &+= 1
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
            cell.pointee.slackBytes &+= byteUnits(slack, weight)
        } else {
            cell.pointee.withoutSlack &+= amount
        }
        if options.isSampled { addVariance(number, size, weight) }

        if Observer.isActive {
            observer.allocated(
                ObservedAllocation(
                    block: block, stack: stack, thread: thread, type: type, alignment: alignment,
                    isReallocation: isReallocation, slack: slack, peakNumber: peakNumber))
            if observer.hasSettled { _ = countApart(ending: block) }
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
    /// - Parameter isFreedNext: whether the trace says that the block was freed next, read in sampled traces only; in others the order of events
    ///   tells.
    @inline(__always)
    mutating func free(
        address: UInt64, thread: UInt32, time: UInt64, isFreedNext: Bool = false, isReallocation: Bool = false
    ) {
        count(time)
        let index = threads.index(of: thread)  // first: it may move the states
        let state = threads.states + index
        let isTemporary = options.isSampled ? isFreedNext : state.pointee.lastAllocation == address
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
        var block = blocks[slot]
        blocks.remove(slot: slot)
        let amount = blockUnits(block.weight)
        state.pointee.frees &+= amount
        frees &+= amount
        let isOwnLast = isTemporary && (options.isSampled || block.time == state.pointee.lastAllocationTime)
        if Observer.isActive {
            let told = tellFreed(block, at: time, by: thread, isReallocation: isReallocation, isTemporary: isOwnLast)
            if observer.hasSettled {
                block = countApart(ending: block)
                if block.cell != told.block.cell { observer.recounted(told, in: block.cell) }
            }
        }
        close(block, at: time, amount: amount)
        if isOwnLast { countTemporary(cell: block.cell, amount: amount, weight: block.weight) }
    }

    /// Takes what a block says of its type as it is freed; to be called before `free`. Expected O(1).
    mutating func noteType(ofFreed address: UInt64, _ type: UInt64) {
        guard let slot = blocks.slot(of: address) else { return }
        freedTypes.note(cells.cells[Int(blocks[slot].cell)].key, type)
    }

    /// Says how many events came before the blocks that the pass began with.
    mutating func setPast(allocations: Int, frees: Int) {
        self.allocations = allocations
        self.frees = frees
        events = UInt64(clamping: allocations &+ frees)
    }

    /// Ends the pass: FREEs still owed are missing for good.
    mutating func finish() {
        repair.finish()
        lifetimes.flush()
        guard Observer.isActive else { return }
        observer.finish()
        if observer.hasSettled {
            _ = countApart(ending: LiveBlock(address: 0, size: 0, time: 0, cell: .max, weight: 0))
        }
    }

    /// Delivers every block that is live now, in no order that means anything. O(live blocks).
    func forEachLive(_ body: (LiveBlock) -> Void) { blocks.forEach(body) }

    @inline(__always)
    @discardableResult
    private mutating func tellFreed(
        _ block: LiveBlock, at time: UInt64, by thread: UInt32, isReallocation: Bool = false, isTemporary: Bool = false,
        isRepaired: Bool = false
    ) -> ObservedFree {
        let free = ObservedFree(
            block: block, origin: cells.cells[Int(block.cell)].key, time: time, thread: thread,
            isReallocation: isReallocation, isTemporary: isTemporary, isRepaired: isRepaired)
        observer.freed(free)
        return free
    }

    /// Counts blocks apart of which the observer says so.
    /// - Parameter block: one that is no longer in the table, but still counted as live.
    /// - Returns: that block, with the cell that it is counted in now.
    @inline(never)
    private mutating func countApart(ending block: LiveBlock) -> LiveBlock {
        var block = block
        for told in observer.settled {
            var moved = told.block
            let slot = moved.isSame(as: block) ? nil : blocks.slot(of: moved.address)
            guard slot.map({ blocks[$0].isSame(as: moved) }) ?? moved.isSame(as: block) else { continue }
            let amount = BlockAmount(
                bytes: sizeUnits(moved.size, moved.weight), slack: told.slack,
                wasAtPeak: peakNumber > told.peakNumber)
            moved.cell = cells.move(amount, from: moved.cell, to: told.cause, peak: peakNumber)
            if let slot { blocks.replace(slot: slot, with: moved) } else { block = moved }
        }
        observer.settled = []
        return block
    }

    @inline(__always)
    private mutating func close(_ block: LiveBlock, at time: UInt64, amount: Int) {
        let weighed = sizeUnits(block.size, block.weight)
        let cell = cells.cells + Int(block.cell)
        cell.pointee.keepPeak(peakNumber)
        cell.pointee.frees &+= amount
        cell.pointee.liveBlocks &-= amount
        cell.pointee.liveBytes &-= weighed
        liveBytes &-= weighed
        if options.isSampled {
            variances[Int(block.cell)].free(
                weight: block.weight, size: block.size, peak: peakNumber, isEmpty: cell.pointee.liveBlocks == 0)
        }
        lifetimes.add(cell: block.cell, ticks: time > block.time ? time &- block.time : 0, count: amount)
    }

    @inline(__always)
    private mutating func countTemporary(cell: UInt32, amount: Int, weight: Float) {
        cells.cells[Int(cell)].temporary &+= amount
        temporary &+= amount
        if options.isSampled { variances[Int(cell)].free(asTemporaryOfWeight: weight) }
    }

    @inline(never)
    private mutating func addVariance(_ cell: UInt32, _ size: UInt64, _ weight: Float) {
        while variances.count <= Int(cell) { variances.append(SampleVariance()) }
        variances[Int(cell)].allocate(weight: weight, size: min(size, Self.largestSize), peak: peakNumber)
    }

    @inline(never)
    private mutating func closeReused(slot: Int, by block: LiveBlock, thread: UInt32) {
        let old = blocks[slot]
        blocks.replace(slot: slot, with: block)
        if Observer.isActive { tellFreed(old, at: block.time, by: thread, isRepaired: true) }
        close(old, at: block.time, amount: blockUnits(old.weight))
        repair.owe(
            OrderRepair.OwedFree(cell: old.cell, weight: old.weight, event: events), at: block.address,
            liveThread: thread)
    }

    @inline(never)
    private mutating func settle(
        _ owed: OrderRepair.OwedFree, state: UnsafeMutablePointer<ThreadCounts>, isTemporary: Bool
    ) {
        let amount = blockUnits(owed.weight)
        state.pointee.frees &+= amount
        frees &+= amount
        if isTemporary { countTemporary(cell: owed.cell, amount: amount, weight: owed.weight) }
    }

    /// Closes a block whose FREE was read before its ALLOC. It was never live, so no peak sees it.
    @inline(never)
    private mutating func closeFreedEarly(_ block: LiveBlock, by free: OrderRepair.EarlyFree) {
        let amount = blockUnits(block.weight)
        liveBytes &+= sizeUnits(block.size, block.weight)
        if Observer.isActive { tellFreed(block, at: block.time, by: free.thread, isRepaired: true) }
        close(block, at: block.time, amount: amount)
        // The FREE was counted as one block when it was read; a sample stands for `amount`.
        frees &+= amount &- units.blocks
        threads.states[threads.index(of: free.thread)].frees &+= amount &- units.blocks
    }

    @inline(never)
    private mutating func freeUnknown(
        _ address: UInt64, at time: UInt64, state: UnsafeMutablePointer<ThreadCounts>
    ) {
        state.pointee.frees &+= units.blocks
        frees &+= units.blocks
        if Observer.isActive {
            observer.freedUnknown(address: address, time: time, thread: state.pointee.serial)
        }
        repair.keep(OrderRepair.EarlyFree(thread: state.pointee.serial, time: time, event: events), at: address)
    }

    /// FREEs of addresses at which no block was known; final after ``finish()``.
    var unmatchedFrees: Int { options.isForkedChild ? 0 : repair.unmatched }
    /// FREEs, in a forked child, of blocks that its parent allocated; final after ``finish()``.
    var inheritedFrees: Int { options.isForkedChild ? repair.unmatched : 0 }
}
