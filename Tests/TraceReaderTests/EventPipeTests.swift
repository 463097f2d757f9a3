// Events decoded by a second thread are those that the caller's own would have decoded, in the same order, and stop when the visitor does.

import TestSupport
import Testing

@testable import TraceReader

@Suite struct EventPipeTests {
    /// Keeps what it sees, and stops after a number of events.
    private struct Keeper: EventVisitor {
        struct Enough: Error {}
        var limit = Int.max
        var events: [HeapEvent] = []

        mutating func visit(_ event: HeapEvent) throws(Enough) {
            if events.count == limit { throw Enough() }
            events.append(event)
        }
    }

    /// Streams of several threads whose events lie between each other's, with records of every kind among them.
    private func trace(threads: UInt32, events: Int, seed: UInt64) throws -> Trace {
        var state = seed
        func random(_ below: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % below
        }
        var builder = TraceBuilder()
        var times: [UInt32: UInt64] = [:]
        for _ in 0..<(4 * Int(threads)) {
            for thread in 1...threads {
                var time = times[thread] ?? 1000
                builder.events(thread: thread, from: time) { chunk in
                    for _ in 0..<events / (4 * Int(threads) * Int(threads)) {
                        time += random(9)
                        let address = 16 + random(1 << 20) * 16
                        switch random(20) {
                        case 0: chunk.extended(31, argument: 5, [7, 7])
                        case 1: chunk.raw(0)
                        case 2...10: chunk.free(address, at: time)
                        default: chunk.allocate(address, size: random(1 << 31), at: time)
                        }
                    }
                }
                times[thread] = time
            }
        }
        builder.end()
        return try Trace.open(bytes: builder.bytes)
    }

    @Test(arguments: [1, 2, 5] as [UInt32])
    func `a second thread gives the same events in the same order`(threads: UInt32) throws {
        let trace = try trace(threads: threads, events: 60_000, seed: UInt64(threads))
        var own = Keeper()
        var piped = Keeper()
        try trace.forEachEvent(in: trace.batches(image: 1, span: EventSpan(), usesThread: false), &own)
        try trace.forEachEvent(in: trace.batches(image: 1, span: EventSpan(), usesThread: true), &piped)
        #expect(own.events.count > 40_000)
        #expect(own.events == piped.events)
        // Merged by time; at equal times frees first, then by thread.
        let sorted = own.events.enumerated().sorted {
            let (left, right) = ($0.element, $1.element)
            if left.time != right.time { return left.time < right.time }
            if left.thread == right.thread { return $0.offset < $1.offset }
            if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
            return left.thread < right.thread
        }
        #expect(sorted.map(\.element.time) == own.events.map(\.time))
    }

    @Test(arguments: [0, 1, 4095, 4096, 30_000])
    func `a visitor that stops ends the thread, wherever it is`(limit: Int) throws {
        let trace = try trace(threads: 2, events: 60_000, seed: 7)
        var keeper = Keeper(limit: limit)
        #expect(throws: Keeper.Enough.self) {
            try trace.forEachEvent(in: trace.batches(image: 1, span: EventSpan(), usesThread: true), &keeper)
        }
        #expect(keeper.events.count == limit)
    }

    @Test func `an image without events gives no batches`() throws {
        let trace = try trace(threads: 1, events: 16, seed: 1)
        #expect(trace.batches(image: 9, span: EventSpan(), usesThread: true) == nil)
    }
}
