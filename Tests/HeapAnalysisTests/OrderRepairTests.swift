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
