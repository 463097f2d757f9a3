// A signal after every single instruction of the hooks: whatever a handler does there, no event is lost or made up.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct SteppedTests {
    private func record(_ how: String, options: [String]) throws -> (printed: Int, report: Report) {
        let program = try ProgramBuilder.build(
            testProgram: "steps.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let recording = try Recording(program, [how], options: options)
        #expect(recording.result.isSuccess, "\(recording.result)")
        let printed = try #require(Int(recording.result.stdout.filter(\.isNumber)))
        return (printed, try recording.wholeReport(by: "size"))
    }

    @Test(arguments: [[], ["--no-stacks"], ["--when-full", "drop"]])
    func `a handler that allocates between any two instructions is exact`(options: [String]) throws {
        let (signals, report) = try record("allocates", options: options)
        #expect(report.events(ofSize: 1001) == Events(signals, signals))
        for size in [23003, 23007, 23017, 23021] { #expect(report.events(ofSize: size) == Events(10, 10)) }
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `a handler that leaves the recorder by a jump, at each of its instructions, leaves it whole`(
        options: [String]
    ) throws {
        let (jumps, report) = try record("jumps", options: options)
        #expect(jumps > 300)
        #expect(report.events(ofSize: 23027) == Events(1000, 1000))
    }
}
