// Events whose stamps are tied or inverted: an ALLOC that is read before the FREE that made its address free.
@testable import HeapAnalysis
import Testing

@Suite struct OrderRepairTests {
    @Test func anAllocationReadBeforeTheFreeOfItsAddressLosesNothing() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
            .allocate(0x10, size: 40, stack: 2, thread: 2, at: 5),  // stamped before the FREE that it needs
            .free(0x10, thread: 1, at: 5),
            .free(0x10, thread: 2, at: 9),
        ]) { ledger in
            #expect(ledger.allocations == 2)
            #expect(ledger.frees == 2)
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
            #expect(ledger.liveBytes == 0)
            #expect(ledger.figures(stack: 1).frees == 1)
            #expect(ledger.figures(stack: 2).frees == 1)
        }
    }

    @Test func thePeakDoesNotCountTheDeadBlockOfAnInvertedPair() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
            .allocate(0x10, size: 100, stack: 2, thread: 2, at: 5), .free(0x10, thread: 1, at: 5),
        ]) { #expect($0.peakBytes == 100) }
    }

    @Test func aThreadThatFreesWhatItJustAllocatedFreesItsOwnBlock() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
            .allocate(0x10, size: 40, stack: 2, thread: 2, at: 5),
            .free(0x10, thread: 2, at: 6),  // program order: thread 2's own block
            .free(0x10, thread: 1, at: 7),  // the late one
        ]) { ledger in
            #expect(ledger.figures(stack: 1).temporary == 1)
            #expect(ledger.figures(stack: 2).temporary == 1)
            #expect(ledger.figures(stack: 1).frees == 1)
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
        }
    }

    @Test func severalInversionsOfOneAddressSettleInOrder() {
        withLedger([
            .allocate(0x10, size: 1, stack: 1, thread: 1, at: 1), .allocate(0x10, size: 2, stack: 2, thread: 2, at: 2),
            .allocate(0x10, size: 4, stack: 3, thread: 3, at: 2), .free(0x10, thread: 1, at: 2),
            .free(0x10, thread: 2, at: 2), .free(0x10, thread: 3, at: 4),
            .allocate(0x10, size: 8, stack: 4, thread: 1, at: 5),
        ]) { ledger in
            #expect(ledger.liveBytes == 8)
            #expect(ledger.frees == 3)
            #expect(ledger.repair.missing == 0)
            #expect(ledger.unmatchedFrees == 0)
        }
    }

    @Test func aFreeThatNeverComesIsReportedAsMissing() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, at: 1), .allocate(0x10, size: 40, stack: 2, at: 2),
        ]) { ledger in
            #expect(ledger.repair.missing == 1)
            #expect(ledger.frees == 0)
            #expect(ledger.liveBytes == 40)
            let closed = ledger.figures(stack: 1)
            #expect(closed.allocations - closed.frees == closed.liveBlocks)
        }
    }

    @Test func anOwedFreeIsGivenUpAfterTheWindow() {
        var options = LedgerOptions()
        options.repairWindow = 3
        let start: [ScriptedEvent] = [
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
            .allocate(0x10, size: 40, stack: 2, thread: 2, at: 2),
        ]
        let filler = (0..<8).map { ScriptedEvent.allocate(0x100 + $0 * 16, size: 1, stack: 9, at: 3 + $0) }
        withLedger(start + filler + [.free(0x10, thread: 1, at: 20)], options: options) { ledger in
            #expect(ledger.repair.missing == 1)
            // The FREE is no longer owed, so it means the live block.
            #expect(ledger.figures(stack: 2).frees == 1)
        }
    }

    @Test func aTraceWithLossesWaitsForNoFree() {
        var options = LedgerOptions()
        options.repairWindow = 0
        withLedger(
            [
                .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
                .allocate(0x10, size: 40, stack: 2, thread: 1, at: 2), .free(0x10, thread: 2, at: 3),
            ], options: options
        ) { ledger in
            #expect(ledger.repair.missing == 1)
            #expect(ledger.liveBytes == 0)
        }
    }

    @Test func aFreeReadBeforeTheAllocationOfItsBlockClosesIt() {
        withLedger([
            .free(0x10, thread: 2, at: 4), .allocate(0x10, size: 100, stack: 1, thread: 1, at: 5),
            .allocate(0x20, size: 10, stack: 2, thread: 1, at: 6),
        ]) { ledger in
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
            #expect(ledger.liveBytes == 10)
            #expect(ledger.peakBytes == 10)
            #expect(ledger.figures(stack: 1).frees == 1)
            #expect(ledger.figures(stack: 1).liveBlocks == 0)
        }
    }

    @Test func anEarlyFreeIsNeverOfABlockOfItsOwnThread() {
        withLedger([
            .free(0x10, thread: 1, at: 4), .allocate(0x10, size: 100, stack: 1, thread: 1, at: 5),
        ]) { ledger in
            #expect(ledger.unmatchedFrees == 1)
            #expect(ledger.liveBytes == 100)
        }
    }

    @Test func aBlockFreedEarlyLeavesTheOneThatWasAllocatedAfterIt() {
        withLedger([
            .free(0x10, thread: 2, at: 4),  // of thread 1's block, which is read last
            .allocate(0x10, size: 7, stack: 2, thread: 2, at: 5),
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 6),
            .free(0x10, thread: 3, at: 9),
        ]) { ledger in
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
            #expect(ledger.liveBytes == 0)
            #expect(ledger.peakBytes == 7)
            #expect(ledger.figures(stack: 1).frees == 1)
            #expect(ledger.figures(stack: 2).frees == 1)
        }
    }

    @Test func aFreeIsEarlyOnlyWithinTheWindow() {
        var options = LedgerOptions()
        options.repairWindow = 2
        let filler = (0..<4).map { ScriptedEvent.allocate(0x100 + $0 * 16, size: 1, stack: 9, at: 3 + $0) }
        withLedger(
            [.free(0x10, thread: 2, at: 1)] + filler
                + [.allocate(0x10, size: 100, stack: 1, thread: 1, at: 20)], options: options
        ) { ledger in
            #expect(ledger.unmatchedFrees == 1)
            #expect(ledger.figures(stack: 1).liveBlocks == 1)
        }
    }

    @Test func aFreeFarBeforeTheAllocationIsOfAnotherBlock() {
        withLedger([
            .free(0x10, thread: 2, at: 1),
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 2 + OrderRepair.largestSkew),
        ]) { ledger in
            #expect(ledger.unmatchedFrees == 1)
            #expect(ledger.figures(stack: 1).liveBlocks == 1)
        }
    }

    @Test func theWeightOfAFreeThatCameEarlyIsItsBlocks() {
        var options = LedgerOptions()
        options.isSampled = true
        withLedger(
            [.free(0x10, thread: 2, at: 1), .allocate(0x10, size: 8, stack: 1, thread: 1, at: 2, weight: 3)],
            options: options
        ) { #expect($0.frees == 3 * $0.units.blocks) }
    }

    @Test func blocksHandedBetweenThreadsComeOutRightWhateverTheSkew() {
        // Each address passes from its allocator to another thread that frees it; then the stamps are shaken by up to three events
        // between threads, never within one.
        var numbers = NumberSequence(seed: 23)
        var stamped: [(stamp: UInt64, order: UInt64, event: ScriptedEvent)] = []
        var lastStamp = [UInt64](repeating: 0, count: 5)
        var time: UInt64 = 100
        func push(_ thread: UInt32, _ make: (UInt64) -> ScriptedEvent) {
            time += 10
            let stamp = max(time - numbers.next(31), lastStamp[Int(thread)] + 1)
            lastStamp[Int(thread)] = stamp
            stamped.append((stamp, time, make(stamp)))
        }
        for _ in 0..<5000 {
            let address = 0x100 + numbers.next(8) * 16
            let maker = UInt32(numbers.next(4)) + 1
            let taker = UInt32(numbers.next(4)) + 1
            push(maker) { .allocate(address, size: 16, stack: maker, thread: maker, at: $0) }
            push(taker) { .free(address, thread: taker, at: $0) }
        }
        let events = stamped.sorted { ($0.stamp, $0.order) < ($1.stamp, $1.order) }.map(\.event)
        withLedger(events) { ledger in
            #expect(ledger.allocations == 5000)
            #expect(ledger.frees == 5000)
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
            #expect(ledger.liveBytes == 0)
        }
    }

    @Test func randomInversionsLeaveTheTotalsOfTheTrueOrder() {
        var numbers = NumberSequence(seed: 7)
        var events: [ScriptedEvent] = []
        var allocations = 0
        // Four addresses handed from thread to thread; the FREE and the ALLOC after it come in either order.
        for round in 0..<2000 as Range<UInt64> {
            let address = 0x100 + (round % 4) * 16
            let thread = UInt32(numbers.next(6)) + 1
            let previous = UInt32(numbers.next(6)) + 10
            if round >= 4, numbers.next(2) == 0 {
                events.append(.free(address, thread: previous, at: round))
                events.append(.allocate(address, size: 16, stack: 1, thread: thread, at: round))
            } else {
                events.append(.allocate(address, size: 16, stack: 1, thread: thread, at: round))
                if round >= 4 { events.append(.free(address, thread: previous, at: round)) }
            }
            allocations += 1
        }
        withLedger(events) { ledger in
            #expect(ledger.allocations == allocations)
            #expect(ledger.frees == allocations - 4)
            #expect(ledger.liveBytes == 64)
            #expect(ledger.peakBytes == 64)
            #expect(ledger.unmatchedFrees == 0)
            #expect(ledger.repair.missing == 0)
        }
    }
}
