// What the pass tells its observer, on event sequences whose truth is known by hand.
@testable import HeapAnalysis
import Testing

@Suite struct LedgerObserverTests {
    /// Writes down what it is told.
    private struct Diary: LedgerObserver {
        static var isActive: Bool { true }
        var lines: [String] = []
        var settled: [SettledBlock] = []
        var hasSettled: Bool { !settled.isEmpty }

        mutating func allocated(_ allocation: ObservedAllocation) {
            let block = allocation.block
            lines.append(
                "\(block.size) at \(block.address) by \(allocation.thread) from \(allocation.stack)"
                    + (allocation.isReallocation ? ", moved" : ""))
        }

        mutating func freed(_ free: ObservedFree) {
            lines.append(
                "\(free.block.address) freed by \(free.thread), made by \(free.origin.stack), lived \(free.time - free.block.time)"
                    + (free.isTemporary ? ", temporary" : "") + (free.isReallocation ? ", moved" : "")
                    + (free.isRepaired ? ", repaired" : ""))
        }

        mutating func recounted(_ free: ObservedFree, in cell: UInt32) {}

        mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {
            lines.append("\(address) unknown")
        }

        mutating func finish() {}
    }

    private func diary(_ events: [ScriptedEvent]) -> [String] {
        var ledger = HeapLedger(observer: Diary())
        for event in events { event.feed(&ledger) }
        ledger.finish()
        return ledger.observer.lines
    }

    @Test func `an observer is told of each allocation and of each free with its block`() {
        let lines = diary([
            .allocate(16, size: 100, stack: 1, at: 1), .allocate(32, size: 50, stack: 2, at: 2),
            .free(32, at: 3), .free(16, thread: 2, at: 9), .free(48, at: 10),
        ])
        #expect(
            lines == [
                "100 at 16 by 1 from 1", "50 at 32 by 1 from 2", "32 freed by 1, made by 2, lived 1, temporary",
                "16 freed by 2, made by 1, lived 8", "48 unknown",
            ])
    }

    @Test func `both halves of a reallocation say so`() {
        let lines = diary([
            .allocate(16, size: 8, stack: 1, at: 1), .allocate(64, size: 8, stack: 1, at: 2),
            .move(16, to: 32, size: 16, stack: 2, freed: 3, at: 4),
        ])
        #expect(
            lines.suffix(2) == ["16 freed by 1, made by 1, lived 2, moved", "16 at 32 by 1 from 2, moved"])
    }

    @Test func `a block whose free is late ends where its address is allocated anew`() {
        let lines = diary([
            .allocate(16, size: 8, stack: 1, thread: 1, at: 5), .allocate(16, size: 9, stack: 2, thread: 2, at: 6),
            .free(16, thread: 1, at: 7), .free(16, thread: 2, at: 8),
        ])
        #expect(
            lines == [
                "8 at 16 by 1 from 1", "16 freed by 2, made by 1, lived 1, repaired", "9 at 16 by 2 from 2",
                "16 freed by 2, made by 2, lived 2, temporary",
            ])
    }
}
