// `heaptrail compare` as a person types it: output, errors and exit statuses of the built tool.

import AllocatorLab
import Foundation
import TestSupport
import Testing

private let toolIsBuilt = (try? BuildProducts.heaptrail()) != nil

@Suite(.enabled(if: toolIsBuilt, "heaptrail is not built; type: swift build -c release"))
struct CompareCommandTests {
    private func compare(
        _ arguments: String..., stdin: [UInt8] = [], environment: ProcessEnvironment = .inherited()
    ) throws -> ProcessResult {
        try run(BuildProducts.heaptrail(), ["compare"] + arguments, environment: environment, stdin: stdin)
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

    @Test func `an allocator that cannot be had leaves the other rows alone`() throws {
        let result = try compare("--allocators", "glibc,/no/such.so,jemaloc", "--runs", "1", "--", "true")
        #expect(result.status == .exited(66))
        #expect(
            result.stdout.split(separator: "\n").filter { $0.hasPrefix("  jemaloc ") && $0.hasSuffix("–") }.count == 2)
        #expect(
            result.stderr == """
                heaptrail: /no/such.so: no such allocator library
                heaptrail: unknown allocator 'jemaloc': use glibc, jemalloc, mimalloc, tcmalloc or a path with a slash

                """)
    }

    @Test func `options of an allocator reach the program in a row of their own`() throws {
        let script = "test \"$A\" = 1,2 -a \"$B\" = x || test -z \"$A$B\""
        let result = try compare(
            "--allocators", "glibc", "--allocator", "glibc:A=1,2 B=x", "--runs", "1", "--", "sh", "-c", script)
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stdout.contains("\n  glibc:A=1,2 B=x "))
        let other = try compare(
            "--allocators", "glibc:A=2", "--runs", "1", "--", "sh", "-c", "test \"$A\" = 2; exit $?")
        #expect(other.status == .exited(0))
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

    @Test(.enabled(if: (try? AllocatorCatalogue().resolve("jemalloc")) != nil, "libjemalloc2 is not installed"))
    func `a program that links an allocator runs on the C library's all the same`() throws {
        let jemalloc = try #require(try AllocatorCatalogue().resolve("jemalloc").libraryPath)
        let source = """
            #include <malloc.h>
            #include <stdlib.h>
            int main(void) {
                void *volatile block = malloc(1000);
                // glibc's heap grows by it, jemalloc's does not touch glibc's.
                return !!mallinfo2().uordblks != (getenv("WANTS_GLIBC") != NULL);
            }
            """
        let program = try ProgramBuilder.build(
            source, language: .c, arguments: ["-O0", "-fno-builtin", "-D_GNU_SOURCE", "-Wl,--no-as-needed", jemalloc])
        #expect(try run(program).status == .exited(0))
        let result = try compare("--allocators", "glibc:WANTS_GLIBC=1,jemalloc", "-r", "1", "--", program)
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stderr.hasPrefix("heaptrail: the program has jemalloc already ("))
    }

    @Test func `a library that the loader refuses yields no figures`() throws {
        let folder = try TemporaryDirectory()
        let empty = try ProgramBuilder.build("", language: .c, name: "gone.so", arguments: ["-shared", "-fPIC"])
        try runChecked("cp", [empty, folder.file("gone.so")])
        let library = try ProgramBuilder.build(
            "void *malloc(unsigned long size) { return (void *)size; }", language: .c, name: "needy.so",
            arguments: ["-shared", "-fPIC", "-fno-builtin", "-Wl,--no-as-needed", folder.file("gone.so")])
        try runChecked("rm", [folder.file("gone.so")])
        let result = try compare("--allocators", "glibc,\(library)", "-r", "1", "--", "true")
        #expect(result.status == .exited(1))
        #expect(result.stderr.contains("\(library): 2 of 2 runs "), "\(result.stderr)")
        #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("  glibc ") }.count == 2)
    }

    /// Starts a comparison of a server in the background, sends it a signal when the server runs, and says how it ended and
    /// whether the server goes on.
    private func interrupted(by signal: String, drive: Bool) throws -> (status: String, serverGoesOn: String) {
        let folder = try TemporaryDirectory()
        let tool = try BuildProducts.heaptrail()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let socket = folder.file("socket")
        let options = drive ? "--drive 'sleep 600'" : ""
        let script = """
            env --default-signal=INT,TERM,HUP '\(tool)' compare --allocators glibc \(options) -- '\(server)' serve '\(socket)' &
            tool=$!
            until test -S '\(socket)'; do sleep 0.02; done
            sleep 0.2
            kill -\(signal) $tool
            wait $tool
            echo $?
            for i in 1 2 3 4 5 6 7 8 9 10; do
                grep -q '^State:.[^Z]' /proc/$(cat '\(socket).pid')/status 2>/dev/null || exit 0
                sleep 0.2
            done
            echo goes on
            """
        let lines = try run("sh", ["-c", script]).stdout.split(separator: "\n")
        return (String(lines.first ?? ""), String(lines.dropFirst().first ?? ""))
    }

    @Test(arguments: [("INT", "130"), ("TERM", "143"), ("HUP", "129"), ("KILL", "137")], [true, false])
    func `a signal ends the tool with its status, and the program with it`(
        signal: (name: String, status: String), drive: Bool
    ) throws {
        let end = try interrupted(by: signal.name, drive: drive)
        #expect(end.status == signal.status)
        #expect(end.serverGoesOn == "")
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

    @Test func `a daemon that a server leaves behind is ended`() throws {
        let folder = try TemporaryDirectory()
        let server = try ProgramBuilder.build(
            testProgram: "driven_server.c", language: .c, arguments: ["-D_GNU_SOURCE"])
        let result = try compare(
            "--allocators", "glibc", "-r", "1", "--drive", "true", "--", server, "serve", folder.file("socket"),
            "daemon")
        #expect(result.status == .exited(1))
        #expect(result.stderr.contains("have it stay in the foreground"))
        let process = String(decoding: try folder.read("socket.pid"), as: UTF8.self).dropLast()
        #expect(!process.isEmpty)
        #expect(try !run("test", ["-e", "/proc/\(process)"]).isSuccess)
    }
}
