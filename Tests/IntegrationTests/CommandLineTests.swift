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
}
