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
        #expect(result.stdout.hasPrefix("true\nmedians of 2 runs each, in turn, after one to warm up\n"))
        #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("  glibc ") }.count == 2)
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
    ])
    func `bad use is told in words and by the exit status`(arguments: [String], status: Int, words: String) throws {
        let result = try run(BuildProducts.heaptrail(), ["compare"] + arguments)
        #expect(result.status == .exited(Int32(status)))
        #expect(result.stdout == "")
        #expect(result.stderr.contains(words))
    }
}
