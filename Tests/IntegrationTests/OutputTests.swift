// Where a trace goes and what a slow or short-lived reader of it does to the program: nothing.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct OutputTests {
    /// 200,000 blocks of 19001 bytes, each freed.
    private static let busy = """
        #include <stdio.h>
        #include <stdlib.h>
        int main(void) {
            for (int i = 0; i < 200000; i++) { char *volatile block = malloc(19001); *block = 1; free(block); }
            puts("done");
        }
        """

    private func busyProgram() throws -> String {
        try ProgramBuilder.build(Self.busy, language: .c, name: "busy", arguments: ["-O1", "-fno-builtin"])
    }

    @Test func `a reader that takes its time loses nothing`() throws {
        let folder = try TemporaryDirectory()
        let tool = try BuildProducts.heaptrail()
        let result = try run(
            "bash",
            [
                "-c",
                "{ '\(tool)' record -o fifo --force -- '\(try busyProgram())'; } & sleep 0.3; cat fifo > copy; wait $!",
            ],
            workingDirectory: makeFifo(in: folder))
        #expect(result.status == .exited(0), "\(result.stderr)")
        let report = try Recording.report(on: folder.file("copy"), by: "size")
        #expect(report.events(ofSize: 19001) == Events(200_000, 200_000))
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
    }

    private func makeFifo(in folder: TemporaryDirectory) throws -> String {
        try runChecked("mkfifo", [folder.file("fifo")])
        return folder.path
    }

    @Test func `a reader that goes away early leaves the program alone, and the summary says so`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(
            "bash",
            [
                "-c",
                "{ '\(try BuildProducts.heaptrail())' record -o fifo --force -- '\(try busyProgram())'; echo status $?; } & "
                    + "head -c 100 fifo > copy; wait $!",
            ], workingDirectory: makeFifo(in: folder))
        #expect(result.stdout == "done\nstatus 0\n", "\(result.stderr)")
        #expect(result.stderr.contains("heaptrail: warning"), "\(result.stderr)")
    }

    @Test func `a closed standard error does not change how the tool ends`() throws {
        let tool = try BuildProducts.heaptrail()
        let folder = try TemporaryDirectory()
        let script =
            "'\(tool)' record -o t.trace -- sh -c 'sleep 0.2; exit 7' 2>&1 >/dev/null | true; echo ${PIPESTATUS[0]}"
        #expect(try runChecked("bash", ["-c", script], workingDirectory: folder.path) == "7\n")
    }

    @Test func `--when-full drop counts what it loses, and events and losses add up`() throws {
        let recording = try Recording(busyProgram(), options: ["--when-full", "drop"])
        #expect(recording.result.stdout == "done\n")
        let facts = try recording.report(by: "size").trace
        // puts allocates one buffer; what is not in the trace is in its count of losses.
        #expect(facts.events + facts.lost == 400_001)
        #expect(facts.complete)
    }
}
