// The order of the runs and the verdict on them, with a made-up program.

import Testing

@testable import AllocatorLab

/// A program whose runs are scripted by allocator.
private final class ScriptedRunner: ProgramRunning {
    var log: [String] = []
    var outcomes: [String: [RunOutcome]] = [:]
    var outputs: [String: [String]] = [:]
    var complaints: [String: String] = [:]
    /// By library, `system` where there is none.
    var programs: [String: [SeenProgram]] = [:]
    let subject = "the program"

    private func next<Value>(_ queue: inout [String: [Value]], _ name: String, _ usual: Value) -> Value {
        guard let values = queue[name], let value = values.first else { return usual }
        if values.count > 1 { queue[name]?.removeFirst() }
        return value
    }

    func measure(on allocator: Allocator) throws -> RunMeasurement {
        log.append(allocator.name)
        let outcome = next(&outcomes, allocator.name, .exited(0))
        return RunMeasurement(
            outcome: outcome, wallNanoseconds: outcome == .exited(5) ? 9000 : 1000, userNanoseconds: 1000,
            peakResidentBytes: 4096, minorFaults: 1)
    }

    func rehearse(on allocator: Allocator) throws -> Rehearsal {
        log.append("(\(allocator.name))")
        var fingerprint = OutputFingerprint()
        fingerprint.append(next(&outputs, allocator.name, "same").utf8)
        return Rehearsal(
            outcome: next(&outcomes, allocator.name, .exited(0)), output: fingerprint,
            complaint: complaints[allocator.name], notes: [],
            programs: programs[allocator.libraryPath ?? "system"] ?? [])
    }
}

@Suite struct AllocatorComparisonTests {
    private let allocators = ["a", "b"].map { Allocator(name: $0, libraryPath: nil) }

    private func compare(_ runner: ScriptedRunner, runs: Int = 2) throws -> Comparison {
        try AllocatorComparison(allocators: allocators, runs: runs, runner: runner)()
    }

    @Test func `one round warms up, then the allocators take turns, in reverse every second time`() throws {
        let runner = ScriptedRunner()
        let comparison = try compare(runner, runs: 3)
        #expect(runner.log == ["(a)", "(b)", "a", "b", "b", "a", "a", "b"])
        #expect(comparison.rows.map(\.allocator) == ["a", "b"])
        #expect(comparison.remarks.isEmpty)
        #expect(!comparison.hasFailures)
    }

    @Test func `a crash under one allocator is told and leaves the other rows alone`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["b"] = [.signaled(11)]
        let comparison = try compare(runner)
        #expect(comparison.rows[0].wallSeconds != nil)
        #expect(comparison.rows[1].wallSeconds == nil)
        #expect(
            comparison.remarks.map(\.description) == [
                "b: 3 of 3 runs were ended by signal 11, left out of the figures"
            ])
        #expect(comparison.hasFailures)
    }

    @Test func `a crash under the first allocator does not make the others failures`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["a"] = [.signaled(6)]
        let comparison = try compare(runner)
        #expect(comparison.rows[0].wallSeconds == nil)
        #expect(comparison.rows[1].wallSeconds != nil)
        #expect(
            comparison.remarks.map(\.description) == [
                "a: 3 of 3 runs were ended by signal 6, left out of the figures"
            ])
        #expect(comparison.hasFailures)
    }

    @Test func `a single run that ends otherwise is left out of the figures`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["b"] = [.exited(0), .exited(0), .exited(5), .exited(0)]
        let comparison = try compare(runner, runs: 3)
        #expect(
            comparison.remarks.map(\.description) == ["b: 1 of 4 runs exited with status 5, left out of the figures"])
        #expect(comparison.rows[1].wallSeconds == Spread([1e-6]))
    }

    @Test func `a program that fails everywhere is compared and said to fail`() throws {
        let runner = ScriptedRunner()
        runner.outcomes = ["a": [.exited(2)], "b": [.exited(2)]]
        let comparison = try compare(runner)
        #expect(comparison.remarks.map(\.description) == ["the program exits with status 2"])
        #expect(comparison.rows.allSatisfy { $0.wallSeconds != nil })
        #expect(comparison.hasFailures)
    }

    @Test func `other output under another allocator is a failure`() throws {
        let runner = ScriptedRunner()
        runner.outputs["b"] = ["other"]
        let comparison = try compare(runner)
        #expect(comparison.remarks.map(\.description) == ["b: standard output differs from that on a"])
        #expect(comparison.hasFailures)
    }

    @Test func `output that changes from run to run is remarked on and is no failure`() throws {
        let runner = ScriptedRunner()
        runner.outputs = ["a": ["1", "2", "3"], "b": ["4"]]
        let comparison = try compare(runner)
        #expect(
            comparison.remarks.map(\.description) == [
                "standard output differs from run to run on a itself, so it was not compared"
            ])
        #expect(!comparison.hasFailures)
    }

    @Test func `progress counts every run`() throws {
        var seen: [Int] = []
        _ = try AllocatorComparison(allocators: allocators, runs: 1, runner: ScriptedRunner())(progress: {
            done, total in
            #expect(total == 4)
            seen.append(done)
        })
        #expect(seen == [0, 1, 2, 3])
    }

    @Test func `more rounds to warm up are run and not measured`() throws {
        let runner = ScriptedRunner()
        let comparison = try AllocatorComparison(allocators: allocators, runs: 1, warmUps: 2, runner: runner)()
        #expect(runner.log == ["(a)", "(b)", "a", "b", "a", "b"])
        #expect(comparison.warmUps == 2)
        #expect(comparison.rows.allSatisfy { $0.rounds.count == 1 })
    }

    @Test func `a failure is told with the program's own last word`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["b"] = [.signaled(6)]
        runner.complaints["b"] = "free(): invalid pointer"
        let comparison = try compare(runner)
        #expect(
            comparison.remarks.map(\.description) == [
                "b: 3 of 3 runs were ended by signal 6, left out of the figures; it said: free(): invalid pointer"
            ])
        #expect(comparison.rows[1].failure == comparison.remarks[0].description)
        #expect(comparison.rows[0].failure == nil)
    }

    @Test func `a program that runs on another allocator yields no figures for the row`() throws {
        let runner = ScriptedRunner()
        let app = SeenProgram(executable: "/bin/app", name: "app", allocator: .staticallyLinked)
        runner.programs["/b.so"] = [app]
        let both = [Allocator(name: "a", libraryPath: nil), Allocator(name: "b", libraryPath: "/b.so")]
        let comparison = try AllocatorComparison(allocators: both, runs: 2, runner: runner)()
        #expect(comparison.rows.map { $0.wallSeconds == nil } == [false, true])
        #expect(
            comparison.remarks.map(\.description) == [
                "b: 3 of 3 runs failed: app does not run on it: it is statically linked, so nothing can be preloaded, left out "
                    + "of the figures"
            ])
        #expect(comparison.hasFailures)
    }

    @Test
    func `where another allocator stands before the C library, that is put in front and the program rehearsed anew`()
        throws
    {
        let runner = ScriptedRunner()
        runner.programs["system"] = [
            SeenProgram(
                executable: "/bin/app", name: "app", allocator: .library(name: "jemalloc", path: "/je.so"),
                systemLibrary: "/libc.so.6")
        ]
        runner.programs["/libc.so.6"] = [
            SeenProgram(executable: "/bin/app", name: "app", allocator: .system(path: "/libc.so.6"))
        ]
        let comparison = try compare(runner, runs: 1)
        #expect(runner.log == ["(a)", "(a)", "(b)", "(b)", "a", "b"])
        // Said once for both rows, which are the C library's.
        #expect(
            comparison.remarks.map(\.description) == [
                "app has jemalloc already (/je.so): on glibc, /libc.so.6 was preloaded in front of it"
            ])
        #expect(!comparison.hasFailures)
        #expect(comparison.rows.allSatisfy { $0.wallSeconds != nil })
    }

    @Test func `of a program that hardly runs it is said that the library has to be loaded`() throws {
        let library = [Allocator.system, Allocator(name: "b", libraryPath: "/b.so")]
        let comparison = try AllocatorComparison(allocators: library, runs: 1, runner: ScriptedRunner())()
        #expect(
            comparison.remarks.map(\.description) == [
                "a run takes 0.00 ms: loading the allocator's library is part of it, and may be most of a difference"
            ])
        #expect(try compare(ScriptedRunner()).remarks.isEmpty)
    }

    @Test func `a program that does not bear the C library in front is left as it is`() throws {
        let runner = ScriptedRunner()
        let linked = ServingAllocator.library(name: "jemalloc", path: "/je.so")
        runner.programs["system"] = [
            SeenProgram(executable: "/bin/app", name: "app", allocator: linked, systemLibrary: "/libc.so.6")
        ]
        runner.outcomes["a"] = [.exited(0), .signaled(11), .exited(0)]
        let only = [Allocator(name: "a", libraryPath: nil)]
        let comparison = try AllocatorComparison(allocators: only, runs: 1, runner: runner)()
        #expect(
            comparison.remarks.map(\.description) == [
                "a: 2 of 2 runs failed: app does not run on it: jemalloc (/je.so) stands in front, left out of the figures"
            ])
    }

    @Test func `a small program on another allocator is told, and the row stands`() throws {
        let runner = ScriptedRunner()
        runner.programs["system"] = [
            SeenProgram(executable: "/bin/app", name: "app", allocator: .system(path: "/libc.so.6"), residentBytes: 9),
            SeenProgram(executable: "/bin/tool", name: "tool", allocator: .own(name: "mimalloc"), residentBytes: 1),
        ]
        let comparison = try compare(runner)
        #expect(
            comparison.remarks.first?.description
                == "a: of the programs that it starts, tool runs on another allocator: it carries its own allocator (mimalloc)"
        )
        #expect(!comparison.hasFailures)
        #expect(comparison.rows.allSatisfy { $0.wallSeconds != nil })
    }

    @Test func `where the first allocator fails, the output is held against that of the next`() throws {
        let three = ["a", "b", "c"].map { Allocator(name: $0, libraryPath: nil) }
        let runner = ScriptedRunner()
        runner.outcomes = ["a": [.signaled(11)], "b": [.exited(3)], "c": [.exited(3)]]
        runner.outputs["c"] = ["other"]
        runner.complaints = ["a": "crashed", "b": "three"]
        let comparison = try AllocatorComparison(allocators: three, runs: 1, runner: runner)()
        #expect(
            comparison.remarks.map(\.description) == [
                "the program exits with status 3; it said: three",
                "a: 2 of 2 runs were ended by signal 11, left out of the figures; it said: crashed",
                "c: standard output differs from that on b",
            ])
    }

    @Test func `runs in which the library was not preloaded do not count, however they ended`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["b"] = [.broken("the loader cannot preload /b.so"), .exited(0)]
        let comparison = try compare(runner)
        #expect(comparison.rows[1].wallSeconds == nil)
        #expect(
            comparison.remarks.map(\.description) == [
                "b: 3 of 3 runs failed: the loader cannot preload /b.so, left out of the figures"
            ])
    }

    @Test func `a run that does not count leaves a hole in its round, not a shift of the pairs`() throws {
        let runner = ScriptedRunner()
        runner.outcomes["b"] = [.exited(0), .exited(5), .exited(0), .exited(0)]
        let comparison = try compare(runner, runs: 3)
        #expect(comparison.rows[1].rounds.map { $0 == nil } == [true, false, false])
        #expect(comparison.pairedRatio(ofRow: 1, .wall)?.pairs == 2)
    }
}
