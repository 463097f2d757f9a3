// Damaged traces: every truncation and every flipped byte of the golden files is reported with an offset, keeps exactly what came before, and
// never traps. Then the same flips under checksums made good again, where the content itself is hostile: whatever the scan counts, the event loop
// delivers.

import TestSupport
import Testing
import TraceReader

/// A chunk's place in a file.
struct ChunkSpan {
    var start: Int
    var payload: Int
    var payloadEnd: Int
    var end: Int
    var kind: UInt8

    /// The chunks of a whole trace.
    static func all(of bytes: [UInt8]) -> [ChunkSpan] {
        var spans: [ChunkSpan] = []
        var start = 64
        while start < bytes.count {
            let stored = (0..<4).reversed().reduce(0) { $0 << 8 | Int(bytes[start + 8 + $1]) }
            let end = start + 64 + (stored + 7) / 8 * 8
            spans.append(
                ChunkSpan(
                    start: start, payload: start + 64, payloadEnd: start + 64 + stored, end: end, kind: bytes[start + 4]
                ))
            start = end
        }
        return spans
    }
}

/// Writes the checksums of a chunk anew.
func repairChecksums(_ bytes: inout [UInt8], _ chunk: ChunkSpan) {
    func put(_ value: UInt32, at position: Int) {
        withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(position..<position + 4, with: $0) }
    }
    put(TraceBuilder.checksum(bytes[chunk.payload..<chunk.payloadEnd]), at: chunk.start + 52)
    put(TraceBuilder.checksum(bytes[chunk.start..<chunk.start + 60]), at: chunk.start + 60)
}

/// Events of all images.
func allEvents(of trace: Trace) -> [HeapEvent] { trace.images.flatMap { events(of: trace, image: $0.number) } }

@Suite struct TraceDamageTests {
    @Test(arguments: GoldenTrace.all + GoldenTrace.compacted)
    func `a trace cut at any byte keeps its whole chunks and says where it was cut`(golden: GoldenTrace) throws {
        let bytes = golden.bytes
        let chunks = ChunkSpan.all(of: bytes)
        let endsAt = try #require(chunks.first { $0.kind == 7 }).end
        #expect(throws: TraceError.empty) { try Trace.open(bytes: []) }
        for length in 1..<64 {
            #expect(throws: TraceError.cutInHeader(offset: UInt64(length))) {
                try Trace.open(bytes: Array(bytes[..<length]))
            }
        }
        var expected: [HeapEvent] = []
        for (start, end) in [(64, 64)] + chunks.map({ ($0.start, $0.end) }) {
            for length in start..<end {
                let trace = try Trace.open(bytes: Array(bytes[..<length]))
                #expect(!trace.isComplete || (length == start && length == endsAt))
                #expect(trace.isComplete || trace.cutOffset == UInt64(start))
                #expect(trace.corruption == nil)
                guard allEvents(of: trace) == expected else {
                    Issue.record("other events when cut at \(length)")
                    continue
                }
            }
            expected = allEvents(of: try Trace.open(bytes: Array(bytes[..<end])))
        }
        #expect(try Trace.open(bytes: bytes).isComplete)
    }

    @Test(arguments: GoldenTrace.all + GoldenTrace.compacted)
    func `a flipped byte anywhere is found, and what came before its chunk stands`(golden: GoldenTrace) throws {
        var bytes = golden.bytes
        for position in 0..<64 {
            for mask: UInt8 in [0xFF, 0x01, 0x80] {
                bytes[position] ^= mask
                let error = #expect(throws: TraceError.self) { try Trace.open(bytes: bytes) }
                #expect(error?.isBadData == true)
                #expect(position < 8 ? error == .foreign : error?.isCorrupt == true)
                bytes[position] ^= mask
            }
        }
        for chunk in ChunkSpan.all(of: bytes) {
            let before = allEvents(of: try Trace.open(bytes: Array(bytes[..<chunk.start])))
            for position in chunk.start..<chunk.end {
                for mask: UInt8 in [0xFF, 0x01, 0x80] {
                    bytes[position] ^= mask
                    let trace = try Trace.open(bytes: bytes)
                    let offset = trace.corruption?.offset
                    if trace.corruption?.isCorrupt != true || trace.isComplete || Int(offset ?? 0) < chunk.start
                        || Int(offset ?? 0) > position || allEvents(of: trace) != before
                    {
                        Issue.record("byte \(position) ^ \(mask): \(String(describing: trace.corruption))")
                    }
                    bytes[position] ^= mask
                }
            }
        }
    }

    @Test(arguments: GoldenTrace.all + GoldenTrace.compacted)
    func `hostile bytes under good checksums neither trap nor hide events`(golden: GoldenTrace) throws {
        var bytes = golden.bytes
        let original = golden.bytes
        for chunk in ChunkSpan.all(of: bytes) {
            // The sizes are left alone: they decide what the checksums cover.
            for position in chunk.start..<chunk.payloadEnd
            where !(chunk.start + 8..<chunk.start + 16).contains(position) {
                for mask: UInt8 in [0xFF, 0x01, 0x80, 0x07, 0x10] {
                    bytes[position] ^= mask
                    repairChecksums(&bytes, chunk)
                    let trace = try Trace.open(bytes: bytes)
                    let delivered = allEvents(of: trace)
                    let frees = UInt64(delivered.count { $0.kind == .free })
                    if frees != trace.frees || UInt64(delivered.count) - frees != trace.allocations {
                        Issue.record("byte \(position) ^ \(mask): counted \(trace.allocations) and \(trace.frees)")
                    }
                    for number in trace.images.map(\.number) {
                        let stacks = try #require(trace.tables(image: number)?.stacks)
                        for row in 0..<stacks.count { #expect(stacks.frames(row: row).count == stacks[row].depth) }
                    }
                    bytes.replaceSubrange(chunk.start..<chunk.end, with: original[chunk.start..<chunk.end])
                }
            }
        }
        #expect(bytes == original)
    }
}
