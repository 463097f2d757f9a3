// What happens to the collector: killed, stopped, kept waiting by the reader of its output. The program goes on, nothing
// that was written is lost, and nothing at all where the collector comes back.

internal import Foundation
internal import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CollectorTests {
    private static let blocks = 20_000_000

    /// 20 million blocks of 19013 bytes, each freed: fills the rings many times over.
    private func busyProgram() throws -> String {
        try ProgramBuilder.build(
            """
            #include <stdio.h>
            #include <stdlib.h>
            int main(void) {
                for (int i = 0; i < \(Self.blocks); i++) { char *volatile block = malloc(19013); *block = 1; free(block); }
                puts("done");
                return 7;
            }
            """, language: .c, name: "very-busy", arguments: ["-O1", "-fno-builtin"])
    }

    /// Starts the tool in the folder, runs `then` with its process id in `$p` once a megabyte is written.
    private func run(in folder: TemporaryDirectory, then script: String) throws -> ProcessResult {
        let start = """
            '\(try BuildProducts.heaptrail())' record -o run.trace -- '\(try busyProgram())' >out & p=$!
            until [ "$(stat -c %s run.trace 2>/dev/null || echo 0)" -gt 1000000 ]; do sleep 0.01; done
            """
        return try TestSupport.run(
            "bash", ["-c", "\(start)\n\(script)"], workingDirectory: folder.path, timeout: 120)
    }

    @Test func `a killed collector leaves the program running and the trace readable`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(
            in: folder, then: "kill -9 $p; wait $p; echo $?; until grep -q done out; do sleep 0.05; done")
        #expect(result.stdout == "137\n", "\(result.stderr)")
        #expect(!result.timedOut)
        let report = try Recording.report(on: folder.file("run.trace"), by: "size")
        #expect(!report.trace.complete)
        let events = report.events(ofSize: 19013)
        #expect(events.allocations > 10_000)
        #expect(events.allocations - events.frees <= 1)
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
    }

    @Test func `a collector that is stopped for ten seconds loses nothing`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(in: folder, then: "kill -STOP $p; sleep 10; kill -CONT $p; wait $p; echo $?")
        #expect(result.stdout == "7\n", "\(result.stderr)")
        let report = try Recording.report(on: folder.file("run.trace"), by: "size")
        #expect(report.events(ofSize: 19013) == Events(Self.blocks, Self.blocks))
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
    }

    @Test func `a tool that is asked to end passes that on and writes the end`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(in: folder, then: "kill -TERM $p; wait $p; echo $?")
        #expect(result.stdout == "143\n", "\(result.stderr)")
        let report = try Recording.report(on: folder.file("run.trace"), by: "size")
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
    }

    @Test func `a full disk and a file-size limit end the trace, not the program`() throws {
        let folder = try TemporaryDirectory()
        let script = """
            ulimit -S -f 2000
            '\(try BuildProducts.heaptrail())' record -o run.trace -- '\(try busyProgram())'; echo $?
            """
        let result = try TestSupport.run("bash", ["-c", script], workingDirectory: folder.path, timeout: 120)
        #expect(result.stdout == "done\n7\n", "\(result.stderr)")
        #expect(result.stderr.contains("File too large"), "\(result.stderr)")
        let report = try Recording.report(on: folder.file("run.trace"), by: "size")
        #expect(!report.trace.complete)
        #expect(report.events(ofSize: 19013).allocations > 10_000)
        #expect(report.trace.unmatchedFrees == 0)
    }

    @Test(arguments: ["-v 1000000", "-n 16", "-u 2000", "-s 256", "-c 0"])
    func `limits on the tool are limits on the program, which is recorded`(limit: String) throws {
        let program = try ProgramBuilder.build(
            testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let folder = try TemporaryDirectory()
        let script = "ulimit \(limit) && '\(try BuildProducts.heaptrail())' record -o run.trace -- '\(program)'"
        let result = try TestSupport.run("bash", ["-c", script], workingDirectory: folder.path)
        #expect(result.status == .exited(3), "\(result.stderr)")
        #expect(result.stdout == "done\n")
        let report = try Recording.report(on: folder.file("run.trace"), by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.complete)
    }

    @Test func `a folder that may not be written is 73 and the program does not run`() throws {
        let folder = try TemporaryDirectory()
        let script = "'\(try BuildProducts.heaptrail())' record -o /proc/run.trace -- touch started; echo $?"
        let result = try TestSupport.run("bash", ["-c", script], workingDirectory: folder.path)
        #expect(result.stdout == "73\n")
        #expect(try folder.names().isEmpty)
    }
}
