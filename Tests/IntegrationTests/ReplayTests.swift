// `heaptrail replay` as a person types it, on traces of real programs.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: ReplayOutcome.isPossible, ReplayOutcome.notBuilt))
struct ReplayTests {
    private func replay(_ arguments: [String]) throws -> ReplayOutcome { try ReplayOutcome(arguments) }

    @Test(arguments: ["box", "string", "cow"])
    func `a demo workload is performed on every installed allocator with the trace's own live bytes`(
        workload: String
    ) throws {
        let recording = try Recording(BuildProducts.demo(), [workload])
        let report = try recording.wholeReport(by: "family")
        let byOwner = try recording.wholeReport(by: "type")
        let outcome = try replay(["--json", "-", "--runs", "1", recording.trace])
        #expect(outcome.result.status == .exited(0), "\(outcome.result.stderr)")
        #expect(outcome.document["schema"] as? String == "heaptrail.replay/1")
        #expect(outcome.number("peak_live_bytes") == report.trace.peakBytes)
        #expect(outcome.number("end_live_bytes") == report.trace.liveBytes)
        #expect(outcome.number("events") == report.trace.events)
        #expect(outcome.rows.contains { $0["allocator"] as? String == "glibc" })
        #expect(outcome.rows.contains { $0["allocator"] as? String == "sim:bestfit" })
        for row in outcome.rows {
            let name = row["allocator"] as? String ?? ""
            #expect(row["failure"] is NSNull, "\(name)")
            let families = row["families"] as? [[String: Any]] ?? []
            let bytes = families.compactMap { $0["bytes"] as? Int }.reduce(0, +)
            #expect(bytes == report.rows.reduce(0) { $0 + $1.bytes }, "\(name)")
            let owners = row["owners"] as? [[String: Any]] ?? []
            for expected in byOwner.rows {
                let owner = owners.first { $0["owner"] as? String == expected.type }
                #expect(owner?["bytes"] as? Int == expected.bytes, "\(name): \(expected.type ?? "")")
                #expect(owner?["allocations"] as? Int == expected.allocations, "\(name): \(expected.type ?? "")")
            }
            let curve = row["curve"] as? [[Int]] ?? []
            #expect(curve.last?[1] == report.trace.liveBytes, "\(name)")
            if row["simulated"] as? Bool == false {
                #expect(curve.map { $0[1] }.max() == report.trace.peakBytes, "\(name)")
                #expect((row["peak_rss_bytes"] as? Int ?? 0) > 0)
            }
        }
    }

    @Test func `two replays of a trace make the same calls`() throws {
        let recording = try Recording(BuildProducts.demo(), ["box"])
        let hashes = try (0..<2).map { _ in
            try replay(["--json", "-", "--runs", "1", "--allocators", "glibc", recording.trace])
                .document["calls_hash"] as? String
        }
        #expect(hashes[0] != nil && hashes[0] == hashes[1])
    }

    @Test func `the calls of a compacted trace are those of the trace`() throws {
        let recording = try Recording(BuildProducts.demo(), ["string"])
        let folder = try TemporaryDirectory()
        let compacted = folder.file("compacted.trace")
        _ = try runChecked(BuildProducts.heaptrail(), ["compact", "-o", compacted, recording.trace])
        let hashes = try [recording.trace, compacted].map { trace in
            try replay(["--json", "-", "--runs", "1", "--allocators", "glibc", trace]).document["calls_hash"] as? String
        }
        #expect(hashes[0] != nil && hashes[0] == hashes[1])
    }

    @Test func `blocks that one thread allocates and another frees are replayed by the same threads`() throws {
        let program = try ProgramBuilder.build(testProgram: "bench-exchange.c", language: .c, arguments: ["-O1"])
        let recording = try Recording(program, ["2", "2", "3000"])
        let report = try recording.wholeReport(by: "thread")
        let outcome = try replay(["--json", "-", "--runs", "2", recording.trace])
        #expect(outcome.result.status == .exited(0), "\(outcome.result.stderr)")
        #expect(outcome.number("threads") == report.trace.threads)
        #expect(outcome.number("peak_live_bytes") == report.trace.peakBytes)
        #expect((outcome.number("waits") ?? 0) > 0)
        #expect(outcome.rows.allSatisfy { $0["failure"] is NSNull })
    }

    @Test func `a trace that was cut is replayed up to its end and says so`() throws {
        // More than one chunk of events.
        let program = try ProgramBuilder.build(testProgram: "bench-churn.c", language: .c, arguments: ["-O1"])
        let recording = try Recording(program, ["1", "200000"])
        let folder = try TemporaryDirectory()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: recording.trace))
        let cut = try folder.write(Array(bytes.prefix(bytes.count * 2 / 3)), to: "cut.trace")
        let outcome = try replay(["--json", "-", "--runs", "1", "--allocators", "glibc,sim:buddy", cut])
        #expect(outcome.result.status == .exited(0))
        #expect(outcome.result.stderr.contains("was cut at byte"))
        #expect((outcome.number("events") ?? 0) > 0)
        #expect(outcome.rows.allSatisfy { $0["failure"] is NSNull })
    }

    @Test func `a text trace is replayed by one thread`() throws {
        let folder = try TemporaryDirectory()
        let text = (1...50).map { "ALLOC: 0x\($0)0, size \($0)\n" }.joined() + "FREE: 0x10, size 1\nnothing of that\n"
        let trace = try folder.write(text, to: "run.txt")
        let outcome = try replay(["--json", "-", "--runs", "1", "--allocators", "glibc", trace])
        #expect(outcome.number("events") == 51)
        #expect(outcome.number("threads") == 1)
        #expect(outcome.number("peak_live_bytes") == (1...50).reduce(0, +))
        let table = try replay(["--runs", "1", "--allocators", "glibc", trace]).result
        #expect(table.stdout.contains("51 events of 1 thread"))
        #expect(table.stdout.contains("over events"))
    }

    @Test func `blocks that the machine has no room for are refused, unless nothing is written to them`() throws {
        let folder = try TemporaryDirectory()
        let trace = try folder.write(
            "ALLOC: 0x10, size 100000000000000\nALLOC: 0x20, size 64\nFREE: 0x10, size 1\n", to: "huge.txt")
        let refused = try replay(["--runs", "1", "--allocators", "glibc", trace])
        #expect(refused.result.status == .exited(69))
        #expect(refused.result.stderr.contains("--touch none"), "\(refused.result.stderr)")
        let simulated = try replay(["--allocators", "sim:bestfit", "--json", trace])
        #expect(simulated.result.status == .exited(0), "\(simulated.result.stderr)")
        #expect(simulated.number("peak_live_bytes") == 100_000_000_000_064)
        let untouched = try replay(["--runs", "1", "--touch", "none", "--allocators", "glibc", "--json", trace])
        #expect(untouched.result.status == .exited(1))
        #expect(untouched.rows.first?["failure"] as? String != nil)
    }

    @Test func `a sampled trace is refused, for it does not hold the program's calls`() throws {
        let recording = try Recording(BuildProducts.demo(), ["string"], options: ["--sample", "4KiB"])
        let result = try replay([recording.trace]).result
        #expect(result.status == .exited(69))
        #expect(result.stdout.isEmpty)
        #expect(result.stderr.contains("is sampled"))
        #expect(result.stderr.split(separator: "\n").count == 1)
    }

    @Test func `a bad name and a missing library are a line each, and the other rows are still printed`() throws {
        let folder = try TemporaryDirectory()
        let trace = try folder.write("ALLOC: 0x10, size 8\n", to: "run.txt")
        let result = try replay([
            "--runs", "1", "--allocators", "glibc,nosuch,/nowhere/libx.so", trace,
        ]).result
        #expect(result.status == .exited(64))
        #expect(result.stdout.contains("  glibc "))
        let lines = result.stderr.split(separator: "\n")
        #expect(lines.count == 2, "\(result.stderr)")
        #expect(lines[0].contains("unknown allocator 'nosuch'"))
        #expect(lines[1].contains("/nowhere/libx.so: no such allocator library"))
        #expect(try replay(["--allocators", "nosuch", trace]).result.status == .exited(64))
        #expect(try replay(["--allocators", "/nowhere/libx.so", trace]).result.status == .exited(66))
    }

    @Test func `an allocator that fails is told, fails the command, and leaves the other rows`() throws {
        let library = try ProgramBuilder.build(
            testProgram: "failing-allocator.c", language: .c, name: "libfailing.so",
            arguments: ["-shared", "-fPIC", "-fno-builtin"])
        let folder = try TemporaryDirectory()
        let text = (1...3000).map { "ALLOC: 0x\($0)0, size 1234\n" }.joined()
        let trace = try folder.write(text, to: "run.txt")
        let outcome = try replay(["--json", "-", "--runs", "1", "--allocators", "\(library),glibc", trace])
        #expect(outcome.result.status == .exited(1))
        #expect(
            outcome.result.stderr.contains(
                "gave no memory for an allocation of 1,234 bytes after 1,000 of 3,000 events"))
        #expect(outcome.rows.map { $0["failure"] is NSNull } == [false, true])
    }

    @Test func `nothing to replay, and no trace at all, are a line each`() throws {
        #expect(try replay(["/nowhere.trace"]).result.status == .exited(66))
        #expect(try replay([]).result.status == .exited(64))
        let folder = try TemporaryDirectory()
        let trace = try folder.write("ALLOC: 0x10, size 8\n", to: "run.txt")
        #expect(try replay(["--runs", "0", trace]).result.status == .exited(64))
        #expect(try replay(["--image", "7", trace]).result.status == .exited(64))
    }
}
