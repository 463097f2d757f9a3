// What programs do to themselves that recorders break on: forking while threads allocate, closing every descriptor,
// giving up their limits, cancelling threads, switching stacks, becoming another user. Each checks itself; the trace must
// be exact, the status the native one.

internal import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct HazardTests {
    private func record(_ how: String, options: [String] = []) throws -> Recording {
        try .likeNative(testProgram: "hazards.c", how, options: options)
    }

    private func report(_ how: String, by keys: String = "size", options: [String] = []) throws -> Report {
        try record(how, options: options).wholeReport(by: keys)
    }

    @Test func `forks while eight threads allocate neither hang nor add to the parent`() throws {
        let report = try report("fork-storm")
        #expect(report.events(ofSize: 18013) == Events(5000, 5000))
        #expect(report.events(ofSize: 18043) == Events(0, 0))
        let churned = report.events(ofSize: 18041)
        #expect(churned.allocations == churned.frees)
        #expect(report.trace.threads == 9)
    }

    @Test func `a child forked while threads allocate is exact when it is followed`() throws {
        let recording = try record("fork-storm", options: ["--follow"])
        let traces = try recording.followed()
        #expect(traces.count == 50)
        for trace in traces.values {
            let report = try Recording.report(on: trace, by: "size")
            #expect(report.events(ofSize: 18043) == Events(100, 100))
            #expect(report.events(ofSize: 18041) == Events(0, 0))
            #expect(report.trace.complete)
            #expect(report.trace.lost == 0)
        }
    }

    @Test func `a program that closes every descriptor keeps its own files to itself`() throws {
        #expect(try report("close-all").events(ofSize: 18047) == Events(1000, 1000))
    }

    @Test func `recording goes on without descriptors, file size and address space`() throws {
        #expect(try report("limits").events(ofSize: 18049) == Events(1000, 1000))
    }

    @Test func `threads cancelled while they allocate end as they do natively`() throws {
        let report = try report("cancel")
        let events = report.events(ofSize: 18059)
        #expect(events.allocations >= 100)
        #expect(events.allocations == events.frees)
        #expect(report.trace.threads == 101)
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `no allocation function is a cancellation point`(options: [String]) throws {
        let report = try report("cancel-pending", options: options)
        #expect(report.events(ofSize: 18119) == Events(1_000_000, 1_000_000))
        #expect(report.trace.threads == 21)
    }

    @Test func `a coroutine's stack shows the coroutine`() throws {
        let recording = try record("coroutines")
        let report = try recording.report(by: "size,site", options: ["--explain"])
        let rows = report.rows.filter { $0.size == 18061 }
        #expect(rows.count == 1)
        #expect(rows.first?.allocations == 1000)
        #expect(rows.first?.frees == 1000)
        #expect(rows.first?.stack?.contains { $0.hasPrefix("coroutine") } == true, "\(rows.first?.stack ?? [])")
    }

    @Test func `a program that goes to another folder and user is recorded where it began`() throws {
        #expect(try report("elsewhere").events(ofSize: 18077) == Events(100, 0))
    }

    @Test func `a trace named by a relative path lies where the recorder was started`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "hazards.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let folder = try TemporaryDirectory()
        let result = try run(
            BuildProducts.heaptrail(), ["record", "-o", "here.trace", "--", program, "elsewhere"],
            workingDirectory: folder.path)
        #expect(result.stdout == "ok\n")
        let report = try Recording.report(on: folder.file("here.trace"), by: "size")
        #expect(report.events(ofSize: 18077) == Events(100, 0))
    }

    @Test func `a trace without a name is named by the program and a process id`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(BuildProducts.heaptrail(), ["record", "--", "true"], workingDirectory: folder.path)
        #expect(result.isSuccess)
        let names = try folder.names()
        #expect(names.count == 1)
        #expect(names.first?.wholeMatch(of: /heaptrail\.true\.[0-9]+\.trace/) != nil, "\(names)")
    }

    @Test func `a daemon's parent ends when it does natively`() throws {
        #expect(try report("daemon").events(ofSize: 18089) == Events(10, 0))
    }

    @Test func `a broken pipe ends the program as it does natively`() throws {
        let recording = try record("broken-pipe")
        #expect(recording.result.status == .signaled(SIGPIPE))
        #expect(try recording.report(by: "size").events(ofSize: 18097) == Events(1, 0))
    }
}
