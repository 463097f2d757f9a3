// The chunks that the drain writes, read by a decoder of the test's own (FORMAT.md §2 and §4), and streams that no recorder would write.

import CInterposerTestSupport
import CTraceFormat
import Testing
import TraceReader

/// One stream's words as they lie in a ring.
struct CraftedStream {
    var serial: UInt32
    var image: UInt16 = 1
    var start: UInt64 = 0
    var words: [UInt64]

    /// Puts the words into the session's region as a thread's first segment.
    func put(_ session: RecordingSession) {
        session.with { ht_test_put_stream($0, serial, image, start, words, words.count) }
    }

    static func extended(_ sub: ht_extended_kind, _ words: UInt64, argument: UInt64 = 0) -> UInt64 {
        7 | UInt64(sub.rawValue) << 3 | words << 8 | argument << 24
    }
    static func free(_ address: UInt64, delta: UInt64 = 0) -> UInt64 { 1 | delta << 3 | (address >> 3) << 20 }
    static func allocation(_ address: UInt64, size: UInt64, stack: UInt64 = 0, delta: UInt64 = 0) -> [UInt64] {
        [2 | delta << 3 | (address >> 3) << 20, size | stack << 32]
    }
    static func time(_ ticks: UInt64) -> [UInt64] { [extended(HT_EXTENDED_TIME, 1), ticks] }
    static func tag(_ id: UInt64, _ text: String) -> [UInt64] {
        let bytes = Array(text.utf8)
        var words = [UInt64](repeating: 0, count: (bytes.count + 7) / 8)
        for (place, byte) in bytes.enumerated() { words[place / 8] |= UInt64(byte) << UInt64(place % 8 * 8) }
        return [extended(HT_EXTENDED_TAG, UInt64(words.count) + 1, argument: id), UInt64(bytes.count)] + words
    }
    static func stack(_ id: UInt64, tag: UInt64, frames: [UInt64]) -> [UInt64] {
        [extended(HT_EXTENDED_STACK, UInt64(frames.count) + 2, argument: id), 0, tag] + frames
    }
}

extension RecorderCore {
    @Suite("A chunk") struct ChunkTests {
        /// A chunk's header and, from its records, what the header ought to say.
        private struct Chunk {
            var header: ht_chunk_header
            var words: ArraySlice<UInt64>
        }

        private func eventChunks(_ bytes: [UInt8]) -> [Chunk] {
            var chunks: [Chunk] = []
            bytes.withUnsafeBytes { buffer in
                var at = 64
                while at + 64 <= buffer.count {
                    let header = buffer.loadUnaligned(fromByteOffset: at, as: ht_chunk_header.self)
                    let count = Int(header.stored_bytes)
                    if header.kind == HT_CHUNK_EVENTS.rawValue {
                        let words = (0..<count / 8).map {
                            buffer.loadUnaligned(fromByteOffset: at + 64 + $0 * 8, as: UInt64.self)
                        }
                        chunks.append(Chunk(header: header, words: words[...]))
                    }
                    at += 64 + (count + 7) / 8 * 8
                }
                #expect(at == buffer.count)
            }
            return chunks
        }

        /// Records, allocations, frees and the last time of a chunk's words.
        private func survey(_ chunk: Chunk) -> (records: Int, allocations: Int, frees: Int, last: UInt64) {
            var result = (records: 0, allocations: 0, frees: 0, last: chunk.header.first_time)
            var words = chunk.words
            func delta(_ word: UInt64) -> UInt64 { word >> 3 & 0x1ffff }
            while let first = words.first {
                let rest = Array(words.prefix(8))
                var length = 1
                result.records += 1
                switch first & 7 {
                case 1:
                    (result.frees, result.last) = (result.frees + 1, result.last + delta(first))
                case 2:
                    (result.allocations, result.last, length) = (result.allocations + 1, result.last + delta(first), 2)
                case 3:
                    result.allocations += 1
                    result.frees += 1
                    result.last += delta(first) + delta(rest[1])
                    length = 3
                case 7:
                    length = 1 + Int(first >> 8 & 0xffff)
                    switch first >> 3 & 0x1f {
                    case 1: result.last = rest[1]
                    case 2: result.frees += 1
                    case 3: result.allocations += 1
                    case 4:
                        result.allocations += 1
                        result.frees += 1
                        result.last = rest[2]
                    default: break
                    }
                default: Issue.record("a record of kind \(first & 7)")
                }
                words = words.dropFirst(length)
            }
            return result
        }

        @Test(
            "says in its header what its records say, and starts where its stream's last one ended", arguments: [1, 4])
        func headers(threads: Int) throws {
            let session = try RecordingSession()
            session.drain()
            let production = ht_test_produce(UInt32(threads), 15_000, true)
            ht_test_production_join(production)
            perform([
                .reallocate(0x1000, to: 0x2000, size: 8, at: 0), .reallocate(0x2000, to: 0x3001, size: 5 << 30, at: 0),
                .free(0x3001, at: 1 << 40), .free(0x4000, at: 1 << 41), .count("a", 1), .allocate(0x1, size: 3),
            ])
            let (bytes, state) = try session.bytes()
            let chunks = eventChunks(bytes)
            #expect(chunks.count > threads * 5)
            var ends: [UInt32: UInt64] = [:]
            var wrong = 0
            for chunk in chunks {
                let (header, seen) = (chunk.header, survey(chunk))
                if header.allocations != seen.allocations || header.frees != seen.frees { wrong += 1 }
                if header.records != seen.records || header.last_time != seen.last { wrong += 1 }
                if header.first_time != ends[header.thread, default: header.first_time] { wrong += 1 }
                if header.image != 1 || header.lane != 0 { wrong += 1 }
                ends[header.thread] = header.last_time
            }
            #expect(wrong == 0)
            #expect(ends.count == threads + 1)
            #expect(chunks.reduce(0) { $0 + UInt64($1.header.allocations) } == state.drained_allocations)
            #expect(chunks.reduce(0) { $0 + UInt64($1.header.frees) } == state.drained_frees)
        }

        @Test(
            "keeps the records before one that makes no sense",
            arguments: [
                [6], [0xffff_ff07], [CraftedStream.extended(HT_EXTENDED_MODULE, 900)], [2], [3, 2],
                [6] + CraftedStream.allocation(0x5000, size: 1),
            ] as [[UInt64]])
        func damagedStream(damage: [UInt64]) throws {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            let sound = CraftedStream.allocation(0x1000, size: 24) + [CraftedStream.free(0x1000, delta: 5)]
            CraftedStream(serial: 9, start: 100, words: sound + damage).put(session)
            CraftedStream(serial: 10, start: 200, words: sound).put(session)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(trace.events.map(\.address) == [0x1000, 0x1000, 0x1000, 0x1000])
            #expect(trace.events.map(\.time) == [100, 105, 200, 205])
        }
    }

    @Suite("The text writer, on crafted streams") struct CraftedTextTests {
        private func lines(_ streams: [CraftedStream]) throws -> [String] {
            let session = try RecordingSession(options: RecorderOption.noStacks, text: true)
            for stream in streams { stream.put(session) }
            return try session.lines()
        }

        @Test("counts the time of a slow reallocation for the events after it")
        func slowReallocation() throws {
            let wide = [
                CraftedStream.extended(HT_EXTENDED_WIDE_REALLOC, 5), 0x1000, 10_000, 0x2000, 16, 0,
            ]
            let lines = try lines([
                CraftedStream(
                    serial: 1, words: CraftedStream.time(100) + wide + [CraftedStream.free(0x2000, delta: 1)]),
                CraftedStream(serial: 2, start: 5_000, words: [CraftedStream.free(0x7000)]),
            ])
            #expect(
                lines == [
                    "FREE: 0x1000, size 0", "ALLOC: 0x2000, size 16", "FREE: 0x7000, size 0", "FREE: 0x2000, size 16",
                ])
        }

        @Test("forgets an image's blocks, stacks and tags when the process executes another")
        func images() throws {
            let first =
                CraftedStream.tag(1, "Class\0Old\0construct\0swift") + CraftedStream.stack(1, tag: 1, frames: [])
                + CraftedStream.allocation(0x1000, size: 24, stack: 1) + CraftedStream.allocation(0x2000, size: 32)
            let second =
                CraftedStream.allocation(0x1000, size: 40, stack: 1)
                + CraftedStream.tag(1, "Class\0New\0construct\0swift") + CraftedStream.stack(2, tag: 1, frames: [])
                + CraftedStream.allocation(0x3000, size: 48, stack: 2) + [CraftedStream.free(0x2000, delta: 1)]
            let lines = try lines([
                CraftedStream(serial: 1, start: 100, words: first),
                CraftedStream(serial: 2, image: 2, start: 200, words: second),
            ])
            #expect(
                lines == [
                    "ALLOC: 0x1000, size 24, owner Old, cause construct", "ALLOC: 0x2000, size 32",
                    "ALLOC: 0x1000, size 40", "ALLOC: 0x3000, size 48, owner New, cause construct",
                    "FREE: 0x2000, size 0",
                ])
        }
    }
}
