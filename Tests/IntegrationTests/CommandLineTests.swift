// The command line itself: help where people ask for it, and misspelt words pointed out.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CommandLineTests {
    @Test(arguments: [
        ["record", "--help"], ["record", "-h"], ["record", "-o", "x", "--help"], ["doctor", "--help"],
    ])
    func `help is shown where a program belongs`(arguments: [String]) throws {
        let text = try runChecked(BuildProducts.heaptrail(), arguments)
        #expect(text.contains("USAGE: heaptrail \(arguments[0])"))
    }

    @Test func `a program's own --help is its own`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(
            BuildProducts.heaptrail(), ["record", "-o", folder.file("t.trace"), "--", Tool.require("ls"), "--help"])
        #expect(result.stdout.contains("Usage:"))
        #expect(!result.stdout.contains("heaptrail"))
    }

    @Test(arguments: [
        (["recrod", "--", "true"], "unknown command 'recrod' (did you mean record?); type: heaptrail --help"),
        (["frobnicate"], "unknown command 'frobnicate'; type: heaptrail --help"),
        (
            ["record", "--folow", "--", "true"],
            "unknown option '--folow' (did you mean --follow?); type: heaptrail record --help"
        ),
        (["record", "--frobnicate", "true"], "unknown option '--frobnicate'; type: heaptrail record --help"),
        (["report", "--jsn", "x"], "unknown option '--jsn' (did you mean '--json'?); type: heaptrail report --help"),
    ])
    func `a misspelt word is pointed out in one line`(arguments: [String], line: String) throws {
        let result = try run(BuildProducts.heaptrail(), arguments)
        #expect(result.status == .exited(64))
        #expect(result.stderr == "heaptrail: \(line)\n")
        #expect(result.stdout == "")
    }

    /// What a program gets for an argument and a variable that are not UTF-8.
    private func bytes(command: String) throws -> ProcessResult {
        let folder = try TemporaryDirectory()
        let script = """
            export VALUE="$(printf 'a\\377b')"
            "$0" \(command.replacing("FOLDER", with: folder.path)) -- \
                sh -c 'printf "%s %s" "$1" "$VALUE" > "$2"' name "$VALUE" "$1" && cat "$1"
            """
        return try run("sh", ["-c", script, BuildProducts.heaptrail(), folder.file("got")])
    }

    @Test(arguments: ["record -o FOLDER/t.trace", "compare --allocators glibc --runs 1 --json FOLDER/t.json"])
    func `words and variables that are not UTF-8 reach the program as they are`(command: String) throws {
        let result = try bytes(command: command)
        #expect(result.status == .exited(0), "\(result.stderr)")
        #expect(result.stdoutBytes.suffix(7) == [0x61, 0xff, 0x62, 0x20, 0x61, 0xff, 0x62], "\(result.stdout)")
    }

    @Test(arguments: ["report $bad", "record -o $bad -- true", "compare --stdin $bad -- true", "record -- $bad"])
    func `a word of the tool's own that is not UTF-8 is refused in one line`(command: String) throws {
        let script = "bad=$(printf '/none/a\\377b'); \"$0\" \(command)"
        let result = try run("sh", ["-c", script, BuildProducts.heaptrail()])
        #expect(result.status == .exited(command == "record -- $bad" ? 69 : 64))
        #expect(result.stderr.hasPrefix("heaptrail: "))
        #expect(result.stderr.contains("UTF-8"))
        #expect(result.stderr.filter { $0 == "\n" }.count == 1)
    }

    @Test func `a hundred thousand words are no reason to wait`() throws {
        let folder = try TemporaryDirectory()
        let words = (0..<100_000).map(String.init)
        let result = try run(
            BuildProducts.heaptrail(),
            ["record", "-o", folder.file("t.trace"), "--", "sh", "-c", "echo $#", "sh"] + words)
        #expect(result.stdout == "100000\n")
    }
}
