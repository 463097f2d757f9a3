// The report's options on a trace whose contents are known: views, cuts, filters, standard input, and what is printed where.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ReportCommandTests {
    private let recording: Recording

    init() throws {
        let program = try ProgramBuilder.build(
            testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        recording = try Recording(program)
    }

    @Test func `standard input is read as a file is`() throws {
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        let fromFile = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--json"])
        let fromInput = try run(BuildProducts.heaptrail(), ["report", "-", "--json"], stdin: bytes)
        #expect(fromFile.isSuccess)
        #expect(fromInput.stdoutBytes == fromFile.stdoutBytes)
    }

    @Test func `rows sum to the trace whatever they are grouped by`() throws {
        for keys in ["family", "owner", "cause", "site", "size", "thread", "module", "owner,cause,site,size,thread"] {
            let report = try recording.report(by: keys)
            let trace = report.trace
            #expect(report.rows.reduce(0) { $0 + $1.allocations } == trace.allocations, "\(keys)")
            #expect(report.rows.reduce(0) { $0 + $1.frees } == trace.frees, "\(keys)")
            #expect(report.rows.reduce(0) { $0 + $1.bytes } == trace.bytesAllocated, "\(keys)")
            #expect(report.rows.reduce(0) { $0 + $1.liveBytes } == trace.liveBytes, "\(keys)")
            #expect(report.rows.reduce(0) { $0 + $1.peakBytes } == trace.peakBytes, "\(keys)")
            #expect(report.rows.reduce(0) { $0 + $1.temporary } == trace.temporary, "\(keys)")
        }
    }

    @Test func `the peak, what is live and what is temporary are what the program does`() throws {
        let report = try recording.report(by: "size")
        let leak = try #require(report.rows.first { $0.size == 1009 })
        #expect(leak.peakBytes == 300 * 1009)
        #expect(leak.liveBlocks == 1)
        let temporary = try #require(report.rows.first { $0.size == 3001 })
        // Each of the fifty is freed as the next event.
        #expect(temporary.temporary == 50)
        #expect(temporary.peakBytes == 0)
        #expect(report.trace.peakBytes >= 300 * 1009)
    }

    @Test func `--top cuts the rows, JSON is whole without it`() throws {
        let all = try recording.report(by: "size")
        #expect(all.rows.count > 13)
        #expect(try recording.report(by: "size", options: ["--top", "2"]).rows.count == 2)
    }

    @Test func `--filter and --family keep the rows that match`() throws {
        let report = try recording.report(by: "owner,site", options: ["--filter", "MAGIC-sizes"])
        #expect(!report.rows.isEmpty)
        #expect(report.rows.reduce(0) { $0 + $1.allocations } >= 362)
        #expect(try recording.report(options: ["--filter", "nothing-is-called-so"]).rows.isEmpty)
        #expect(try recording.report(options: ["--family", "Box"]).rows.isEmpty)
        #expect(try recording.report(options: ["--family", "C"]).rows.allSatisfy { $0.family == "C" })
    }

    @Test func `the site of a C program's blocks is its own line`() throws {
        let report = try recording.report(by: "site,size")
        let row = try #require(report.rows.first { $0.size == 1009 })
        let site = try #require(row.site)
        #expect(site.hasPrefix("main"), "\(site)")
        #expect(site.contains("magic-sizes.c:"), "\(site)")
        #expect(row.cause != nil)
    }

    @Test(arguments: ["totals", "peak", "leaks", "temporary", "size", "thread", "growth", "copies"])
    func `every view is a table without colour when it is not a terminal`(view: String) throws {
        let result = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", view])
        #expect(result.isSuccess)
        #expect(result.stderr == "")
        #expect(!result.stdout.contains("\u{1b}"))
        #expect(result.stdout.contains("magic-sizes"))
        #expect(result.stdout.split(separator: "\n").count > 4)
    }

    @Test func `several views come from one report`() throws {
        let all = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", "all", "--json"])
        #expect(all.isSuccess, "\(all.stderr)")
        for name in ["rows", "peak", "leaks", "live", "temporary", "size", "thread", "flows", "lifetimes", "growth"] {
            #expect(all.stdout.contains("\n  \"\(name)\": "), "\(name)")
        }
        let two = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", "peak,LEAKS", "--json"])
        #expect(two.isSuccess && two.stdout.contains("\n  \"leaks\": ") && !two.stdout.contains("\n  \"size\": "))
        let text = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", "peak,thread"])
        #expect(text.stdout.split(separator: "\n").filter { $0.hasPrefix("──") } == ["── peak ──", "── thread ──"])
        for wrong in ["peak,", "peak,nothing", ""] {
            let refused = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--view", wrong])
            #expect(refused.exitStatus == 64, "\(wrong): \(refused.stderr)")
        }
    }

    @Test func `the demo records a workload and reports its owners`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(
            BuildProducts.heaptrail(), ["demo", "box", "--allocators", "glibc", "--runs", "1"],
            workingDirectory: folder.path)
        #expect(result.isSuccess, "\(result.stderr)")
        #expect(result.stdout.contains("Box<Matrix>"))
        #expect(result.stdout.contains("505 B"))
        #expect(try folder.names().isEmpty)
        let unknown = try run(
            BuildProducts.heaptrail(), ["demo", "no-such-workload", "--allocators", "glibc"],
            workingDirectory: folder.path)
        #expect(unknown.exitStatus != 0)
        #expect(unknown.stderr.contains("no-such-workload"), "\(unknown.stderr)")
    }
}
