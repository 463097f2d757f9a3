// Attaching to running processes: exact counts of a window that the process itself counts, and processes that check
// themselves while the recorder comes and goes.

internal import Glibc
import TestSupport
import Testing

@Suite(
    .enabled(if: BuildProducts.areBuilt, Machine.notBuilt),
    .enabled(if: AttachedProcess.isPermitted, "this system does not let a process be traced"))
struct AttachTests {
    /// What a process counted in a window, in the order it prints.
    private struct Window: Equatable {
        var allocations: Int, frees: Int, reallocations: Int, old: Int, bytes: Int

        init(line: String) throws {
            let numbers = line.split(separator: " ").compactMap { Int($0) }
            guard numbers.count == 5 else { throw TestSupportError("not a window: \(line)") }
            (allocations, frees, reallocations) = (numbers[0], numbers[1], numbers[2])
            (old, bytes) = (numbers[3], numbers[4])
        }
    }

    private static func program(_ arguments: [String] = []) throws -> String {
        try ProgramBuilder.build(
            testProgram: "attach.c", language: .c, arguments: ["-O1", "-fno-builtin", "-ldl"] + arguments)
    }

    /// Records one window of `process`: attached before it, detached by an interrupt after it.
    private func record(
        window operations: Int, of process: AttachedProcess, isFirst: Bool = false, options: [String] = []
    ) throws {
        let directory = try TemporaryDirectory()
        let trace = directory.file("window.trace")
        let recorder = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", String(process.pid), "-o", trace] + options,
            readsErrors: true)
        let remark = try recorder.line()
        #expect(remark.contains("attached"), "\(remark)")
        try process.write("go \(operations)\n")
        let window = try Window(line: process.line())
        kill(recorder.pid, SIGINT)
        #expect(try recorder.status() == .exited(0))
        let facts = try Recording.report(on: trace).trace
        #expect(facts.attached)
        #expect(facts.complete)
        #expect(facts.lost == 0)
        #expect(facts.allocations == window.allocations)
        #expect(facts.frees == window.frees)
        #expect(facts.reallocations == window.reallocations)
        #expect(facts.bytesAllocated == window.bytes)
        // Later on, blocks of earlier windows are from before, too.
        guard !facts.sampled else { return }
        #expect(isFirst ? facts.unmatchedFrees == window.old : facts.unmatchedFrees >= window.old)
    }

    @Test(arguments: [1, 8])
    func `an attached recorder counts exactly what the process does in between`(threads: Int) throws {
        let process = try AttachedProcess(Self.program(), ["work", String(threads)])
        #expect(try process.line() == "ready")
        try record(window: 20_000, of: process, isFirst: true)
        process.endInput()
        #expect(try process.line() == "ok")
        #expect(try process.status() == .exited(0))
    }

    @Test func `a program at a fixed address that takes the address of malloc is counted exactly`() throws {
        let process = try AttachedProcess(Self.program(["-fno-pie", "-no-pie"]), ["work", "2"])
        #expect(try process.line() == "ready")
        try record(window: 5000, of: process, isFirst: true)
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test func `attaching and detaching again and again leaves the process whole and the counts exact`() throws {
        let process = try AttachedProcess(Self.program(), ["work", "4"])
        #expect(try process.line() == "ready")
        for _ in 0..<12 { try record(window: 2000, of: process) }
        process.endInput()
        #expect(try process.line() == "ok")
        #expect(try process.status() == .exited(0))
    }

    @Test(arguments: ["jemalloc", "mimalloc", "tcmalloc"].filter(Machine.hasAllocator))
    func `a process on a preloaded allocator is counted exactly`(allocator: String) throws {
        let process = try AttachedProcess(
            Self.program(), ["work", "4"],
            environment: .inherited(adding: ["LD_PRELOAD": try Machine.library(of: allocator)]))
        #expect(try process.line() == "ready")
        try record(window: 5000, of: process, isFirst: true)
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test(.enabled(if: Machine.hasStaticJemalloc, "libjemalloc.a is not installed"), arguments: [["-no-pie"], []])
    func `a process that carries its own allocator is counted exactly`(linking: [String]) throws {
        let process = try AttachedProcess(
            Self.program(linking + ["-l:libjemalloc.a", "-lstdc++", "-lm"]), ["work", "2"])
        #expect(try process.line() == "ready")
        try record(window: 5000, of: process, isFirst: true)
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test func `a sampled recording of a running process has its exact totals`() throws {
        let process = try AttachedProcess(Self.program(), ["work", "4"])
        #expect(try process.line() == "ready")
        for _ in 0..<3 { try record(window: 5000, of: process, options: ["--sample", "64KiB"]) }
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test(arguments: ["churn", "spawn", "fork", "load", "signals", "interrupts", "waits"])
    func `a busy process does not notice that the recorder comes and goes`(kind: String) throws {
        let process = try AttachedProcess(Self.program(), ["busy", kind])
        #expect(try process.line() == "ready")
        let directory = try TemporaryDirectory()
        for _ in 0..<3 {
            let trace = directory.file("busy.trace")
            let result = try run(
                BuildProducts.heaptrail(),
                ["record", "--pid", String(process.pid), "--duration", "0.1", "-o", trace, "--force"])
            #expect(result.isSuccess, "\(result.stderr)")
            let facts = try Recording.report(on: trace).trace
            #expect(facts.complete)
            #expect(facts.lost == 0)
            #expect(facts.missingFrees == 0)
        }
        process.endInput()
        #expect(try process.line() == "ok")
        #expect(try process.status() == .exited(0))
    }

    @Test func `call stacks of threads that ran before reach their outermost frame`() throws {
        let process = try AttachedProcess(Self.program(), ["busy", "churn"])
        #expect(try process.line() == "ready")
        let directory = try TemporaryDirectory()
        let trace = directory.file("stacks.trace")
        let options = ["record", "--pid", String(process.pid), "--duration", "0.1", "-o", trace]
        #expect(try run(BuildProducts.heaptrail(), options).isSuccess)
        let collapsed = try runChecked(BuildProducts.heaptrail(), ["export", trace, "--format", "collapsed"])
        let stacks = collapsed.split(separator: "\n").filter { $0.contains("operate") }
        #expect(!stacks.isEmpty)
        #expect(stacks.allSatisfy { $0.contains("start_thread") || $0.contains("clone") || $0.contains("churn") })
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test func `a stopped process is recorded and stays stopped`() throws {
        let process = try AttachedProcess(Self.program(), ["work", "2"])
        #expect(try process.line() == "ready")
        kill(process.pid, SIGSTOP)
        let directory = try TemporaryDirectory()
        let options = ["record", "--pid", String(process.pid), "--duration", "0.1", "-o", directory.file("t")]
        let result = try run(BuildProducts.heaptrail(), options)
        #expect(result.isSuccess, "\(result.stderr)")
        #expect(process.state == "T")
        kill(process.pid, SIGCONT)
        process.endInput()
        #expect(try process.line() == "ok")
    }

    @Test func `a killed recorder leaves the process running, and a later one takes over`() throws {
        let process = try AttachedProcess(Self.program(), ["work", "4"])
        #expect(try process.line() == "ready")
        let directory = try TemporaryDirectory()
        let recorder = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", String(process.pid), "-o", directory.file("killed.trace")],
            readsErrors: true)
        #expect(try recorder.line().contains("attached"))
        try process.write("go 1000\n")
        _ = try process.line()
        kill(recorder.pid, SIGKILL)
        #expect(try recorder.status() == .signaled(SIGKILL))
        // More than the rings hold: the hooks see that nobody reads them any more, and let the process go on.
        try process.write("go 2000000\n")
        _ = try process.line()
        try record(window: 3000, of: process)
        process.endInput()
        #expect(try process.line() == "ok")
        #expect(try process.status() == .exited(0))
    }

    @Test func `a process that executes another program ends its trace with that`() throws {
        let process = try AttachedProcess(Self.program(), ["exec", "/bin/cat"])
        #expect(try process.line() == "ready")
        let directory = try TemporaryDirectory()
        let trace = directory.file("exec.trace")
        let recorder = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", String(process.pid), "-o", trace], readsErrors: true)
        #expect(try recorder.line().contains("attached"))
        try process.write("now\n")
        #expect(try recorder.status() == .exited(0))
        let report = try run(BuildProducts.heaptrail(), ["report", trace])
        #expect(report.isSuccess)
        #expect(report.stderr.contains("executed /"))
        try process.write("still here\n")
        #expect(try process.line() == "still here")
        process.endInput()
        #expect(try process.status() == .exited(0))
    }

    @Test func `the end of the process ends the recording`() throws {
        let process = try AttachedProcess(Self.program(), ["work", "2"])
        #expect(try process.line() == "ready")
        let directory = try TemporaryDirectory()
        let trace = directory.file("end.trace")
        let recorder = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", String(process.pid), "-o", trace], readsErrors: true)
        #expect(try recorder.line().contains("attached"))
        process.endInput()
        #expect(try process.line() == "ok")
        #expect(try process.status() == .exited(0))
        #expect(try recorder.status() == .exited(0))
        let facts = try Recording.report(on: trace).trace
        // The blocks that the process freed at its end were made before the attachment.
        #expect(facts.unmatchedFrees >= 2 * 64)
        #expect(facts.complete)
    }

    @Test func `what cannot be attached to is refused with a status and one line that says why`() throws {
        let process = try AttachedProcess(Self.program(), ["busy", "waits"])
        #expect(try process.line() == "ready")
        let pid = String(process.pid)
        func record(_ arguments: [String]) throws -> ProcessResult {
            try run(BuildProducts.heaptrail(), ["record"] + arguments)
        }
        let usages = [
            ["--pid", pid, "--", "/bin/true"], ["--duration", "1", "--", "/bin/true"],
            ["--pid", pid, "--duration", "0"], ["--pid", pid, "--allocator", "jemalloc"],
        ]
        for arguments in usages { #expect(try record(arguments).status == .exited(64), "\(arguments)") }
        #expect(try record(["--pid", "99999999"]).status == .exited(66))

        let directory = try TemporaryDirectory()
        let existing = try directory.write("mine", to: "existing")
        #expect(try record(["--pid", pid, "-o", existing]).status == .exited(73))

        let first = try AttachedProcess(
            BuildProducts.heaptrail(), ["record", "--pid", pid, "-o", directory.file("first")], readsErrors: true)
        #expect(try first.line().contains("attached"))
        let second = try record(["--pid", pid, "-o", directory.file("second")])
        #expect(second.status == .exited(69))
        #expect(second.stderr.contains("already, by process \(first.pid)"))
        #expect(second.stderr.split(separator: "\n").count == 1)
        kill(first.pid, SIGTERM)
        #expect(try first.status() == .exited(0))
        process.endInput()
        #expect(try process.line() == "ok")

        let still = try AttachedProcess(Self.program(["-static"]), ["work", "1"])
        #expect(try still.line() == "ready")
        let refused = try record(["--pid", String(still.pid), "-o", directory.file("static")])
        #expect(refused.status == .exited(69))
        #expect(refused.stderr.contains("static"))
        still.endInput()
        #expect(try still.line() == "ok")
    }
}
