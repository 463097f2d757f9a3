// Every way a process can end: all events before the end are in the report, and `heaptrail record` ends as the program did.

internal import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct EndTests {
    static let ends: [(how: String, status: ProcessStatus)] = [
        ("return", .exited(4)), ("exit", .exited(5)), ("exit-from-thread", .exited(6)), ("_exit", .exited(7)),
        ("quick_exit", .exited(8)), ("abort", .signaled(SIGABRT)), ("fault", .signaled(SIGSEGV)),
        ("terminate", .signaled(SIGTERM)), ("kill", .signaled(SIGKILL)),
    ]

    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "ends.c", language: .c, arguments: ["-O0", "-fno-builtin"])
    }

    @Test(arguments: ends)
    func `no event before the end is lost, whatever the end`(how: String, status: ProcessStatus) throws {
        let recording = try Recording(program(), [how])
        #expect(recording.result.status == status)
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 12007) == Events(1000, 400))
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
    }

    @Test(arguments: ends)
    func `a text log holds every event before the end, too`(how: String, status: ProcessStatus) throws {
        let recording = try Recording(program(), [how], options: ["--format", "text"])
        #expect(recording.result.status == status)
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 12007) == Events(1000, 400))
    }
}
