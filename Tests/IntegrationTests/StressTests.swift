// The patterns of well-known allocator benchmarks: native output and status, counts equal to the program's own and to an
// independent counter's, nothing lost. Oracle of the program's own counts: its blocks alone are 13 bytes above a multiple
// of 16 long.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct StressTests {
    static let patterns = [
        "successors", "handover", "scratch", "thrash", "exchange", "slots", "fraction", "batches", "resizing", "arenas",
    ]

    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "stress.c", language: .c, arguments: ["-O1", "-fno-builtin"])
    }

    /// Holds a report to what the program printed of itself.
    private func expectOwnCounts(_ report: Report, of recording: Recording, pattern: String) {
        let own = report.rows.filter { ($0.size ?? 0) % 16 == 13 }
        let sums = own.reduce(into: (0, 0, 0)) { sums, row in
            sums.0 += row.allocations
            sums.1 += row.frees
            sums.2 += row.bytes
        }
        #expect(recording.result.stdout == "\(pattern) allocations \(sums.0) frees \(sums.1) bytes \(sums.2)\n")
        #expect(sums.0 == sums.1)
        #expect(sums.0 > 0)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        #expect(report.trace.complete)
    }

    @Test(arguments: patterns, [1, 2, 8])
    func `every call of an allocator benchmark is counted`(pattern: String, threads: Int) throws {
        let counter = try ReferenceCounter()
        let variables = counter.variables(skipping: "heaptrail").merging(["LD_PRELOAD": counter.library]) { $1 }
        let recording = try Recording(
            program(), [pattern, "\(threads)"], environment: .inherited(adding: variables))
        let report = try recording.report(by: "size")
        expectOwnCounts(report, of: recording, pattern: pattern)
        let counts = try counter.counts()
        #expect(report.trace.allocations == Int(counts.allocations))
        #expect(report.trace.frees == Int(counts.frees))
        #expect(report.trace.reallocations == Int(counts.reallocations))
        #expect(report.trace.bytesAllocated == Int(counts.bytes))
    }

    @Test(arguments: patterns, [["--no-stacks"], ["--follow"]])
    func `the way of recording changes no count`(pattern: String, options: [String]) throws {
        let recording = try Recording(program(), [pattern, "4"], options: options)
        expectOwnCounts(try recording.report(by: "size"), of: recording, pattern: pattern)
    }

    @Test(arguments: patterns, ["jemalloc", "mimalloc", "tcmalloc"])
    func `another allocator changes no count`(pattern: String, allocator: String) throws {
        guard Machine.hasAllocator(allocator) else { try skip("\(allocator) is not installed") }
        let recording = try Recording(program(), [pattern, "4"], options: ["--allocator", allocator])
        expectOwnCounts(try recording.report(by: "size"), of: recording, pattern: pattern)
    }

    @Test func `twenty thousand threads that each start the next are all recorded`() throws {
        let recording = try Recording(program(), ["successors", "4", "5000"], timeout: 300)
        let report = try recording.report(by: "size")
        expectOwnCounts(report, of: recording, pattern: "successors")
        #expect(report.trace.threads == 20_001)
    }
}
