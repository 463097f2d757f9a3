// A trace of a program that nobody wrote: the events of three threads, drawn from a fixed seed.

import TestSupport

/// Three threads that free each other's blocks and use addresses again; types that events tell and one that a stack tells, four stacks, aligned and very large blocks among them.
enum RandomProgram {
    /// The trace's bytes; the same arguments give the same bytes.
    ///
    /// - Parameters:
    ///   - steps: Chunks of twenty events.
    ///   - flags: Those of the trace's header.
    ///   - addresses: How many addresses there are to draw from; where they are few most blocks end because another takes their place.
    ///   - freesOneIn: One event in so many frees a block of any age.
    static func bytes(steps: Int, flags: UInt32 = 0, addresses: UInt64 = 1 << 20, freesOneIn: UInt64 = 3) -> [UInt8] {
        var builder = TraceBuilder(flags: flags)
        var state: UInt64 = 88_172_645_463_325_252
        func below(_ limit: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % limit
        }
        var live: [UInt64] = []
        var time: UInt64 = 1000
        var starts: [UInt32: UInt64] = [:]
        for _ in 0..<steps {
            let thread = UInt32(1 + below(3))
            builder.events(thread: thread, from: starts[thread] ?? 900) { records in
                if starts.isEmpty {
                    for (id, name) in [(9, "app.Wide"), (0x7F00, "app.Typed"), (0x7F01, "app.Told")]
                        as [(UInt64, String)]
                    {
                        records.type(id, name)
                    }
                    records.stack(1, frames: [0x1000])
                    records.stack(2, frames: [0x1000])
                    records.stackType(2, 0x7F01)
                }
                for _ in 0..<20 {
                    time += 10
                    let address = 0x1000 + below(addresses) * 16
                    if live.contains(address) || (below(freesOneIn) == 0 && !live.isEmpty) {
                        records.free(live.remove(at: Int(below(UInt64(live.count)))), at: time)
                        continue
                    }
                    switch below(4) {
                    case 0: records.allocate(address, size: below(1000), stack: 3, type: 0x7F00, at: time)
                    case 1:
                        records.setTime(time)
                        records.wideAllocate(address, size: 1 << 33, stack: 4, alignment: 22, type: 9, weight: 2.5)
                    default:
                        records.allocate(
                            address, size: below(1000), stack: UInt32(1 + below(2)), alignment: 3, at: time)
                    }
                    live.append(address)
                }
                starts[thread] = records.time
            }
        }
        builder.end()
        return builder.bytes
    }
}
