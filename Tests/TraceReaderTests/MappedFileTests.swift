// Files as the system gives them: missing, a directory, a pipe, and a regular file that is mapped.

import Glibc
import TestSupport
import Testing
import TraceReader

@Suite struct MappedFileTests {
    /// Runs `body` with the path of a temporary folder, which is removed with the named files in it.
    private func inTemporaryFolder(_ files: [String], _ body: (String) throws -> Void) throws {
        var template = Array("/tmp/trace-reader-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        let folder = String(cString: try #require(made))
        defer {
            for file in files { unlink("\(folder)/\(file)") }
            rmdir(folder)
        }
        try body(folder)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = fopen(path, "wb")
        try #require(file != nil)
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    @Test func `a mapped file reads as the same bytes in memory do`() throws {
        try inTemporaryFolder(["golden.trace"]) { folder in
            let golden = GoldenTrace.threads
            try write(golden.bytes, to: "\(folder)/golden.trace")
            let trace = try Trace.open(path: "\(folder)/golden.trace")
            #expect(trace.isComplete)
            #expect(events(of: trace) == events(of: try Trace.open(bytes: golden.bytes)))
        }
    }

    @Test func `a trace comes through a pipe whole`() throws {
        var builder = TraceBuilder()
        builder.events { for step in 1...20_000 { $0.free(0x10, at: 1000 + UInt64(step)) } }
        builder.end()
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let reader = ends[0]
        let writer = ends[1]
        let bytes = builder.bytes
        let setPipeSize: Int32 = 1031  // F_SETPIPE_SZ, which Glibc's module lacks
        try #require(fcntl(writer, setPipeSize, 1 << 20) >= bytes.count)
        #expect(Glibc.write(writer, bytes, bytes.count) == bytes.count)
        close(writer)
        let trace = try Trace.open(path: "/proc/self/fd/\(reader)")
        #expect(trace.isComplete)
        #expect(trace.frees == 20_000)
    }

    @Test(arguments: [2, 3, 4, 5, 6, 7 | 3 << 3 | 5 << 8, 7 | 4 << 3 | 5 << 8, 7 | 1 << 3 | 1 << 8, 8] as [UInt64])
    func `a file that is overwritten after it was opened is never read past its end`(word: UInt64) throws {
        try inTemporaryFolder(["page.trace"]) { folder in
            // Exactly one page: what lies behind the last record is not mapped.
            var builder = TraceBuilder()
            builder.events { for step in 1...496 { $0.free(0x10, at: 1000 + UInt64(step)) } }
            #expect(builder.bytes.count == 4096)
            try write(builder.bytes, to: "\(folder)/page.trace")
            let trace = try Trace.open(path: "\(folder)/page.trace")
            #expect(events(of: trace).count == 496)
            for last in 1...3 {
                let file = Glibc.open("\(folder)/page.trace", O_WRONLY)
                var word = word
                #expect(pwrite(file, &word, 8, off_t(4096 - last * 8)) == 8)
                close(file)
                #expect(events(of: trace).count <= 496)
            }
        }
    }

    @Test func `a missing file and a directory are unreadable, which is no bad data`() throws {
        try inTemporaryFolder([]) { folder in
            let missing = TraceError.unreadable(path: "\(folder)/no.trace", errno: ENOENT)
            #expect(throws: missing) { try Trace.open(path: "\(folder)/no.trace") }
            #expect(!missing.isBadData)
            #expect(missing.description == "cannot read \(folder)/no.trace: No such file or directory")
            #expect(throws: TraceError.unreadable(path: folder, errno: EISDIR)) { try Trace.open(path: folder) }
        }
    }

    @Test func `an empty file is empty`() throws {
        try inTemporaryFolder(["empty"]) { folder in
            try write([], to: "\(folder)/empty")
            #expect(throws: TraceError.empty) { try Trace.open(path: "\(folder)/empty") }
        }
    }
}
