// The event loop on streams built by hand: what it skips, how it orders, and how a visitor stops it.

import TestSupport
import Testing
import TraceReader

/// All events of a trace's image.
func events(of trace: Trace, image: Int? = nil) -> [HeapEvent] {
    var events: [HeapEvent] = []
    trace.forEachEvent(image: image) { events.append($0) }
    return events
}

@Suite struct TraceEventTests {
    @Test func `an allocation and its free come back with every field`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 3, from: 1000) {
            $0.stack(7, frames: [0x401001, 0x402002])
            $0.allocate(0x7F00_0000_1230, size: 505, stack: 7, alignment: 2, at: 1010)
            $0.free(0x7F00_0000_1230, at: 1500)
        }
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        let thread = ThreadSerial(3)
        #expect(trace.isComplete)
        #expect(
            events(of: trace) == [
                HeapEvent(
                    kind: .allocation, time: 1010, thread: thread, address: 0x7F00_0000_1230, size: 505,
                    stack: StackID(7), alignmentCode: 2),
                HeapEvent(kind: .free, time: 1500, thread: thread, address: 0x7F00_0000_1230),
            ])
    }

    @Test func `the largest fields of the narrow records survive`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) {
            $0.allocate(
                0x7FFF_FFFF_FFF8, size: 0xFFFF_FFFF, stack: 0xFFF_FFFF, alignment: 15, at: 1000 + (1 << 17) - 1)
        }
        let event = try #require(events(of: try Trace.open(bytes: builder.bytes)).first)
        #expect(event.address == 0x7FFF_FFFF_FFF8)
        #expect(event.size == 0xFFFF_FFFF)
        #expect(event.stack == StackID(0xFFF_FFFF))
        #expect(event.alignmentBytes == 131072)
        #expect(event.time == 1000 + (1 << 17) - 1)
    }

    @Test func `padding and unknown records between events are stepped over, up to the last word`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) {
            $0.raw(0, 0)
            $0.free(0x10, at: 1001)
            $0.extended(31, argument: 5, [7, 7, 7, 7])
            $0.free(0x20, at: 1002)
            $0.extended(0, [])
            $0.allocate(0x30, size: 1, at: 1003)
            $0.raw(0)
        }
        builder.events(from: 1003) {
            $0.free(0x30, at: 1004)
            $0.extended(29, [1])
        }
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(trace.isComplete)
        #expect(events(of: trace).map(\.address) == [0x10, 0x20, 0x30, 0x30])
    }

    @Test func `the type of a freed block belongs to its own free, and to no other event`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) {
            $0.freedType(0x10, 7)
            $0.free(0x10, at: 1000 + 1 << 20)
            $0.freedType(0x20, 8)
            $0.free(0x30, at: $0.time + 1)
            $0.freedType(0x40, 9)
            $0.allocate(0x40, size: 8, at: $0.time + 1)
            $0.freedType(0x50, 10)
            $0.setTime($0.time + 5)
            $0.wideFree(0x58)
            $0.freedType(0x60, 11)
            $0.freedType(0x60, 12)
            $0.wideFree(0x60, isFreedNext: true)
            $0.freedType(0x70, 13)
        }
        builder.events(from: 3 << 20) { $0.free(0x70, at: 4 << 20) }
        builder.end()
        let seen = events(of: try Trace.open(bytes: builder.bytes))
        #expect(seen.map(\.address) == [0x10, 0x30, 0x40, 0x58, 0x60, 0x70])
        #expect(seen.map(\.typeID) == [7, 0, 0, 0, 12, 0])
        #expect(seen.map(\.isFreedNext) == [false, false, false, false, true, false])
        #expect(seen.map(\.kind) == [.free, .free, .allocation, .free, .free, .free])
    }

    @Test func `the time of a stream starts anew at each chunk's first time`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) { $0.free(0x10, at: 1005) }
        builder.events(from: 2000) { $0.free(0x20, at: 2001) }
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(events(of: trace).map(\.time) == [1005, 2001])
        #expect(trace.tables()?.lastTime == 2001)
    }

    @Test func `at one time frees come before allocations, then threads and lanes in order`() throws {
        var builder = TraceBuilder()
        for (thread, lane) in [(UInt32(2), UInt16(0)), (1, 1), (1, 0)] {
            builder.events(thread: thread, lane: lane, from: 1000) {
                $0.free(UInt64(thread) << 8 | UInt64(lane) << 4, at: 1010)
                $0.allocate(UInt64(thread) << 8 | UInt64(lane) << 4 | 8, size: 1, at: 1010)
            }
        }
        #expect(
            events(of: try Trace.open(bytes: builder.bytes)).map(\.address)
                == [0x100, 0x110, 0x200, 0x108, 0x118, 0x208])
    }

    @Test(arguments: [1, 2, 3, 7, 40])
    func `many streams of random bursts are merged in order and complete`(threads: Int) throws {
        var builder = TraceBuilder()
        var state: UInt64 = 88_172_645_463_325_252
        func random(_ bound: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % bound
        }
        var times = [UInt64](repeating: 1000, count: threads)
        var expected: [HeapEvent] = []
        for round in 0..<20 {
            for thread in 0..<threads where random(3) > 0 {
                let serial = UInt32(thread + 1)
                builder.events(thread: serial, from: times[thread]) {
                    for _ in 0..<random(9) {
                        times[thread] += random(4) == 0 ? random(300_000) : random(5)
                        let address = (UInt64(round) << 20 | UInt64(thread) << 10 | random(64)) << 3
                        let kind = random(2) == 0 ? HeapEvent.Kind.free : .allocation
                        if kind == .free {
                            $0.free(address, at: times[thread])
                        } else {
                            $0.allocate(address, size: 8, at: times[thread])
                        }
                        expected.append(
                            HeapEvent(
                                kind: kind, time: times[thread], thread: ThreadSerial(serial), address: address,
                                size: kind == .free ? 0 : 8))
                    }
                }
            }
        }
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(trace.isComplete)
        let merged = events(of: trace)
        #expect(merged.count == expected.count)
        #expect(zip(merged, merged.dropFirst()).allSatisfy { $0.time <= $1.time })
        for thread in 1...UInt32(threads) {
            let serial = ThreadSerial(thread)
            #expect(merged.filter { $0.thread == serial } == expected.filter { $0.thread == serial })
        }
    }

    private struct Enough: Error {}

    @Test func `a visitor stops the walk by throwing`() throws {
        var builder = TraceBuilder()
        builder.events { for step in 1...10 { $0.free(0x10, at: 1000 + UInt64(step)) } }
        let trace = try Trace.open(bytes: builder.bytes)
        var seen = 0
        #expect(throws: Enough.self) {
            try trace.forEachEvent { _ in
                seen += 1
                if seen == 4 { throw Enough() }
            }
        }
        #expect(seen == 4)
    }

    @Test func `a visitor keeps its own state`() throws {
        struct Sum: EventVisitor {
            var bytes: UInt64 = 0
            mutating func visit(_ event: HeapEvent) { bytes += event.size }
        }
        var builder = TraceBuilder()
        builder.events { for size in 1...10 { $0.allocate(0x10, size: UInt64(size), at: 1000) } }
        var sum = Sum()
        try Trace.open(bytes: builder.bytes).forEachEvent(&sum)
        #expect(sum.bytes == 55)
    }
}
