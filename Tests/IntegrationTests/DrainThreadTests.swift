// The preload where the tool is not beside it: a thread of its own drains the rings, and the trace says so.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct DrainThreadTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        try FileManager.default.copyItem(
            atPath: BuildProducts.preload(), toPath: folder.file("libheaptrail.so"))
    }

    /// Runs a test program under the library; the trace is `thread.trace` in the folder.
    private func runAlone(_ file: String, _ arguments: [String] = []) throws -> ProcessResult {
        let program = try ProgramBuilder.build(
            testProgram: file, language: .c, arguments: ["-O1", "-fno-builtin"])
        return try run(
            program, arguments,
            environment: .inherited(adding: [
                "LD_PRELOAD": folder.file("libheaptrail.so"), "HEAPTRAIL_OUTPUT": folder.file("thread.trace"),
            ]))
    }

    private func report() throws -> Report { try Recording.report(on: folder.file("thread.trace"), by: "size") }

    @Test func `a library alone records with a thread of its own, to the block`() throws {
        let result = try runAlone("magic-sizes.c")
        let report = try report()
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr == "")
        #expect(report.trace.mode == "thread")
        #expect(report.trace.allocator == "glibc")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.events(ofSize: 3001) == Events(50, 50))
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
    }

    @Test func `a program's own malloc, which nobody is there to find, is said to be missing`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "own-allocator.c", language: .c, arguments: ["-O1", "-fno-builtin", "-w", "-DOWN"])
        let result = try run(
            program, ["1"],
            environment: .inherited(adding: [
                "LD_PRELOAD": folder.file("libheaptrail.so"), "HEAPTRAIL_OUTPUT": folder.file("thread.trace"),
            ]))
        #expect(result.isSuccess)
        let shown = try run(BuildProducts.heaptrail(), ["report", folder.file("thread.trace")])
        #expect(shown.stderr.contains("own malloc was not recorded"), "\(shown.stderr)")
    }

    @Test func `a collector that dies before it is ready is replaced by a thread`() throws {
        try folder.write("#!/bin/sh\nkill -9 $$\n", to: "heaptrail", executable: true)
        let result = try runAlone("magic-sizes.c")
        let report = try report()
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(report.trace.mode == "thread")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.complete)
    }

    @Test func `many threads are recorded by one more`() throws {
        let result = try runAlone("threads.c", ["handover"])
        let report = try report()
        #expect(result.stdout == "ok\n")
        #expect(report.events(ofSize: 14011) == Events(2000, 2000))
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
    }

    @Test(arguments: [("_exit", 7), ("quick_exit", 8), ("exit-from-thread", 6)])
    func `a program that leaves early loses nothing`(how: String, status: Int32) throws {
        let result = try runAlone("ends.c", [how])
        #expect(result.status == .exited(status))
        let report = try report()
        #expect(report.events(ofSize: 12007) == Events(1000, 400))
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
    }

    @Test func `a program killed early leaves a trace that is cut, or empty and called so`() throws {
        let result = try runAlone("ends.c", ["kill"])
        #expect(result.status == .signaled(9))
        let shown = try run(
            BuildProducts.heaptrail(), ["report", folder.file("thread.trace"), "--json", "--by", "size"])
        if shown.isSuccess {
            let report = try Report(json: shown.stdoutBytes)
            #expect(!report.trace.complete)
            #expect(report.events(ofSize: 12007).allocations <= 1000)
        } else {
            // The thread had written nothing yet.
            #expect(shown.status == .exited(65))
            #expect(try folder.read("thread.trace").isEmpty, "\(shown.stderr)")
        }
    }
}
