// `heaptrail compare` as a person types it: output, errors and exit statuses of the built tool.

import AllocatorLab
import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: CompareTool.isBuilt, CompareTool.notBuilt))
struct CompareCommandTests {
    private func compare(_ arguments: String..., stdin: [UInt8] = []) throws -> ProcessResult {
        try CompareTool.run(arguments, stdin: stdin)
    }

    @Test func `the table goes to standard output and nothing to standard error`() throws {
        let result = try compare("--allocators", "glibc,system", "--runs", "2", "--", "true")
        #expect(result.status == .exited(0))
        #expect(
            result.stdout.hasPrefix("true\nmedians of 2 runs each, in turn, after one to warm up; ratios to glibc\n"))
        // A row each in the table of times and in that of memory.
        #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("  glibc ") }.count == 4)
        #expect(!result.stdout.contains("\u{1b}"))
        #expect(result.stderr == "")
    }

    @Test func `the peak of a small program is not the tool's own`() throws {
        let result = try compare("--json", "--allocators", "glibc", "--runs", "1", "--", "true")
        let document = try #require(
            JSONSerialization.jsonObject(with: Data(result.stdout.utf8)) as? [String: Any])
        #expect(document["schema"] as? String == "heaptrail.compare/1")
        let row = try #require((document["rows"] as? [[String: Any]])?.first)
        let peak = try #require((row["peak_rss_bytes"] as? [String: Int])?["median"])
        #expect(peak < 4 << 20)
    }

    @Test func `the program's output is not the tool's`() throws {
        let result = try compare("--allocators", "glibc", "--runs", "1", "--", "sh", "-c", "echo noise; echo noise >&2")
        #expect(!(result.stdout + result.stderr).replacingOccurrences(of: "echo noise", with: "").contains("noise"))
    }

    @Test func `standard input from a file is read from its start in every run`() throws {
        let script = "test \"$(wc -c)\" -eq 5"
        let result = try compare(
            "--allocators", "glibc", "--runs", "3", "--", "sh", "-c", script, stdin: Array("12345".utf8))
        #expect(result.status == .exited(0))
        #expect(result.stderr == "")
    }

    @Test func `arguments after the terminator are the program's, options among them`() throws {
        let result = try compare(
            "--allocators", "glibc", "--runs", "1", "--", "sh", "-c", "test \"$1\" = --json", "sh", "--json")
        #expect(result.status == .exited(0))
    }

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a program that fails under one allocator fails the command, and the other row stands`() throws {
        let result = try compare(
            "--allocators", "glibc,jemalloc", "--runs", "1", "--", "sh", "-c", "! grep -q libjemalloc /proc/self/maps")
        #expect(result.status == .exited(1))
        #expect(result.stdout.contains("  glibc "))
        #expect(result.stderr == "heaptrail: jemalloc: 2 of 2 runs exited with status 1, left out of the figures\n")
    }

    @Test(arguments: [
        (["--", "no-such-program-at-all"], 66, "no-such-program-at-all: no such program"),
        (["--", "/etc/passwd"], 69, "/etc/passwd: not executable"),
        (["--allocators", "jemaloc", "--", "true"], 64, "unknown allocator 'jemaloc'"),
        (["--allocators", "/no/such/lib.so", "--", "true"], 66, "/no/such/lib.so: no such allocator library"),
        (["--runs", "0", "--", "true"], 64, "--runs"),
        ([], 64, "name the program after --"),
        (["--json", "true"], 64, "name the program after --"),
        (["--warmup", "0", "--", "true"], 64, "--warmup"),
        (["--ready", "80", "--", "true"], 64, "--ready goes with --drive"),
        (["--drive", " ", "--", "true"], 64, "--drive takes a shell command"),
        (["--drive", "true", "--ready", "99999", "--", "true"], 64, "--ready takes a port from 1 to 65535"),
        (["--timeout", "0", "--", "true"], 64, "--timeout is a number of seconds above 0"),
        (["--output", "pipe", "--drive", "true", "--", "true"], 64, "--output goes without --drive"),
        (["--output", "file", "--", "true"], 64, "--output"),
        (["--alocators", "glibc", "--", "true"], 64, "did you mean --allocators"),
        (["--allocators", "glibc:x", "--", "true"], 64, "'x' is not VARIABLE=VALUE"),
    ])
    func `bad use is told in words and by the exit status`(arguments: [String], status: Int, words: String) throws {
        let result = try run(BuildProducts.heaptrail(), ["compare"] + arguments)
        #expect(result.status == .exited(Int32(status)))
        #expect(result.stdout == "")
        #expect(result.stderr.contains(words))
    }

    @Test(arguments: [["--json", "-"], ["--json"], ["--json=-"]])
    func `JSON takes the place of the table on standard output`(arguments: [String]) throws {
        let result = try run(
            BuildProducts.heaptrail(), ["compare", "-r", "1", "--allocators", "glibc"] + arguments + ["--", "true"])
        #expect(result.status == .exited(0))
        let document = try JSONSerialization.jsonObject(with: Data(result.stdout.utf8)) as? [String: Any]
        #expect(document?["schema"] as? String == "heaptrail.compare/1")
    }

    @Test func `JSON in a file stands beside the table, and replaces nothing unasked`() throws {
        let folder = try TemporaryDirectory()
        let file = folder.file("out.json")
        func compare(_ more: String...) throws -> ProcessResult {
            try run(
                BuildProducts.heaptrail(),
                ["compare", "-r", "1", "--allocators", "glibc", "--json", file] + more + ["--", "true"])
        }
        let result = try compare()
        #expect(result.status == .exited(0))
        #expect(result.stdout.hasPrefix("true\n"))
        let document = try JSONSerialization.jsonObject(with: Data(folder.read("out.json"))) as? [String: Any]
        #expect((document?["rows"] as? [Any])?.count == 1)
        #expect(try compare().status == .exited(73))
        #expect(try compare("--force").status == .exited(0))
    }

    @Test func `a pipe on standard input, which no run reads, is told`() throws {
        let tool = try BuildProducts.heaptrail()
        let script = "printf 12345 | '\(tool)' compare --allocators glibc -r 1 -- sh -c 'test -z \"$(cat)\"'"
        let result = try run("sh", ["-c", script])
        #expect(result.status == .exited(0))
        #expect(result.stderr.contains("every run had an empty one; use --stdin FILE"))
        #expect(try run("sh", ["-c", script.replacing("printf 12345", with: "true")]).stderr == "")
    }

    @Test func `a verdict is in words and, where nothing is a terminal, without colour`() throws {
        let source = """
            #include <stdlib.h>
            #include <string.h>
            int main(void) {
                if (getenv("GROW")) memset(malloc(16 << 20), 1, 16 << 20);
                return 0;
            }
            """
        let program = try ProgramBuilder.build(source, language: .c, name: "grower", arguments: ["-O0"])
        let result = try compare("--allocators", "glibc,glibc:GROW=1", "-r", "10", "--", program)
        #expect(result.status == .exited(0))
        #expect(result.stdout.contains("peak RSS "))
        #expect(result.stdout.contains(" times as much ("))
        #expect(!result.stdout.contains("\u{1b}"))
    }

    @Test func `standard input can be a file that is named`() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("12345", to: "in")
        let script = "test \"$(wc -c)\" -eq 5"
        let result = try compare(
            "--allocators", "glibc", "--runs", "2", "--stdin", file, "--", "sh", "-c", script)
        #expect(result.status == .exited(0))
        #expect(try compare("--stdin", folder.file("absent"), "--", "true").status == .exited(66))
    }

    @Test func `what sets a run up comes before each run`() throws {
        let folder = try TemporaryDirectory()
        let result = try compare(
            "--allocators", "glibc", "-r", "2", "--setup", "echo x >> '\(folder.file("mark"))'", "--", "true")
        #expect(result.status == .exited(0))
        #expect(try folder.read("mark") == Array("x\nx\nx\n".utf8))
        let failing = try compare("--prepare", "exit 3", "--", "true")
        #expect(failing.status == .exited(1))
        #expect(failing.stderr == "heaptrail: the setup command 'exit 3' exited with status 3\n")
    }

    @Test func `the program inherits three descriptors and the tool's own name for none`() throws {
        // ls has the folder open that it reads.
        let result = try compare(
            "--allocators", "glibc", "-r", "1", "--", "sh", "-c", "test \"$(ls /proc/self/fd | wc -l)\" -eq 4")
        #expect(result.status == .exited(0))
    }

    @Test func `a server is compared through the command that drives it`() throws {
        let folder = try TemporaryDirectory()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let drive = "'\(server)' drive '\(folder.file("socket"))'"
        let result = try compare(
            "--json", "--allocators", "glibc,system", "-r", "2", "--drive", drive, "--", server, "serve",
            folder.file("socket"))
        #expect(result.status == .exited(0), "\(result.stderr)")
        let document = try #require(
            JSONSerialization.jsonObject(with: Data(result.stdout.utf8)) as? [String: Any])
        for row in try #require(document["rows"] as? [[String: Any]]) {
            #expect(row["runs_counted"] as? Int == 2)
            let after = try #require((row["rss_after_drive_bytes"] as? [String: Int])?["median"])
            #expect(after > 32 << 20)
        }
    }
}
