// Children and images: a child is silent unless --follow gives it a trace of its own; an exec in the same process goes on
// in the same trace.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ProcessTests {
    static let ways = ["fork", "fork-exec", "spawn", "vfork", "system"]

    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "processes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
    }

    /// The parent's own counts, and that it saw its child end as it does natively.
    private func expectParent(_ recording: Recording, way: String) throws {
        #expect(recording.result.status == .exited(23))
        #expect(recording.result.stdout.hasSuffix(way == "fork" ? " 21\n" : " 22\n"))
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 13001) == Events(100, 0))
        #expect(report.events(ofSize: 13009) == Events(5, 0))
        #expect(report.events(ofSize: 13003) == Events(0, 0))
        #expect(report.events(ofSize: 13007) == Events(0, 0))
        #expect(report.trace.images == 1)
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
    }

    @Test(arguments: ways)
    func `a child is silent unless it is followed, and its parent is exact`(way: String) throws {
        let recording = try Recording(program(), [way])
        try expectParent(recording, way: way)
        #expect(try recording.followed().isEmpty)
        #expect(recording.remarks.contains { $0.contains("not recorded") && $0.contains("--follow") })
    }

    @Test func `a followed child's blocks have the slack that its parent's blocks of the same size have`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <stdlib.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int main(void) {
                free(malloc(23017));
                if (fork() == 0) {
                    for (int i = 0; i < 10; i++) free(malloc(23017));
                    _exit(0);
                }
                wait(NULL);
                return 0;
            }
            """, language: .c, name: "same-sizes", arguments: ["-O0", "-fno-builtin"])
        let recording = try Recording(program, options: ["--follow"])
        let child = try #require(try recording.followed().values.first)
        let mine = try recording.report(by: "size").rows.first { $0.size == 23017 }
        let theirs = try Recording.report(on: child, by: "size").rows.first { $0.size == 23017 }
        let slack = try #require(mine?.slackBytes)
        #expect(theirs?.allocations == 10)
        #expect(theirs?.slackBytes == 10 * slack)
    }

    @Test(arguments: ways)
    func `a followed child has a trace of its own with exact counts`(way: String) throws {
        let recording = try Recording(program(), [way], options: ["--follow"])
        try expectParent(recording, way: way)
        let traces = try recording.followed()
        let reports = try traces.mapValues { try Recording.report(on: $0, by: "size") }
        // Under system() there is a shell in between, which may or may not replace itself by the program.
        let size = way == "fork" ? 13003 : 13007
        let children = reports.filter { $0.value.events(ofSize: size).allocations > 0 }
        let child = try #require(children.first, "traces: \(traces.keys)")
        #expect(children.count == 1)
        #expect(child.value.events(ofSize: size) == (way == "fork" ? Events(40, 0) : Events(30, 0)))
        #expect(child.value.trace.pid == Int(child.key))
        #expect(child.value.trace.complete)
        #expect(child.value.trace.lost == 0)
        #expect(child.value.events(ofSize: 13001) == Events(0, 0))
        #expect(child.value.trace.inheritedFrees == (way == "fork" ? 10 : 0))
        #expect(child.value.trace.unmatchedFrees == 0)
        if way != "system" {
            #expect(traces.count == 1)
            #expect(recording.result.stdout.hasPrefix("\(child.key) "))
        }
    }

    @Test(arguments: [
        ("env", ["X=1", "{program}"]), ("sh", ["-c", "exec {program}"]), ("bash", ["-c", "exec {program}"]),
        ("env", ["-i", "{program}"]), ("nice", ["env", "A=b", "{program}"]),
    ])
    func `an image that executes another is followed in the same trace, which says so`(
        wrapper: String, arguments: [String]
    ) throws {
        let program = try ProgramBuilder.build(
            testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let recording = try Recording(
            wrapper, arguments.map { $0 == "exec {program}" ? "exec \(program)" : $0 == "{program}" ? program : $0 })
        #expect(recording.result.status == .exited(3))
        #expect(recording.result.stdout == "done\n")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.images == (wrapper == "nice" ? 3 : 2))
        #expect(report.trace.image == report.trace.images)
        #expect(report.trace.program == program)

        let said = try run(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect(said.stderr.contains("image \(report.trace.images) of \(report.trace.images)"))
        let first = try recording.report(by: "size", options: ["--image", "1"])
        #expect(first.trace.image == 1)
        #expect(first.events(ofSize: 1009) == Events(0, 0))
        #expect(first.trace.allocations > 0)
    }

    @Test func `executing a program whose own malloc cannot be redirected is no silent zero`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <stddef.h>
            static char memory[1 << 16];
            static size_t used;
            void *plain(size_t size) { used += (size + 15) & ~(size_t)15; return memory + used; }
            __attribute__((naked)) void *malloc(size_t size) { __asm__("jrcxz 1f; 1: jmp plain"); }
            void free(void *block) { (void)block; }
            int main(void) { return malloc(10) == NULL; }
            """, language: .c, name: "own-malloc", arguments: ["-fno-builtin"])
        let recording = try Recording("sh", ["-c", "exec \(program)"])
        #expect(recording.result.isSuccess)
        #expect(recording.remarks.contains { $0.contains("warning") && $0.contains("cannot be moved") })
        let report = try recording.report()
        #expect(report.trace.images == 2)
        #expect(report.trace.program == program)
        #expect(report.trace.allocations == 0)
        let said = try run(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect(said.stderr.contains("no events"), "\(said.stderr)")
        #expect(said.stderr.contains("cannot be moved"), "\(said.stderr)")
    }

    @Test func `executing a static program is said to be unrecorded`() throws {
        let program = try ProgramBuilder.build(
            "int main(void) { return 17; }", language: .c, name: "static", arguments: ["-static"])
        let recording = try Recording("sh", ["-c", "exec \(program)"])
        #expect(recording.result.status == .exited(17))
        #expect(recording.remarks.contains { $0.contains("could not be recorded") }, "\(recording.remarks)")
        #expect(try recording.report().trace.complete)
    }

    @Test func `a script is recorded as its interpreter`() throws {
        let folder = try TemporaryDirectory()
        let script = try folder.write("#!/bin/sh\nx=$((6 * 7))\necho \"$x\"\nexit 9\n", to: "script", executable: true)
        let recording = try Recording(script)
        #expect(recording.result.status == .exited(9), "\(recording.result.stderr)")
        #expect(recording.result.stdout == "42\n")
        let report = try recording.report()
        #expect(report.trace.allocations > 0)
        #expect(report.trace.complete)
    }

    @Test(arguments: [[], ["--follow"]])
    func `ldd lists what a program loads, and not us`(options: [String]) throws {
        let program = try program()
        func libraries(_ result: ProcessResult) -> [Substring] {
            result.stdout.split(separator: "\n").map { $0.split(separator: "(")[0] }
        }
        let native = try run("ldd", [program])
        let recording = try Recording("ldd", [program], options: options)
        #expect(libraries(recording.result) == libraries(native))
        #expect(recording.result.status == native.status)
    }

    @Test(arguments: [[], ["--follow"]])
    func `system and popen keep what they promise`(options: [String]) throws {
        let program = try ProgramBuilder.build(testProgram: "shells.c", language: .c)
        let native = try run(program)
        #expect(native.isSuccess)
        let recording = try Recording(program, options: options)
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.result.status == native.status)
        #expect(recording.programErrors == native.stderr)
        #expect(try recording.report().trace.complete)
        #expect(try recording.followed().isEmpty == options.isEmpty)
    }
}
