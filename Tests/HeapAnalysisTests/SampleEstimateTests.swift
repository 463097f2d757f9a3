// Estimates of sampled traces: how weights add up, what their standard errors are, and where exact totals stand in their place.
@testable import HeapAnalysis
import Symbolication
import Testing

struct SampleEstimateTests {
    private func source(_ events: [ScriptedEvent], isComplete: Bool = true) -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.isSampled = true
        source.facts.sampleBytes = 4096
        source.facts.isComplete = isComplete
        source.events = events
        source.own(1, family: "Box", type: "Box<Matrix>", cause: "construct")
        source.own(2, family: "Array", type: "Array<Point>", cause: "growth")
        return source
    }

    private let events: [ScriptedEvent] = [
        .allocate(0x10, size: 100, stack: 1, at: 1, weight: 4), .allocate(0x20, size: 10, stack: 2, at: 2, weight: 10),
        .allocate(0x30, size: 300, stack: 1, at: 3, weight: 2), .free(0x10, at: 4), .freeNext(0x20, at: 5),
        .allocate(0x40, size: 5000, stack: 2, at: 6, weight: 1),
    ]

    @Test func `a row sums weights, and its standard error is the root of w (w - 1) x squared`() throws {
        let rows = source(events).profile().rows(by: [.type])
        let box = try #require(rows.first { $0.key.type == "Box<Matrix>" })
        #expect(box.figures.allocations == 6 && box.figures.frees == 4)
        #expect(box.figures.bytes == 1000 && box.figures.liveBytes == 600 && box.figures.liveBlocks == 2)
        let error = try #require(box.standardError)
        #expect(error.allocations == (12.0 + 2).squareRoot())
        #expect(error.frees == 12.0.squareRoot())
        #expect(error.bytes == (12.0 * 10_000 + 2 * 90_000).squareRoot())
        #expect(error.liveBlocks == 2.0.squareRoot() && error.liveBytes == 180_000.0.squareRoot())
    }

    @Test func `what was live at the peak is as uncertain as what was sampled then`() throws {
        // The peak is the last allocation: 600 bytes of boxes and the 5,000 of the array, which is certain.
        let profile = source(events).profile()
        #expect(profile.trace.peakBytes == 5600)
        #expect(profile.trace.standardError?.peakBytes == 180_000.0.squareRoot())
        let rows = profile.rows(by: [.type])
        #expect(rows.first { $0.key.type == "Array<Point>" }?.standardError?.peakBytes == 0)
        #expect(rows.first { $0.key.type == "Box<Matrix>" }?.figures.peakBytes == 600)
    }

    @Test func `an earlier peak keeps its own error`() throws {
        let profile = source(Array(events.prefix(5))).profile()
        #expect(profile.trace.peakBytes == 1100)
        let error = (12.0 * 10_000 + 90 * 100 + 2 * 90_000).squareRoot()
        #expect(abs((profile.trace.standardError?.peakBytes ?? 0) - error) < 1e-9)
    }

    @Test func `temporary is what the trace says, not what stands next to it`() {
        let profile = source([
            .allocate(0x10, size: 8, stack: 1, at: 1, weight: 4), .free(0x10, at: 2),
            .allocate(0x20, size: 8, stack: 1, at: 3, weight: 3), .allocate(0x30, size: 8, stack: 1, at: 4, weight: 7),
            .freeNext(0x20, at: 5),
        ]).profile()
        #expect(profile.trace.temporary == 3)
        #expect(profile.trace.standardError?.temporary == 6.0.squareRoot())
    }

    @Test func `without totals the trace's figures are estimates with errors`() {
        let trace = source(events).profile().trace
        #expect(!trace.hasExactTotals && trace.samples == 4)
        #expect(trace.allocations == 17 && trace.bytesAllocated == 6100 && trace.frees == 14 && trace.events == 31)
        #expect(trace.standardError?.allocations == (12.0 + 90 + 2).squareRoot())
    }

    @Test func `exact totals stand in the place of estimates; rows stay estimates`() {
        var source = source(events)
        source.exactTotals = ExactTotals(allocations: 21, frees: 20, bytes: 6543, reallocations: 3)
        source.threadNames = [
            ThreadName(
                serial: 1, threadID: 7, name: "main",
                exactTotals: ExactTotals(allocations: 15, frees: 20, bytes: 6000, reallocations: 3)),
            ThreadName(
                serial: 2, threadID: 8, name: nil,
                exactTotals: ExactTotals(allocations: 6, frees: 0, bytes: 543, reallocations: 0)),
            ThreadName(
                serial: 3, threadID: 9, name: nil,
                exactTotals: ExactTotals(allocations: 0, frees: 0, bytes: 0, reallocations: 0)),
        ]
        let profile = source.profile()
        let trace = profile.trace
        #expect(trace.hasExactTotals)
        #expect(trace.allocations == 21 && trace.frees == 20 && trace.bytesAllocated == 6543)
        #expect(trace.reallocations == 3 && trace.events == 41 && trace.threads == 2)
        #expect(trace.standardError?.allocations == 0 && trace.standardError?.bytes == 0)
        #expect(trace.standardError?.liveBytes == 180_000.0.squareRoot())
        #expect(profile.threads.map(\.allocations) == [15, 6])
        let areExact = profile.threads.map { $0.isExact }
        #expect(areExact == [true, true])
        #expect(profile.rows(by: [.type]).reduce(0) { $0 + $1.figures.allocations } == 17)
    }

    @Test func `totals older than the last samples of a trace that was cut are not taken`() {
        var source = source(events, isComplete: false)
        source.exactTotals = ExactTotals(allocations: 5, frees: 5, bytes: 5, reallocations: 5)
        let trace = source.profile().trace
        #expect(!trace.hasExactTotals)
        #expect(trace.allocations == 17)
    }

    @Test func `fractions of blocks add up over a million samples`() {
        let weight: Float = 1.0001
        var options = LedgerOptions()
        options.isSampled = true
        var ledger = HeapLedger(options: options, observer: NoObserver())
        for number in 0..<UInt64(1_000_000) {
            ledger.allocate(address: number * 16, size: 40, stack: 1, thread: 1, time: number, weight: weight)
        }
        let sum = Double(ledger.allocations) / Double(ledger.units.blocks)
        #expect(abs(sum / (1e6 * Double(weight)) - 1) < 1e-5)
        for number in 0..<UInt64(1_000_000) { ledger.free(address: number * 16, thread: 1, time: 2_000_000) }
        #expect(ledger.liveBytes == 0)
        #expect(ledger.variances[0].liveBytes == 0)
    }

    @Test func `a complete trace has no errors and no samples`() {
        var source = source(events)
        source.facts.isSampled = false
        let profile = source.profile()
        #expect(profile.trace.standardError == nil && profile.trace.samples == nil && profile.trace.hasExactTotals)
        #expect(profile.rows(by: [.type]).allSatisfy { $0.standardError == nil })
        #expect(profile.trace.allocations == 4)
    }
}
