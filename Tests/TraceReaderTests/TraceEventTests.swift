// The events of traces built by hand: what each kind of record becomes, and the order in which streams are merged.

import Testing
import TestSupport
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
        #expect(trace.isComplete)
        #expect(trace.allocations == 1)
        #expect(trace.frees == 1)
        let thread = ThreadSerial(3)
        #expect(
            events(of: trace) == [
                HeapEvent(
                    kind: .allocation, time: 1010, thread: thread, address: 0x7F00_0000_1230, size: 505,
                    stack: StackID(7), alignmentCode: 2),
                HeapEvent(kind: .free, time: 1500, thread: thread, address: 0x7F00_0000_1230),
            ])
        #expect(trace.stacks.frames(of: StackID(7)) == [0x401001, 0x402002])
        #expect(trace.stacks[StackID(7)]?.firstUse == 1010)
    }
}
