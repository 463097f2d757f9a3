// The one-pass engine: events in time order go in, sums per cell come out. Memory grows with live blocks and distinct cells, never with events.
// Peak by cell needs one pass too: before a cell's live bytes change for the first time after the last peak, the value the peak saw is kept,
// so at the end every cell knows what it had live at the trace's peak and the rows sum to the whole.
// A plain value with one owner; it reads no file and never traps on what a file may contain. Analyses that need the order of events watch
// the pass as its observer (LedgerObserver.swift); without one the calls are compiled away. Events out of order: HeapLedger+Repair.swift.

struct HeapLedger<Observer: LedgerObserver>: ~Copyable {
    /// Who watches the pass.
    var observer: Observer
    /// What the sums are counted in.
    let units: SumUnits
    let options: LedgerOptions

    private(set) var cells = CellTable()
    private(set) var lifetimes = LifetimeTable()
    var threads = ThreadTable()
    var repair: OrderRepair
    private(set) var freedTypes = FreedTypes()
    /// Of the cells, by their numbers; empty unless the trace is sampled.
    private(set) var variances: [SampleVariance] = []
    var blocks = LiveBlockTable()
    private var usable: UsableSizes

    /// Events so far: allocations and frees.
    private(set) var events: UInt64 = 0
    /// ALLOC events: in a sampled trace the samples.
    private(set) var samples = 0
    private(set) var allocations = 0
    var frees = 0
    private(set) var bytes = 0
    var liveBytes = 0
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
    func blockUnits(_ weight: Float) -> Int { options.isSampled ? units.blocks(weight: weight) : 1 }

    /// What it adds to sums of something of which it has `amount` bytes.
    @inline(__always)
    private func byteUnits(_ amount: Int, _ weight: Float) -> Int {
        options.isSampled ? units.bytes(amount, weight: weight) : amount
    }

    /// What it adds to sums of bytes asked for.
    @inline(__always)
    func sizeUnits(_ size: UInt64, _ weight: Float) -> Int {
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

        // Put together where it is needed only; see LiveBlockTable.insert.
        var block: LiveBlock { LiveBlock(address: address, size: size, time: time, cell: number, weight: weight) }
        // A block whose FREE was read already never lives in the table; what does live at its address stays.
        let earlyFree = repair.isIdle ? nil : repair.takeEarly(address, for: thread, at: time)
        if earlyFree == nil {
            if let slot = blocks.insert(address: address, size: size, time: time, cell: number, weight: weight) {
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
    mutating func tellFreed(
        _ block: LiveBlock, at time: UInt64, by thread: UInt32, isReallocation: Bool = false, isTemporary: Bool = false,
        isRepaired: Bool = false, wasNeverLive: Bool = false
    ) -> ObservedFree {
        let free = ObservedFree(
            block: block, origin: cells.cells[Int(block.cell)].key, time: time, thread: thread,
            isReallocation: isReallocation, isTemporary: isTemporary, isRepaired: isRepaired,
            wasNeverLive: wasNeverLive)
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
    mutating func close(_ block: LiveBlock, at time: UInt64, amount: Int) {
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
    mutating func countTemporary(cell: UInt32, amount: Int, weight: Float) {
        cells.cells[Int(cell)].temporary &+= amount
        temporary &+= amount
        if options.isSampled { variances[Int(cell)].free(asTemporaryOfWeight: weight) }
    }

    @inline(never)
    private mutating func addVariance(_ cell: UInt32, _ size: UInt64, _ weight: Float) {
        while variances.count <= Int(cell) { variances.append(SampleVariance()) }
        variances[Int(cell)].allocate(weight: weight, size: min(size, Self.largestSize), peak: peakNumber)
    }
}
