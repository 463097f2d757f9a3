// What the pass does with events that are out of order (OrderRepair.swift): an ALLOC at an address that is live, a FREE whose block is closed already,
// a FREE before its ALLOC, a FREE of what nobody knows. None of it is on the way of an ordinary event.

extension HeapLedger {
    @inline(never)
    mutating func closeReused(slot: Int, by block: LiveBlock, thread: UInt32) {
        let old = blocks[slot]
        blocks.replace(slot: slot, with: block)
        if Observer.isActive { tellFreed(old, at: block.time, by: thread, isRepaired: true) }
        close(old, at: block.time, amount: blockUnits(old.weight))
        repair.owe(
            OrderRepair.OwedFree(cell: old.cell, weight: old.weight, event: events), at: block.address,
            liveThread: thread)
    }

    @inline(never)
    mutating func settle(
        _ owed: OrderRepair.OwedFree, state: UnsafeMutablePointer<ThreadCounts>, isTemporary: Bool
    ) {
        let amount = blockUnits(owed.weight)
        state.pointee.frees &+= amount
        frees &+= amount
        if isTemporary { countTemporary(cell: owed.cell, amount: amount, weight: owed.weight) }
    }

    /// Closes a block whose FREE was read before its ALLOC. It was never live, so no peak sees it.
    @inline(never)
    mutating func closeFreedEarly(_ block: LiveBlock, by free: OrderRepair.EarlyFree) {
        let amount = blockUnits(block.weight)
        liveBytes &+= sizeUnits(block.size, block.weight)
        if Observer.isActive {
            tellFreed(block, at: block.time, by: free.thread, isRepaired: true, wasNeverLive: true)
        }
        close(block, at: block.time, amount: amount)
        // The FREE was counted as one block when it was read; a sample stands for `amount`.
        frees &+= amount &- units.blocks
        threads.states[threads.index(of: free.thread)].frees &+= amount &- units.blocks
    }

    @inline(never)
    mutating func freeUnknown(
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
