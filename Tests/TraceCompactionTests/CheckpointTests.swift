// Checkpoints and the index that a compacted trace carries: the live set of a checkpoint is that of a full replay up to its time; both are refused when
// they do not fit the trace.

import HeapAnalysis
import TestSupport
import Testing
import TraceCompaction
import TraceReader

@Suite struct CheckpointTests {
    private func compacted(_ bytes: [UInt8], every events: UInt64) throws -> [UInt8] {
        var result: [UInt8] = []
        var options = TraceCompactor.Options()
        options.checkpointInterval = events
        options.checkpointEventsPerBlock = 1
        _ = try TraceCompactor.write(Trace.open(bytes: bytes), options: options) { result += $0 }
        return result
    }

    /// The live blocks after every event up to a time, by a replay that knows nothing of the compactor's.
    private func replay(_ trace: Trace, to time: UInt64) -> (
        blocks: [CheckpointBlock], allocations: UInt64, frees: UInt64
    ) {
        var live: [UInt64: CheckpointBlock] = [:]
        var allocations: UInt64 = 0
        var frees: UInt64 = 0
        trace.forEachEvent { event in
            guard event.time <= time else { return }
            if event.kind == .free {
                frees += 1
                live[event.address] = nil
                return
            }
            allocations += 1
            live[event.address] = CheckpointBlock(
                address: event.address, size: event.size, time: event.time, typeID: event.typeID, weight: event.weight,
                stack: event.stack, thread: event.thread, alignmentCode: event.alignmentCode)
        }
        return (live.values.sorted { $0.address < $1.address }, allocations, frees)
    }

    @Test func `a checkpoint holds what a replay up to its time leaves alive`() throws {
        let trace = try Trace.open(bytes: compacted(RandomProgram.bytes(steps: 400), every: 500))
        #expect(trace.isComplete)
        #expect(trace.corruption == nil)
        let checkpoints = trace.checkpoints()
        #expect(checkpoints.count >= 2)
        #expect(trace.checkpoints(image: 7) == [])
        for checkpoint in checkpoints {
            let expected = replay(trace, to: checkpoint.time)
            let blocks = try trace.blocks(of: checkpoint)
            #expect(blocks == expected.blocks)
            #expect(blocks.count == checkpoint.blockCount)
            #expect(checkpoint.allocations == expected.allocations)
            #expect(checkpoint.frees == expected.frees)
            #expect(blocks.contains { $0.typeID == 9 && $0.weight == 2.5 && $0.alignmentCode == 16 + 21 })
        }
    }

    @Test func `events out of order are settled before a checkpoint is made`() throws {
        // The block at 0x10 is allocated by thread 2 a tick before thread 1's free of it is stamped.
        var builder = TraceBuilder()
        builder.events(thread: 1, from: 1000) {
            $0.allocate(0x10, size: 1, at: 1010)
            $0.free(0x10, at: 1031)
            for step in UInt64(0)..<70_000 { $0.allocate(0x1000 + step * 16, size: 2, at: 1040 + step) }
        }
        builder.events(thread: 2, from: 1000) { $0.allocate(0x10, size: 3, at: 1030) }
        builder.end()
        let trace = try Trace.open(bytes: compacted(builder.bytes, every: 1))
        let first = try #require(trace.checkpoints().first { $0.allocations > 1 })
        #expect(first.allocations > 65_000)
        #expect(try trace.blocks(of: first).first?.size == 3)
    }

    @Test func `many blocks are split into parts`() throws {
        var builder = TraceBuilder()
        builder.events(from: 1000) { records in
            for step in UInt64(0)..<340_100 { records.allocate(0x1000 + step * 16, size: step % 77, at: 1001 + step) }
            records.free(0x1000, at: 2_000_000)
        }
        builder.end()
        let bytes = try compacted(builder.bytes, every: 340_050)
        let trace = try Trace.open(bytes: bytes)
        #expect(trace.isComplete)
        let checkpoint = try #require(trace.checkpoints().first)
        #expect(checkpoint.blockCount == 340_050)
        #expect(try trace.blocks(of: checkpoint) == replay(trace, to: checkpoint.time).blocks)
    }

    /// The chunks of a trace: offset, bytes with header and padding, kind.
    private func chunks(of bytes: [UInt8]) -> [(start: Int, end: Int, kind: UInt8)] {
        var found: [(Int, Int, UInt8)] = []
        var start = 64
        while start < bytes.count {
            let stored = (0..<4).reversed().reduce(0) { $0 << 8 | Int(bytes[start + 8 + $1]) }
            found.append((start, start + 64 + (stored + 7) / 8 * 8, bytes[start + 4]))
            start = found[found.count - 1].1
        }
        return found
    }

    @Test func `the index is found from the end and names every chunk`() throws {
        let bytes = try compacted(RandomProgram.bytes(steps: 100), every: 500)
        let all = chunks(of: bytes)
        func word(_ position: Int) -> Int { (0..<8).reversed().reduce(0) { $0 << 8 | Int(bytes[position + $1]) } }
        #expect(Array(bytes.suffix(8)) == Array("HTRINDEX".utf8))
        let index = word(bytes.count - 16)
        #expect(index == all.last?.start)
        #expect(all.last?.kind == 8)
        for (row, chunk) in all.dropLast().enumerated() {
            #expect(word(index + 64 + row * 72) == chunk.start)
            #expect(
                bytes[index + 64 + row * 72 + 8..<index + 64 + row * 72 + 72] == bytes[chunk.start..<chunk.start + 64])
        }
    }

    @Test func `an index or a checkpoint of another trace is corrupt`() throws {
        let bytes = try compacted(RandomProgram.bytes(steps: 100), every: 500)
        let other = try compacted(RandomProgram.bytes(steps: 100, flags: 8), every: 900)
        let index = try #require(chunks(of: bytes).last)
        let foreign = try #require(chunks(of: other).last)
        let mixed = Array(bytes[..<index.start]) + other[foreign.start..<foreign.end]
        #expect(try Trace.open(bytes: mixed).corruption?.isCorrupt == true)
        #expect(try Trace.open(bytes: Array(bytes[..<index.start])).isComplete)
    }

    @Test(arguments: 0..<8)
    func `a checkpoint that contradicts itself is corrupt`(fault: Int) throws {
        func words(_ words: [UInt64]) -> [UInt8] {
            words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        }
        let one = 1.0.bitPattern
        // Two blocks, at 0x10 and 0x30.
        var payload: [UInt64] = [
            1 << 32, 2, 2, 5, 3, 0x10, 0x20, 7, 8, 1, 2, 0, 0, one, one, 1 << 32 | 1, 2 << 32 | 2, 0,
        ]
        switch fault {
        case 0: break
        case 1: payload[0] = 1
        case 2: payload[0] = 2 << 32 | 1
        case 3: payload[1] = 3
        case 4: payload[2] = 3
        case 5: payload[6] = 0
        case 6: payload[6] = .max
        default: payload[13] = Double.nan.bitPattern
        }
        var builder = TraceBuilder()
        builder.chunk(kind: 9, skippable: true, image: 1, firstTime: 50, lastTime: 50, payload: words(payload))
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        if fault == 0 {
            let checkpoint = try #require(trace.checkpoints(image: 1).first)
            #expect(try trace.blocks(of: checkpoint).map(\.address) == [0x10, 0x30])
            #expect(trace.isComplete)
        } else {
            #expect(trace.corruption?.isCorrupt == true)
            #expect(trace.corruption?.offset == 128)
        }
    }

    @Test func `a checkpoint of which a part is missing is not there`() throws {
        var builder = TraceBuilder()
        var payload = [UInt8](repeating: 0, count: 40)
        payload[4] = 2
        builder.chunk(kind: 9, skippable: true, image: 1, firstTime: 50, payload: payload)
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(trace.isComplete)
        #expect(trace.checkpoints(image: 1) == [])
    }
}
