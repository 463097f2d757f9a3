// Traces that come through pipes and out of devices: whole, however large, and refused early where they are no traces.

import Glibc
import Testing

@testable import TraceReader

@Suite struct StreamedFileTests {
    /// What comes of bytes that come in three parts: a socket of this kind gives one at a reading.
    private func streamed(_ bytes: [UInt8], mostInMemory: Int) throws -> (bytes: [UInt8], isMapping: Bool) {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        defer { close(ends[0]) }
        for part in 0..<3 {
            let range = bytes.count * part / 3..<bytes.count * (part + 1) / 3
            // An empty part would be taken for the end.
            if !range.isEmpty { #expect(write(ends[1], Array(bytes[range]), range.count) == range.count) }
        }
        close(ends[1])
        let file = try StreamedFile(reading: ends[0], path: "pipe", mostBytesInMemory: mostInMemory)
        let (memory, isMapping) = try file.bytes()
        defer {
            if isMapping {
                munmap(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count)
            } else {
                memory.deallocate()
            }
        }
        return (Array(memory), isMapping)
    }

    @Test(arguments: [0, 1, 999, 1000, 1001, 65_536, 100_000])
    func `the bytes are the same in memory and in a file`(count: Int) throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 251) | 1 }
        let small = try streamed(bytes, mostInMemory: 1 << 20)
        #expect(small.bytes == bytes)
        #expect(!small.isMapping)
        let large = try streamed(bytes, mostInMemory: 1000)
        #expect(large.bytes == bytes)
        #expect(large.isMapping == (count > 1000))
    }

    @Test func `an endless stream of zeros is no trace`() throws {
        let descriptor = open("/dev/zero", O_RDONLY)
        defer { close(descriptor) }
        #expect(throws: TraceError.foreign) {
            _ = try StreamedFile(reading: descriptor, path: "zeros").bytes()
        }
        #expect(throws: TraceError.foreign) { try Trace.open(path: "/dev/zero") }
    }

    @Test func `a text with zeros in it is read unless they are a quarter of it`() throws {
        let line = Array("ALLOC: 0x10, size 505\n".utf8)
        func text(zeros: Int) -> [UInt8] {
            line + (0..<zeros).map { _ in 0 } + Array(repeating: UInt8(ascii: "x"), count: 70_000 - zeros) + [10]
        }
        #expect(try Trace.open(bytes: text(zeros: 16_000)).allocations == 1)
        #expect(throws: TraceError.foreign) { try Trace.open(bytes: text(zeros: 17_000)) }
        // A short file is told by its lines alone.
        #expect(try Trace.open(bytes: line + [0, 0, 0, 0, 10]).allocations == 1)
    }

    @Test func `a descriptor is mapped from its start, and read on where it was begun`() throws {
        let golden = GoldenTrace.threads.bytes
        var name = Array("/tmp/trace-reader-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        defer {
            close(descriptor)
            unlink(name)
        }
        let junk = Array("#!".utf8)
        #expect(write(descriptor, junk + golden, golden.count + 2) == golden.count + 2)
        lseek(descriptor, 2, SEEK_SET)
        #expect(events(of: try Trace.open(descriptor: descriptor)) == events(of: try Trace.open(bytes: golden)))
        lseek(descriptor, 0, SEEK_SET)
        #expect(throws: TraceError.foreign) { try Trace.open(descriptor: descriptor) }
    }
}
