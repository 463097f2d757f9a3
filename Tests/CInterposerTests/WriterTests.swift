// The trace writer on descriptors that write little, late or nothing, the text writer, and the checksum.

import CInterposerTestSupport
import CTraceFormat
import Glibc
import Testing
import TraceReader

extension RecorderCore {
    @Suite("The trace writer") struct TraceWriterTests {
        private static let capacity = (64 << 10) + 128

        /// What the chunks of `ht_test_write_chunks` come to.
        private func length(chunks: Int, bytes: Int) -> Int { 64 + chunks * (64 + (bytes + 7) / 8 * 8) }

        @Test(
            "writes every byte through a pipe that takes a few at a time",
            arguments: [true, false], [(40, 20_001), (200, 777), (3, 65_472)])
        func shortWrites(nonblocking: Bool, size: (Int, Int)) throws {
            let (chunks, bytes) = size
            var out = [UInt8](repeating: 0, count: length(chunks: chunks, bytes: bytes) + 64)
            var written = ht_test_written()
            let count = ht_test_write_through_pipe(
                Self.capacity, UInt32(chunks), UInt32(bytes), nonblocking, &out, out.count, &written)
            #expect(written.error == 0)
            #expect(count == length(chunks: chunks, bytes: bytes))
            #expect(written.written == UInt64(count))
            // Chunks of a kind nobody knows, which may be skipped: the reader checks each checksum on its way past them.
            let trace = try Trace.open(bytes: Array(out.prefix(count)))
            #expect(trace.corruption == nil)
            #expect(trace.cutOffset == nil || trace.cutOffset == UInt64(count))
            let last = out[(count - (bytes + 7) / 8 * 8)..<(count - (bytes + 7) / 8 * 8 + bytes)]
            #expect(last.allSatisfy { $0 == UInt8(truncatingIfNeeded: chunks - 1) })
        }

        @Test("reports a full disk and writes nothing after it")
        func fullDisk() throws {
            let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
            try #require(full >= 0)
            defer { close(full) }
            let written = ht_test_write_chunks(full, Self.capacity, 100, 10_000)
            #expect(written.error == ENOSPC)
            #expect(written.written == 0)
        }

        @Test("reports a descriptor that is closed")
        func badDescriptor() {
            #expect(ht_test_write_chunks(-1, Self.capacity, 1, 8).error == EBADF)
        }
    }

    @Suite("The text writer") struct TextWriterTests {
        private func lines(_ operations: [Operation]) throws -> [String] {
            let session = try RecordingSession(options: RecorderOption.noStacks, text: true)
            perform(operations)
            return try session.lines()
        }

        @Test("writes one line an event, with the block's size at its free")
        func plainLines() throws {
            let lines = try lines([
                .allocate(0x1053_12010, size: 505), .allocate(0x2000, size: 0), .free(0x1053_12010, at: 1 << 40),
                .free(0x9998, at: 2 << 40), .free(0x2000, at: 3 << 40), .free(0x2000, at: 4 << 40),
            ])
            #expect(
                lines == [
                    "ALLOC: 0x105312010, size 505", "ALLOC: 0x2000, size 0", "FREE: 0x105312010, size 505",
                    "FREE: 0x9998, size 0", "FREE: 0x2000, size 0", "FREE: 0x2000, size 0",
                ])
        }

        @Test("tells owner and cause where a tag knows them, at the free too")
        func taggedLines() throws {
            let lines = try lines([
                .push("Box<Matrix>"), .allocate(0x1000, size: 505), .pop, .allocate(0x2000, size: 8),
                .free(0x1000, at: 1 << 40), .free(0x2000, at: 2 << 40),
            ])
            #expect(
                lines == [
                    "ALLOC: 0x1000, size 505, owner Box<Matrix>, cause construct", "ALLOC: 0x2000, size 8",
                    "FREE: 0x1000, size 505, owner Box<Matrix>, cause construct", "FREE: 0x2000, size 8",
                ])
        }

        @Test("writes a reallocation as a free and an allocation")
        func reallocations() throws {
            let lines = try lines([
                .allocate(0x1000, size: 10), .reallocate(0x1000, to: 0x1000, size: 20, at: 1 << 40),
                .reallocate(0x1000, to: 0x2001, size: 5 << 30, at: 1 << 41), .free(0x2001, at: 1 << 42),
            ])
            #expect(
                lines == [
                    "ALLOC: 0x1000, size 10", "FREE: 0x1000, size 10", "ALLOC: 0x1000, size 20",
                    "FREE: 0x1000, size 20", "ALLOC: 0x2001, size 5368709120", "FREE: 0x2001, size 5368709120",
                ])
        }

        @Test("merges two threads' streams by time")
        func mergedStreams() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks, text: true)
            // The second script starts later by far less than a step.
            let step: Int64 = 1 << 42
            perform((0..<200).map { .free(0x10_0000 + UInt64($0) * 32, at: Int64($0 + 1) * step) })
            perform((0..<200).map { .free(0x10_0010 + UInt64($0) * 32, at: Int64($0 + 1) * step + step / 2) })
            let lines = try session.lines()
            let expected = (0..<400).map { "FREE: 0x\(String(0x10_0000 + $0 * 16, radix: 16)), size 0" }
            #expect(lines == expected)
        }

        private func stream(_ serial: UInt32, at start: UInt64, _ words: [UInt64]) -> CraftedStream {
            CraftedStream(serial: serial, start: start, words: words)
        }

        /// What a reallocation looks like that was held up after it gave its old block back: another thread's ALLOC there is to be read
        /// long before the FREE. A tenth of a second ago, past the hold.
        @Test("writes an allocation after the free of the block that was there, however late that is published")
        func lateFree() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks, text: true)
            let start = ht_test_now() - 300_000_000
            stream(1, at: start, CraftedStream.allocation(0x1000, size: 10)).put(session)
            stream(
                2, at: start,
                CraftedStream.allocation(0x1000, size: 20, delta: 2000) + CraftedStream.allocation(0x3000, size: 30)
            ).put(session)
            stream(3, at: start, CraftedStream.allocation(0x4000, size: 40, delta: 3000)).put(session)
            var taken: UInt64 = 0
            session.with { taken = ht_test_session_round($0) }
            #expect(taken == 2)
            session.with { taken = ht_test_session_round($0) }
            #expect(taken == 0)
            stream(4, at: start, [CraftedStream.free(0x1000, delta: 1000)]).put(session)
            session.with { taken = ht_test_session_round($0) }
            #expect(taken == 7)
            #expect(
                try session.lines() == [
                    "ALLOC: 0x1000, size 10", "FREE: 0x1000, size 10", "ALLOC: 0x1000, size 20",
                    "ALLOC: 0x3000, size 30", "ALLOC: 0x4000, size 40",
                ])
        }

        @Test(
            "does not wait for a free that was lost", arguments: [RecorderOption.noStacks, 3],
            [300_000_000, 180_000_000_000])
        func lostFree(options: UInt32, age: UInt64) throws {
            let session = try RecordingSession(options: options, text: true)
            let start = ht_test_now() - age
            let words = CraftedStream.allocation(0x1000, size: 10) + CraftedStream.allocation(0x1000, size: 20)
            stream(1, at: start, words).put(session)
            var taken: UInt64 = 0
            session.with { taken = ht_test_session_round($0) }
            #expect(taken == (options == RecorderOption.noStacks && age == 300_000_000 ? 2 : 4))
            #expect(try session.lines() == ["ALLOC: 0x1000, size 10", "ALLOC: 0x1000, size 20"])
        }

        @Test("remembers blocks however many there are, and forgets those that were freed")
        func manyBlocks() throws {
            let count = 30_000
            var operations: [Operation] = (0..<count).map {
                .allocate(0x1000 + UInt64($0) * 48, size: UInt64($0))
            }
            operations += (0..<count).reversed().map { .free(0x1000 + UInt64($0) * 48, at: 1 << 50) }
            operations += (0..<100).map { .free(0x1000 + UInt64($0) * 48, at: 1 << 51) }
            let lines = try lines(operations)
            var wrong = 0
            for number in 0..<count {
                let address = String(0x1000 + number * 48, radix: 16)
                if lines[number] != "ALLOC: 0x\(address), size \(number)" { wrong += 1 }
                if lines[2 * count - 1 - number] != "FREE: 0x\(address), size \(number)" { wrong += 1 }
            }
            #expect(wrong == 0)
            #expect(lines.suffix(100).allSatisfy { $0.hasSuffix(", size 0") })
            #expect(lines.count == 2 * count + 100)
        }

        @Test("carries many threads' events whole while they are written")
        func manyThreads() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks, text: true)
            session.drain()
            let production = ht_test_produce(4, 5_000, true)
            ht_test_production_join(production)
            let (trace, state) = try session.trace()
            #expect(trace.mode == .text)
            #expect(trace.foreignLines == 0)
            #expect(trace.allocations == 20_000)
            #expect(trace.frees == 10_000)
            #expect(state.drained_allocations == 20_000)
            #expect(trace.events.allSatisfy { $0.size >= 16 && $0.size < 16 + 1024 })
        }
    }

    @Suite("The checksum") struct ChecksumTests {
        @Test(
            "equals the published vectors of CRC-32C",
            arguments: [
                (Array("123456789".utf8), 0xe306_9283), ([], 0), ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
                ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
                (Array((0..<32).reversed()), 0x113f_db5c),
            ] as [([UInt8], UInt32)])
        func vectors(bytes: [UInt8], checksum: UInt32) {
            #expect(ht_crc32c(0, bytes, bytes.count) == checksum)
            #expect(ht_test_crc32c_portable(0, bytes, bytes.count) == checksum)
        }

        @Test("is the same by the processor's instruction and without it, at every length, place and seed")
        func hardwareEqualsPortable() {
            var generator = SplitMix(state: 1)
            let bytes = (0..<600).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            var differing = 0
            bytes.withUnsafeBytes { buffer in
                for start in 0..<9 {
                    for count in 0..<550 {
                        let seed = UInt32.random(in: .min ... .max, using: &generator)
                        let place = buffer.baseAddress! + start
                        if ht_crc32c(seed, place, count) != ht_test_crc32c_portable(seed, place, count) {
                            differing += 1
                        }
                    }
                }
            }
            #expect(differing == 0)
        }

        @Test("of a whole is the checksum of its parts, continued")
        func continuation() {
            let bytes = Array((0..<255) as Range<UInt8>)
            let whole = ht_crc32c(0, bytes, bytes.count)
            for cut in [0, 1, 7, 8, 100, 254, 255] {
                let head = ht_crc32c(0, bytes, cut)
                let tail = Array(bytes[cut...])
                #expect(ht_crc32c(head, tail, tail.count) == whole)
            }
        }
    }
}
