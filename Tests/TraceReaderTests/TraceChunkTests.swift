// Chunks and versions: what a reader must refuse, what it must skip, and that a fault's offset is the right one.

import TestSupport
import Testing
import TraceReader

@Suite struct TraceChunkTests {
    /// A trace with one allocation, then whatever `write` adds.
    private func trace(_ write: (inout TraceBuilder) -> Void) throws -> (trace: Trace, start: UInt64) {
        var builder = TraceBuilder()
        builder.events { $0.allocate(0x10, size: 1, at: 1001) }
        let start = UInt64(builder.bytes.count)
        write(&builder)
        return (try Trace.open(bytes: builder.bytes), start)
    }

    @Test func `a later major version is refused, a later minor one is read`() throws {
        #expect(throws: TraceError.unsupportedVersion(offset: 8, major: 2, minor: 7)) {
            try Trace.open(bytes: TraceBuilder(major: 2, minor: 7).bytes)
        }
        #expect(try Trace.open(bytes: TraceBuilder(minor: 9).bytes).processID == 4242)
        #expect(throws: TraceError.self) { try Trace.open(bytes: TraceBuilder(major: 0).bytes) }
    }

    @Test func `a header of another byte order or pointer width is refused`() throws {
        for (position, value) in [(13, UInt8(2)), (14, 32), (15, 3)] {
            var bytes = TraceBuilder().bytes
            bytes[position] = value
            withUnsafeBytes(of: TraceBuilder.checksum(bytes[..<60]).littleEndian) {
                bytes.replaceSubrange(60..<64, with: $0)
            }
            let error = #expect(throws: TraceError.self) { try Trace.open(bytes: bytes) }
            #expect(error?.offset == UInt64(position))
            #expect(error?.isBadData == true)
        }
    }

    @Test func `a header alone is a trace cut before its first chunk`() throws {
        let trace = try Trace.open(bytes: TraceBuilder().bytes)
        #expect(!trace.isComplete)
        #expect(trace.cutOffset == 64)
        #expect(events(of: trace).isEmpty)
        #expect(trace.lastImage == 1)
    }

    @Test func `an unknown chunk that may be skipped is skipped`() throws {
        let (trace, _) = try trace {
            $0.chunk(kind: 77, skippable: true, codec: 9, payload: [1, 2, 3])
            $0.end()
        }
        #expect(trace.isComplete)
        #expect(trace.allocations == 1)
    }

    @Test func `an unknown chunk that may not be skipped ends the reading`() throws {
        let (trace, start) = try trace {
            $0.chunk(kind: 77, payload: [])
            $0.events(from: 1001) { $0.free(0x10, at: 1002) }
            $0.end()
        }
        #expect(trace.corruption == .unsupported(offset: start + 4, what: "unknown chunk kind 77"))
        #expect(trace.allocations == 1)
        #expect(trace.frees == 0)
        #expect(!trace.isComplete)
    }

    @Test func `an unknown codec ends the reading`() throws {
        let (trace, start) = try trace { $0.chunk(kind: 2, codec: 3, payload: []) }
        #expect(trace.corruption?.offset == start + 7)
    }

    @Test func `nothing but an index may follow the end`() throws {
        let (trace, start) = try trace {
            $0.end()
            $0.events(from: 1001) { $0.free(0x10, at: 1002) }
        }
        #expect(trace.corruption?.offset == start + 64 + 32)
        #expect(trace.frees == 0)
        #expect(trace.end?.how == .exited)
        #expect(!trace.isComplete)
    }

    @Test func `an end that counts other events than the chunks is corrupt`() throws {
        let (more, start) = try trace { $0.end(allocations: 2, frees: 0) }
        #expect(more.corruption?.offset == start)
        #expect(more.allocations == 1)
        let (less, _) = try trace { $0.end(allocations: 1, frees: 1) }
        #expect(less.corruption?.isCorrupt == true)
    }

    @Test func `a chunk whose header counts other events than its records is corrupt and left out`() throws {
        let (trace, start) = try trace {
            $0.events(from: 1001) {
                $0.free(0x10, at: 1002)
                $0.count(frees: 1)
            }
        }
        #expect(trace.corruption?.offset == start)
        #expect(trace.frees == 0)
        #expect(events(of: trace).count == 1)
    }

    @Test func `zeros where a chunk should start are corrupt, too few of them are a cut`() throws {
        let (zeros, start) = try trace { $0.raw([UInt8](repeating: 0, count: 64)) }
        #expect(zeros.corruption == .corrupt(offset: start, what: "no chunk starts here"))
        let (few, _) = try trace { $0.raw([UInt8](repeating: 0, count: 63)) }
        #expect(few.corruption == nil)
        #expect(few.cutOffset == start)
    }

    @Test func `records that break the rules are found at their own byte`() throws {
        let cases: [(name: String, word: UInt64, write: (inout RecordWriter) -> Void)] = [
            ("kind 6", 0, { $0.raw(6) }),
            ("a pad that is not zero", 0, { $0.raw(8) }),
            ("an allocation of one word", 0, { $0.raw(2) }),
            ("a typed allocation of two words", 0, { $0.raw(4, 1) }),
            ("a reallocation followed by a free", 1, { $0.raw(3, 1, 0) }),
            ("a record longer than the chunk", 1, { $0.raw(0, 7 | 30 << 3 | 5 << 8, 0) }),
            ("a time of no words", 0, { $0.extended(1, []) }),
            ("a stack of one word", 0, { $0.extended(5, [0]) }),
            ("a text longer than its record", 2, { $0.extended(10, [9, 0]) }),
            ("a weight that is no number", 2, { $0.sample(0x10, size: 1, weight: .nan, at: 1000) }),
            ("a weight below zero", 2, { $0.sample(0x10, size: 1, weight: -1, at: 1000) }),
            ("a stack id of 33 bits", 3, { $0.wideAllocate(0x10, size: 1, stack: 1 << 32) }),
            ("an alignment of 2^64", 0, { $0.wideAllocate(0x10, size: 1, alignment: 65) }),
            ("a module's path longer than its record", 5, { $0.extended(6, argument: 1, [0, 0, 0, 9 << 16, 0]) }),
        ]
        for (name, word, write) in cases {
            let (trace, start) = try trace { $0.events(from: 1000, write) }
            #expect(trace.corruption?.isCorrupt == true, "\(name)")
            #expect(trace.corruption?.offset == start + 64 + word * 8, "\(name)")
            #expect(trace.allocations == 1, "\(name)")
        }
    }

    @Test func `a payload that is no whole number of words holds no records`() throws {
        let (trace, start) = try trace { $0.chunk(kind: 2, thread: 1, image: 1, payload: [0, 0, 0]) }
        #expect(trace.corruption?.offset == start + 64)
    }

    @Test func `descriptions are one line and name the byte`() {
        let errors: [TraceError] = [
            .empty, .foreign, .cutInHeader(offset: 17), .corrupt(offset: 123, what: "a field"),
            .unsupportedVersion(offset: 8, major: 2, minor: 1), .unsupported(offset: 99, what: "unknown codec 3"),
        ]
        for error in errors {
            #expect(!error.description.contains("\n"))
            #expect(error.description.contains("byte \(error.offset)"))
            #expect(error.isBadData)
        }
    }
}
