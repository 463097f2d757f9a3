// The engine on event sequences whose truth is known by hand.
@testable import HeapAnalysis
import Testing

@Suite struct HeapLedgerTests {
    @Test func countsAllocationsFreesAndBytesByStack() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, at: 1), .allocate(0x20, size: 50, stack: 2, at: 2),
            .free(0x10, at: 3), .allocate(0x10, size: 7, stack: 1, at: 4),
        ]) { ledger in
            #expect(ledger.events == 4)
            #expect(ledger.allocations == 3)
            #expect(ledger.frees == 1)
            #expect(ledger.bytes == 157)
            #expect(ledger.liveBytes == 57)
            let first = ledger.figures(stack: 1)
            #expect(first.allocations == 2)
            #expect(first.frees == 1)
            #expect(first.bytes == 107)
            #expect(first.liveBlocks == 1)
            #expect(first.liveBytes == 7)
            #expect(ledger.figures(stack: 2).liveBytes == 50)
        }
    }

    @Test func knowsWhatEachStackHadLiveAtThePeakOfTwoThreads() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1),
            .allocate(0x20, size: 300, stack: 2, thread: 2, at: 2),  // 400 live: the peak
            .free(0x10, thread: 2, at: 3),  // freed by the other thread
            .allocate(0x30, size: 90, stack: 1, thread: 1, at: 4),  // 390
            .free(0x20, thread: 2, at: 5),
            .allocate(0x40, size: 200, stack: 3, thread: 2, at: 6),  // 290
        ]) { ledger in
            #expect(ledger.peakBytes == 400)
            #expect(ledger.peakTime == 2)
            #expect(ledger.figures(stack: 1).peakBytes == 100)
            #expect(ledger.figures(stack: 2).peakBytes == 300)
            #expect(ledger.figures(stack: 3).peakBytes == 0)
            #expect(ledger.figures(stack: 1).frees == 1)
        }
    }

    @Test func theFirstOfTwoEqualPeaksCounts() {
        withLedger([
            .allocate(0x10, size: 64, stack: 1, at: 1), .free(0x10, at: 2), .allocate(0x20, size: 64, stack: 2, at: 3),
        ]) { ledger in
            #expect(ledger.peakTime == 1)
            #expect(ledger.figures(stack: 1).peakBytes == 64)
            #expect(ledger.figures(stack: 2).peakBytes == 0)
        }
    }

    @Test func aReallocPairIsOneFreeOneAllocationAndOneReallocation() {
        withLedger([
            .allocate(0x10, size: 100, stack: 1, at: 1),
            .move(0x10, to: 0x40, size: 200, stack: 2, freed: 2, at: 3),
            .move(0x40, to: 0x40, size: 240, stack: 2, freed: 4, at: 5),
        ]) { ledger in
            #expect(ledger.allocations == 3)
            #expect(ledger.frees == 2)
            #expect(ledger.reallocations == 2)
            #expect(ledger.liveBytes == 240)
            #expect(ledger.peakBytes == 240)
            #expect(ledger.figures(stack: 2).liveBlocks == 1)
            #expect(ledger.unmatchedFrees == 0)
        }
    }

    @Test func aBlockFreedAsTheNextEventOfItsThreadIsTemporary() {
        withLedger([
            .allocate(0x10, size: 8, stack: 1, thread: 1, at: 1),
            .allocate(0x20, size: 8, stack: 2, thread: 2, at: 2),  // another thread's event does not come between
            .free(0x10, thread: 1, at: 3),
            .allocate(0x30, size: 8, stack: 3, thread: 1, at: 4),
            .allocate(0x40, size: 8, stack: 4, thread: 1, at: 5),
            .free(0x30, thread: 1, at: 6),  // another allocation came between
            .free(0x40, thread: 1, at: 7),  // and another free
            .free(0x20, thread: 1, at: 8),  // of another thread's block
        ]) { ledger in
            #expect(ledger.temporary == 1)
            #expect(ledger.figures(stack: 1).temporary == 1)
            #expect(ledger.figures(stack: 2).temporary == 0)
            #expect(ledger.figures(stack: 3).temporary == 0)
            #expect(ledger.figures(stack: 4).temporary == 0)
        }
    }

    @Test func aBlockOfAnotherThreadAtTheSameAddressIsNotTemporary() {
        withLedger([
            .allocate(0x10, size: 8, stack: 1, thread: 1, at: 1), .free(0x10, thread: 2, at: 2),
            .allocate(0x10, size: 8, stack: 2, thread: 2, at: 3), .free(0x10, thread: 1, at: 4),
        ]) { ledger in
            #expect(ledger.temporary == 0)
            #expect(ledger.frees == 2)
        }
    }

    @Test func aFreeOfAnUnknownAddressIsUnmatchedAndChangesNothingElse() {
        withLedger([.allocate(0x10, size: 8, at: 1), .free(0x90, at: 2)]) { ledger in
            #expect(ledger.frees == 1)
            #expect(ledger.unmatchedFrees == 1)
            #expect(ledger.inheritedFrees == 0)
            #expect(ledger.liveBytes == 8)
            #expect(ledger.figures(stack: 1).frees == 0)
        }
    }

    @Test func aForkedChildsFreesOfInheritedBlocksAreCountedApart() {
        var options = LedgerOptions()
        options.isForkedChild = true
        withLedger([.free(0x90, at: 1), .allocate(0x10, size: 8, at: 2), .free(0x10, at: 3)], options: options) {
            #expect($0.frees == 2)
            #expect($0.inheritedFrees == 1)
            #expect($0.unmatchedFrees == 0)
        }
    }

    @Test func sizesAndThreadsAreKeptApartOnlyWhenAskedFor() {
        let events: [ScriptedEvent] = [
            .allocate(0x10, size: 8, thread: 1, at: 1), .allocate(0x20, size: 16, thread: 1, at: 2),
            .allocate(0x30, size: 8, thread: 2, at: 3), .free(0x30, thread: 1, at: 4),
        ]
        withLedger(events) { #expect($0.cells.count == 1) }
        var options = LedgerOptions()
        options.bySize = true
        withLedger(events, options: options) { ledger in
            #expect(ledger.cells.count == 2)
            #expect(ledger.figures(stack: 1, size: 8).allocations == 2)
        }
        options.bySize = false
        options.byThread = true
        withLedger(events, options: options) { ledger in
            #expect(ledger.cells.count == 2)
            #expect(ledger.figures(stack: 1, thread: 2).frees == 1)
            #expect(ledger.figures(stack: 1, thread: 1).frees == 0)
        }
    }

    @Test func slackIsUsableLessRequestedAndUnknownWithoutAUsableSize() {
        let events: [ScriptedEvent] = [
            .allocate(0x10, size: 20, stack: 1, at: 1), .allocate(0x20, size: 20, stack: 1, at: 2),
            .allocate(0x30, size: 9000, stack: 2, at: 3), .allocate(0x40, size: 20, stack: 3, at: 4),
            .allocate(0x50, size: 21, stack: 3, at: 5),
        ]
        let usable: UsableSizes.Lookup = { size, _ in size == 20 ? 24 : size == 9000 ? 9016 : nil }
        withLedger(events, usable: usable) { ledger in
            #expect(ledger.figures(stack: 1).slackBytes == 8)
            #expect(ledger.figures(stack: 2).slackBytes == 16)
            #expect(ledger.figures(stack: 3).slackBytes == nil)
        }
    }

    @Test func weightsOfASampledTraceScaleEverySum() {
        var options = LedgerOptions()
        options.isSampled = true
        withLedger(
            [
                .allocate(0x10, size: 100, stack: 1, at: 1, weight: 2.5),
                .allocate(0x20, size: 100, stack: 1, at: 2, weight: 1.5), .free(0x10, at: 3),
            ], options: options
        ) { ledger in
            let figures = ledger.figures(stack: 1).divided(by: ledger.units)
            #expect(figures.allocations == 4)
            #expect(figures.bytes == 400)
            #expect(figures.liveBytes == 150)
            #expect(figures.peakBytes == 400)
        }
    }

    @Test func hostileNumbersNeitherTrapNorHang() {
        var options = LedgerOptions()
        options.isSampled = true
        withLedger(
            [
                .allocate(0, size: .max, stack: .max, thread: .max, at: .max, weight: .nan),
                .allocate(.max, size: .max, stack: 0, thread: 0, at: 0, weight: .infinity),
                .free(0, thread: .max, at: 0), .free(.max, thread: 7, at: .max), .free(1, at: 5),
            ], options: options
        ) { ledger in
            #expect(ledger.events == 5)
            #expect(ledger.liveBytes == 0)
        }
    }

    @Test func everySumAgreesWithASlowModelOnARandomRun() {
        var numbers = NumberSequence(seed: 42)
        var live: [UInt64: (size: Int, stack: UInt32)] = [:]
        var addresses: [UInt64] = []
        var liveByStack = [Int](repeating: 0, count: 8)
        var peak = 0
        var atPeak = liveByStack
        var events: [ScriptedEvent] = []
        for time in 1...20_000 as ClosedRange<UInt64> {
            if addresses.isEmpty || numbers.next(100) < 52 {
                let address = numbers.next(1 << 20) * 16 + 16
                if live[address] != nil { continue }
                let stack = UInt32(numbers.next(8))
                let size = Int(numbers.next(5000))
                events.append(.allocate(address, size: UInt64(size), stack: stack, thread: stack % 3, at: time))
                live[address] = (size, stack)
                addresses.append(address)
                liveByStack[Int(stack)] += size
                if liveByStack.reduce(0, +) > peak {
                    peak = liveByStack.reduce(0, +)
                    atPeak = liveByStack
                }
            } else {
                let index = Int(numbers.next(UInt64(addresses.count)))
                let address = addresses.remove(at: index)
                events.append(.free(address, thread: UInt32(numbers.next(3)), at: time))
                if let block = live.removeValue(forKey: address) { liveByStack[Int(block.stack)] -= block.size }
            }
        }
        withLedger(events) { ledger in
            #expect(ledger.peakBytes == peak)
            #expect(ledger.unmatchedFrees == 0)
            for stack in 0..<8 {
                let figures = ledger.figures(stack: UInt32(stack))
                #expect(figures.liveBytes == liveByStack[stack])
                #expect(figures.peakBytes == atPeak[stack])
                #expect(figures.allocations - figures.frees == figures.liveBlocks)
            }
        }
    }
}
