// What cannot be recorded is refused in one line with the exit status of its kind, never recorded as nothing.

internal import Foundation
internal import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct RefusalTests {
    /// Runs the tool and expects one line of its own on standard error, nothing on standard output, and the status.
    private func expectRefusal(
        _ arguments: [String], _ status: Int32, saying word: String, workingDirectory: String? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let result = try run(BuildProducts.heaptrail(), arguments, workingDirectory: workingDirectory)
        #expect(result.status == .exited(status), "\(result.stderr)", sourceLocation: sourceLocation)
        #expect(result.stdout == "", sourceLocation: sourceLocation)
        let lines = result.stderr.split(separator: "\n")
        #expect(lines.count == 1, "\(result.stderr)", sourceLocation: sourceLocation)
        #expect(result.stderr.contains(word), "\(result.stderr)", sourceLocation: sourceLocation)
    }

    /// Expects that `record` refuses a program and leaves no trace behind.
    private func expectRefusal(
        of program: String, _ status: Int32, saying word: String, options: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("refused.trace")
        try expectRefusal(
            ["record", "-o", trace] + options + ["--", program], status, saying: word, sourceLocation: sourceLocation)
        #expect(!FileManager.default.fileExists(atPath: trace), sourceLocation: sourceLocation)
    }

    @Test func `a program that does not exist is 66`() throws {
        try expectRefusal(of: "/nowhere/at-all", 66, saying: "/nowhere/at-all")
        try expectRefusal(of: "no-such-program-anywhere", 66, saying: "no-such-program-anywhere")
    }

    @Test func `a file that is not executable and a folder are 69`() throws {
        let folder = try TemporaryDirectory()
        try expectRefusal(of: folder.write("text\n", to: "plain"), 69, saying: "not executable")
        try expectRefusal(of: folder.path, 69, saying: "folder")
    }

    @Test func `a static program is 69`() throws {
        let program = try ProgramBuilder.build(
            "int main(void) { return 0; }", language: .c, name: "static", arguments: ["-static"])
        try expectRefusal(of: program, 69, saying: "static")
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give a file to another user"))
    func `a program that runs as another user is 69`() throws {
        let folder = try TemporaryDirectory()
        let copy = folder.file("setuid")
        try FileManager.default.copyItem(atPath: Tool.require("true"), toPath: copy)
        #expect(chown(copy, 65534, 65534) == 0)
        #expect(chmod(copy, 0o4755) == 0)
        try expectRefusal(of: copy, 69, saying: "set-user-id")
    }

    @Test func `a program whose own malloc cannot be redirected is 69`() throws {
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
        try expectRefusal(of: program, 69, saying: "cannot be moved")
        let carrier = try ProgramBuilder.build(
            "void *malloc(unsigned long size) { static char block[64]; return block; } int main(void) { return 0; }",
            language: .c, name: "carrier", arguments: ["-fno-builtin", "-w"])
        try expectRefusal(
            of: carrier, 69, saying: "malloc", options: ["--allocator", "/usr/lib/x86_64-linux-gnu/libc.so.6"])
    }

    @Test func `a script without its interpreter is 66`() throws {
        let folder = try TemporaryDirectory()
        let script = try folder.write("#!/nowhere/interpreter\n", to: "script", executable: true)
        try expectRefusal(of: script, 66, saying: "/nowhere/interpreter")
    }

    @Test func `an allocator nobody knows is 64, and one that is not installed is 69`() throws {
        try expectRefusal(of: Tool.require("true"), 64, saying: "nomalloc", options: ["--allocator", "nomalloc"])
        try expectRefusal(
            of: Tool.require("true"), 69, saying: "/nowhere/liballocator.so",
            options: ["--allocator", "/nowhere/liballocator.so"])
    }

    @Test func `an output that exists is 73 and stays; --force overwrites it`() throws {
        let folder = try TemporaryDirectory()
        let trace = try folder.write("precious\n", to: "out.trace")
        try expectRefusal(["record", "-o", trace, "--", "true"], 73, saying: "--force")
        #expect(String(decoding: try folder.read("out.trace"), as: UTF8.self) == "precious\n")
        let forced = try run(BuildProducts.heaptrail(), ["record", "--force", "-o", trace, "--", "true"])
        #expect(forced.isSuccess)
        #expect(try Recording.report(on: trace).trace.complete)
    }

    @Test func `an output in a folder that is not there is 73`() throws {
        try expectRefusal(["record", "-o", "/nowhere/at/all.trace", "--", "true"], 73, saying: "/nowhere/at/all.trace")
    }

    @Test(arguments: [
        ["record", "--no-such-option", "--", "true"], ["report", "--no-such-option", "x"], ["no-such-command"],
        ["report"], ["record"], ["record", "--max-depth", "0", "--", "true"], ["report", "x", "--by", "colour"],
        ["export", "x", "--format", "nothing"], ["compare", "--runs", "0", "--", "true"],
    ])
    func `bad usage is 64`(arguments: [String]) throws {
        let result = try run(BuildProducts.heaptrail(), arguments)
        #expect(result.status == .exited(64), "\(result.stderr)")
        #expect(result.stdout == "")
        #expect(!result.stderr.isEmpty)
    }

    @Test func `a full disk does not touch the program, and the summary says so`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let result = try run(BuildProducts.heaptrail(), ["record", "--force", "-o", "/dev/full", "--", program])
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr.contains("No space left on device"), "\(result.stderr)")
    }

    @Test func `a trace can go to standard output`() throws {
        let result = try run(BuildProducts.heaptrail(), ["record", "-o", "-", "--", "true"])
        #expect(result.isSuccess)
        let folder = try TemporaryDirectory()
        let trace = try folder.write(result.stdoutBytes, to: "piped.trace")
        let report = try Recording.report(on: trace)
        #expect(report.trace.complete)
    }
}
