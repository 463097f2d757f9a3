// Programs nobody wrote for these tests: same output and status as native, and allocations and frees equal to an
// independent counter that is preloaded behind the recorder in the same run.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct RealProgramTests {
    /// A program to be recorded; `{folder}` in an argument is the folder that holds its input.
    struct Program: CustomTestStringConvertible {
        let name: String
        let arguments: [String]
        var variables: [String: String] = [:]
        var stdin = ""

        var testDescription: String { ([name] + arguments).joined(separator: " ") }
    }

    static let programs = [
        Program(name: "ls", arguments: ["-la", "/usr/bin"]),
        Program(
            name: "bash", arguments: ["-c", "for i in $(seq 200); do a[$i]=\"${a[*]:0:5} $i\"; done; echo ${#a[*]}"]),
        Program(
            name: "python3",
            arguments: ["-S", "-c", "import json; print(len(json.dumps([{str(i): i} for i in range(9000)])))"],
            variables: ["PYTHONMALLOC": "malloc"]),
        Program(
            name: "sqlite3",
            arguments: [
                ":memory:",
                "create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) "
                    + "insert into t select i, hex(i * i) from n; create index ti on t(b); "
                    + "select count(*), max(b) from t group by a % 7;",
            ]),
        Program(name: "jq", arguments: ["[.[] | {(.a | tostring): .b}] | add | length"], stdin: largeJSON),
        Program(name: "git", arguments: ["--version"]),
        Program(name: "git", arguments: ["-C", "{folder}", "log", "--stat", "--format=%s"]),
        Program(name: "clang", arguments: ["-c", "-O1", "{folder}/source.c", "-o", "/dev/null"]),
        Program(
            name: "perl",
            arguments: ["-e", "my %h; $h{$_ % 97} .= \"x$_\" for 1..20000; print length join '', values %h;"]),
        Program(name: "gcc", arguments: ["-c", "{folder}/source.c", "-o", "/dev/null"]),
        Program(name: "node", arguments: ["-e", "console.log([...Array(999).keys()].map(String).join('').length)"]),
        Program(name: "find", arguments: ["{folder}", "-name", "file*", "-newer", "/"]),
        Program(name: "sort", arguments: ["-r"], stdin: largeJSON),
        Program(name: "awk", arguments: ["{ n[length($0)]++ } END { print length(n) }"], stdin: largeJSON),
        Program(name: "openssl", arguments: ["version", "-a"]),
        Program(name: "gdb", arguments: ["--version"]),
        Program(name: "sed", arguments: ["-n", "s/[0-9]/&&/gp"], stdin: largeJSON),
    ]

    private static let largeJSON =
        "[" + (0..<500).map { "{\"a\": \($0), \"b\": \"value \($0)\"}" }.joined(separator: ",\n") + "]\n"

    private func makeFolder() throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory()
        try folder.write(
            "#include <stdio.h>\nint main(void) { for (int i = 0; i < 9; i++) printf(\"%d\\n\", i); }\n", to: "source.c"
        )
        guard Tool.isInstalled("git") else { return folder }
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        try runChecked("git", ["-C", folder.path, "init", "-q"])
        for round in 0..<5 {
            try folder.write(String(repeating: "line \(round)\n", count: 50 + round), to: "file\(round)")
            try runChecked("git", ["-C", folder.path, "add", "."])
            try runChecked("git", ["-C", folder.path] + identity + ["commit", "-q", "-m", "Round \(round)"])
        }
        return folder
    }

    @Test(arguments: programs)
    func `a program keeps its output and every call is counted`(program: Program) throws {
        guard let found = Tool.find(program.name) else { try skip("\(program.name) is not installed") }
        // A version manager's shim is a shell script that ends in the program; the program itself is meant here.
        let executable =
            program.name == "python3"
            ? try runChecked(found, ["-c", "import sys; print(sys.executable)"]).trimmingCharacters(in: .newlines)
            : found
        let folder = try makeFolder()
        let arguments = program.arguments.map { $0.replacingOccurrences(of: "{folder}", with: folder.path) }
        let native = try run(
            executable, arguments, environment: .inherited(adding: program.variables), stdin: Array(program.stdin.utf8))

        let counter = try ReferenceCounter()
        let variables = program.variables.merging(counter.variables(skipping: "heaptrail")) { _, new in new }
        let recording = try Recording(
            executable, arguments,
            environment: .inherited(adding: variables.merging(["LD_PRELOAD": counter.library]) { _, new in new }),
            stdin: Array(program.stdin.utf8))

        #expect(recording.result.status == native.status)
        #expect(recording.result.stdoutBytes == native.stdoutBytes)
        #expect(recording.programErrors == native.stderr)

        let trace = try recording.report(by: "size").trace
        let counts = try counter.counts()
        #expect(trace.allocations == Int(counts.allocations))
        #expect(trace.frees == Int(counts.frees))
        #expect(trace.reallocations == Int(counts.reallocations))
        #expect(trace.bytesAllocated == Int(counts.bytes))
        #expect(trace.pid == Int(counts.pid))
        #expect(trace.images == Int(counts.images))
        #expect(counts.allocations > 0)
        #expect(trace.lost == 0)
        #expect(trace.complete)
        #expect(trace.unmatchedFrees == 0)
        #expect(trace.missingFrees == 0)
    }
}
