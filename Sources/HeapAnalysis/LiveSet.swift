// The blocks that are live at a time, by a replay of the events up to it: what a checkpoint of a trace holds. Orders events as the ledger does
// (OrderRepair), and keeps of each block all that its allocation said.
package import TraceReader

/// The live blocks of one image, brought up to date event by event.
package struct LiveSet: ~Copyable {
    private struct Details {
        var typeID: UInt64
        var weight: Double
        var stack: StackID
        var thread: ThreadSerial
        var alignmentCode: UInt8
    }

    private var blocks = LiveBlockTable()
    // By the cell of a live block, which here is the number of its details.
    private var details: [Details] = []
    private var spare: [UInt32] = []
    private var repair: OrderRepair
    /// Allocations taken so far.
    package private(set) var allocations: UInt64 = 0
    /// Frees taken so far.
    package private(set) var frees: UInt64 = 0

    /// No block.
    /// - Parameter hasLosses: whether events of the trace were lost, so that a FREE that is late may never come.
    package init(hasLosses: Bool) {
        repair = OrderRepair(window: hasLosses ? 0 : LedgerOptions().repairWindow)
    }

    /// How many blocks are live.
    package var count: Int { blocks.count }

    /// Whether no event waits for another one that should have come before it: a replay that starts here needs to know the blocks alone.
    package var isSettled: Bool { repair.isIdle }

    /// Takes the next event. Expected O(1).
    package mutating func take(_ event: HeapEvent) {
        let number = allocations &+ frees &+ 1
        if !repair.isIdle { repair.expire(at: number) }
        switch event.kind {
        case .allocation:
            allocations &+= 1
            allocate(event, number)
        case .free:
            frees &+= 1
            free(event, number)
        }
    }

    private mutating func allocate(_ event: HeapEvent, _ number: UInt64) {
        let thread = event.thread.rawValue
        if !repair.isIdle, repair.takeEarly(event.address, for: thread, at: event.time) != nil { return }
        let block = LiveBlock(
            address: event.address, size: event.size, time: event.time, cell: keep(event), weight: Float(event.weight))
        if let slot = blocks.insert(block) {
            let old = blocks[slot]
            blocks.replace(slot: slot, with: block)
            spare.append(old.cell)
            repair.owe(
                OrderRepair.OwedFree(cell: old.cell, weight: old.weight, event: number), at: event.address,
                liveThread: thread)
        } else if !repair.isIdle {
            repair.allocated(event.address, by: thread)
        }
    }

    private mutating func free(_ event: HeapEvent, _ number: UInt64) {
        let thread = event.thread.rawValue
        let found = blocks.slot(of: event.address)
        if !repair.isIdle, repair.settle(event.address, by: thread, isLive: found != nil) != nil { return }
        guard let slot = found else {
            return repair.keep(
                OrderRepair.EarlyFree(thread: thread, time: event.time, event: number), at: event.address)
        }
        spare.append(blocks[slot].cell)
        blocks.remove(slot: slot)
    }

    private mutating func keep(_ event: HeapEvent) -> UInt32 {
        let kept = Details(
            typeID: event.typeID, weight: event.weight, stack: event.stack, thread: event.thread,
            alignmentCode: event.alignmentCode)
        if let number = spare.popLast() {
            details[Int(number)] = kept
            return number
        }
        details.append(kept)
        return UInt32(details.count - 1)
    }

    /// The live blocks by address. O(n log n).
    package func sortedBlocks() -> [CheckpointBlock] {
        var result: [CheckpointBlock] = []
        result.reserveCapacity(blocks.count)
        blocks.forEach { block in
            let kept = details[Int(block.cell)]
            result.append(
                CheckpointBlock(
                    address: block.address, size: block.size, time: block.time, typeID: kept.typeID,
                    weight: kept.weight, stack: kept.stack, thread: kept.thread, alignmentCode: kept.alignmentCode))
        }
        return result.sorted { $0.address < $1.address }
    }
}
