// The recorder is a process beside the program, yet no child of it: nothing that waits sees it, no signal tells of it, and
// the program can be traced by others, and trace, as it can natively.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ChildrenTests {
    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "children.c", language: .c, arguments: ["-O1", "-fno-builtin"])
    }

    private func expectWhole(_ report: Report, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(report.trace.lost == 0, sourceLocation: sourceLocation)
        #expect(report.trace.complete, sourceLocation: sourceLocation)
        #expect(report.trace.unmatchedFrees == 0, sourceLocation: sourceLocation)
        #expect(report.trace.missingFrees == 0, sourceLocation: sourceLocation)
    }

    @Test(
        arguments: [("waits", 22003, 50_000), ("traced", 22013, 1000), ("tracer", 22031, 1000)],
        [[], ["--no-stacks"], ["--follow"]])
    func `waiting and tracing are as without the recorder`(
        way: (name: String, size: Int, blocks: Int), options: [String]
    ) throws {
        guard try run(program(), [way.name]).stdout == "ok\n" else {
            try skip("\(way.name) is not permitted here")
        }
        let recording = try Recording(program(), [way.name], options: options)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        #expect(recording.result.stdout == "ok\n")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: way.size) == Events(way.blocks, way.blocks))
        expectWhole(report)
    }

    @Test func `a traced child that is followed is exact`() throws {
        let recording = try Recording(program(), ["tracer"], options: ["--follow"])
        guard recording.result.stdout == "ok\n" else { try skip("tracing is not permitted here") }
        let child = try #require(recording.followed().values.first)
        let report = try Recording.report(on: child, by: "size")
        #expect(report.events(ofSize: 22027) == Events(200, 200))
        expectWhole(report)
    }

    @Test(arguments: [[], ["--follow"]])
    func `a program that a debugger stops twenty times loses nothing`(options: [String]) throws {
        let recording = try Recording(program(), ["examined"], options: options)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        if recording.result.stdout.hasPrefix("not permitted") { try skip("ptrace is not permitted here") }
        let match = try #require(recording.result.stdout.wholeMatch(of: /([0-9]+) blocks\nok\n/))
        let blocks = try #require(Int(match.1))
        #expect(blocks > 0)
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 22037) == Events(blocks, blocks))
        expectWhole(report)
    }

    @Test func `the preload alone leaves no child to wait for either`() throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let variables = ["LD_PRELOAD": try BuildProducts.preload(), "HEAPTRAIL_OUTPUT": trace]
        let result = try run(program(), ["waits"], environment: .inherited(adding: variables))
        #expect(result.stdout == "ok\n", "\(result.stderr)")
        let report = try Recording.report(on: trace, by: "size")
        #expect(report.events(ofSize: 22003) == Events(50_000, 50_000))
    }
}
