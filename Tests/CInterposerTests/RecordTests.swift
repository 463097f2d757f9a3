// What the writer makes of single events, ordinary and odd.

import CInterposerTestSupport
import CTraceFormat
import Testing
import TraceReader

/// One call of the recorder, for a script.
enum Operation {
    case allocate(UInt64, size: UInt64, alignment: UInt32 = 0)
    case free(UInt64, at: Int64)
    case reallocate(UInt64, to: UInt64, size: UInt64, at: Int64, alignment: UInt32 = 0)
    case push(StaticString)
    case pop
    case count(StaticString, UInt64)
    case announce(UInt64, size: UInt64)
    case allocateHooked(UInt64, size: UInt64)
    case allocateApart(UInt64, size: UInt64)
    case freeHooked(UInt64)

    fileprivate var plain: ht_test_operation {
        var operation = ht_test_operation()
        switch self {
        case .allocate(let address, let size, let alignment):
            operation.kind = UInt32(HT_TEST_ALLOCATE.rawValue)
            (operation.address, operation.size, operation.alignment) = (address, size, alignment)
        case .free(let address, let at):
            operation.kind = UInt32(HT_TEST_FREE.rawValue)
            (operation.address, operation.at) = (address, at)
        case .reallocate(let old, let new, let size, let at, let alignment):
            operation.kind = UInt32(HT_TEST_REALLOCATE.rawValue)
            (operation.old, operation.address, operation.size) = (old, new, size)
            (operation.at, operation.alignment) = (at, alignment)
        case .push(let type):
            operation.kind = UInt32(HT_TEST_PUSH_TAG.rawValue)
            operation.label = UnsafeRawPointer(type.utf8Start).assumingMemoryBound(to: CChar.self)
        case .pop: operation.kind = UInt32(HT_TEST_POP_TAG.rawValue)
        case .count(let name, let amount):
            operation.kind = UInt32(HT_TEST_COUNT.rawValue)
            operation.size = amount
            operation.label = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
        case .announce(let type, let size):
            operation.kind = UInt32(HT_TEST_ANNOUNCE.rawValue)
            (operation.address, operation.size) = (type, size)
        case .allocateHooked(let address, let size):
            operation.kind = UInt32(HT_TEST_ALLOCATE_HOOKED.rawValue)
            (operation.address, operation.size) = (address, size)
        case .allocateApart(let address, let size):
            operation.kind = UInt32(HT_TEST_ALLOCATE_APART.rawValue)
            (operation.address, operation.size) = (address, size)
        case .freeHooked(let address):
            operation.kind = UInt32(HT_TEST_FREE_HOOKED.rawValue)
            operation.address = address
        }
        return operation
    }
}

/// Runs the operations on one new thread and returns the ticks at its start.
@discardableResult
func perform(_ operations: [Operation]) -> UInt64 {
    let plain = operations.map(\.plain)
    return ht_test_run(plain, plain.count)
}

extension RecorderCore {
    @Suite("A record") struct RecordTests {
        private func record(
            _ operations: [Operation], options: UInt32 = RecorderOption.noStacks
        ) throws -> (trace: Trace, start: UInt64) {
            let session = try RecordingSession(options: options)
            let start = perform(operations)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            return (trace, start)
        }

        @Test("keeps the exact ticks of events farther apart than a delta holds")
        func largeDeltas() throws {
            // 2^17 - 1 is the largest delta; one more, and much more, take a TIME record.
            let ticks: [Int64] = [0, 131_071, 262_143, 524_287, 50_000_000_000, 50_000_000_001]
            let (trace, start) = try record(ticks.map { .free(0x1000 + UInt64($0 % 7) * 8, at: $0 + 10) })
            #expect(trace.events.map { Int64($0.time - start) - 10 } == ticks)
        }

        @Test("holds the time still while the counter runs backwards")
        func backwardsCounter() throws {
            let (trace, start) = try record([
                .free(0x1000, at: 1_000), .free(0x2000, at: 400), .free(0x3000, at: 1_200), .free(0x4001, at: 1),
            ])
            #expect(trace.events.map { $0.time - start } == [1_000, 1_000, 1_200, 1_200])
            #expect(trace.events.map(\.address) == [0x1000, 0x2000, 0x3000, 0x4001])
        }

        @Test(
            "keeps what does not fit the narrow words",
            arguments: [
                (0x7fff_ffff_fff8, 16, 0, 0), (0x7fff_ffff_fff0, UInt64(UInt32.max), 0, 0), (0x1001, 16, 0, 0),
                (0x8000_0000_0000, 16, 0, 0), (0xffff_ffff_ffff_fff8, 0, 0, 0), (0x1000, 5 << 30, 0, 0),
                (0x100000, 4096, 1 << 20, 36), (0x20000, 4096, 1 << 17, 15), (0x40000, 4096, 1 << 18, 34),
                (0x1000, 64, 8, 1), (0x1000, 64, 4, 0), (0x1008, UInt64.max, 1 << 21, 37),
            ] as [(UInt64, UInt64, UInt32, UInt8)])
        func wideRecords(address: UInt64, size: UInt64, alignment: UInt32, code: UInt8) throws {
            let (trace, _) = try record([
                .allocate(address, size: size, alignment: alignment), .free(address, at: Int64(1) << 40),
            ])
            let events = trace.events
            #expect(events.map(\.kind) == [.allocation, .free])
            #expect(events.map(\.address) == [address, address])
            #expect(events[0].size == size)
            #expect(events[0].alignmentCode == code)
        }

        @Test(
            "of a reallocation keeps both stamps, however long the call took", arguments: [1_000, 1 << 40] as [Int64])
        func reallocations(before: Int64) throws {
            let (trace, start) = try record([
                .reallocate(0x1000, to: 0x2000, size: 100, at: -before), .free(0x2000, at: 1 << 50),
            ])
            let events = trace.events
            #expect(events.map(\.kind) == [.free, .allocation, .free])
            #expect(events.map(\.address) == [0x1000, 0x2000, 0x2000])
            #expect(events.map(\.isReallocationHalf) == [true, true, false])
            #expect(events[1].size == 100)
            #expect(events[0].time <= events[1].time)
            #expect(events[1].time >= start)
        }

        @Test("of a reallocation that took long is wide and keeps the ticks between its stamps")
        func slowReallocation() throws {
            // A first stamp that lies behind the stream's time cannot be earlier than it, so the call must follow an idle stretch: the first
            // stamp is the start's, the second the call's own, and 50,000 allocations lie between on the same thread.
            var operations: [Operation] = (0..<50_000).map { .count("idle", UInt64($0 & 1)) }
            operations.append(.reallocate(0x1000, to: 0x2001, size: 5 << 30, at: 1, alignment: 1 << 20))
            let (trace, start) = try record(operations)
            let events = trace.events
            #expect(events.map(\.kind) == [.free, .allocation])
            #expect(events[0].time == start + 1)
            #expect(events[1].time - events[0].time > 131_071)
            #expect(events[1].address == 0x2001)
            #expect(events[1].size == 5 << 30)
            #expect(events[1].alignmentCode == 36)
            #expect(trace.counters.first { $0.name == "idle" }?.total == 25_000)
        }

        @Test("is whole in the trace across segments, whatever its length", arguments: [0, 1, 2, 3, 5, 7])
        func wrap(shift: Int) throws {
            // The shift moves where the segment's end falls within the records.
            var operations: [Operation] = (0..<shift).map { .free(0x9000, at: Int64($0)) }
            for number in 0..<12_000 as Range<UInt64> {
                operations.append(.allocate(0x10_0001 + number * 16, size: number))
                operations.append(.allocate(0x80_0000 + number * 16, size: number))
                operations.append(.reallocate(0x80_0000 + number * 16, to: 0x20_0003, size: number, at: 0))
            }
            let (trace, _) = try record(operations)
            let events = trace.events
            #expect(events.count == shift + 48_000)
            var wrong = 0
            for number in 0..<12_000 {
                let four = events[(shift + number * 4)..<(shift + number * 4 + 4)].map(\.address)
                let base = UInt64(number) * 16
                if four != [0x10_0001 + base, 0x80_0000 + base, 0x80_0000 + base, 0x20_0003] { wrong += 1 }
            }
            #expect(wrong == 0)
        }

        @Test("names the usable size of each distinct size and alignment, anew in every trace", arguments: 1...2)
        func usableSizes(recording: Int) throws {
            let sizes: [(UInt64, UInt32)] = [(100, 0), (100, 64), (70_001, 0), (5 << 30, 0), (100, 0), (70_001, 0)]
            let (trace, _) = try record(
                sizes.enumerated().map { .allocate(UInt64($0) + 3, size: $1.0, alignment: $1.1) })
            // The stand-in for malloc_usable_size answers with the address + 1; the first block of a size is the one it is asked about.
            #expect(trace.usableSizes.count == 4)
            #expect(trace.usableSizes.usableSize(size: 100, alignmentCode: 0) == 4)
            #expect(trace.usableSizes.usableSize(size: 100, alignmentCode: 4) == 5)
            #expect(trace.usableSizes.usableSize(size: 70_001, alignmentCode: 0) == 6)
            #expect(trace.usableSizes.usableSize(size: 5 << 30, alignmentCode: 0) == 7)
        }

        @Test("carries tags and counters by their texts")
        func tagsAndCounters() throws {
            let (trace, _) = try record([
                .push("Matrix"), .allocate(0x1000, size: 505), .push("Row"), .allocate(0x2000, size: 8), .pop,
                .allocate(0x3000, size: 505), .pop, .allocate(0x4000, size: 1), .count("Cow.borrowed", 2),
                .count("Cow.owned", 1), .count("Cow.borrowed", 3),
            ])
            let types = trace.events.map { event in
                trace.stacks[event.stack].flatMap { trace.tags[$0.tag]?.type } ?? ""
            }
            #expect(types == ["Matrix", "Row", "Matrix", ""])
            #expect(trace.events[0].stack == trace.events[2].stack)
            #expect(trace.events[3].stack == .none)
            let totals = Dictionary(trace.counters.map { ($0.name, $0.total) }, uniquingKeysWith: +)
            #expect(totals["Cow.borrowed"] == 5)
            #expect(totals["Cow.owned"] == 1)
        }
    }
}
