// `heaptrail report --at` and the cache of symbols, as the tool gives them: reports of a recording and of its compacted copy, errors, and the same
// bytes whether or not an earlier run has learnt the symbols.

internal import Foundation
import TestSupport
import Testing
import TraceReader

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct MomentReportTests {
    private let folder: TemporaryDirectory
    private let recording: Recording

    init() throws {
        folder = try TemporaryDirectory()
        let program = try ProgramBuilder.build(
            testProgram: "bench-churn.c", language: .c, arguments: ["-O1", "-g", "-fno-builtin", "-pthread"])
        recording = try Recording(program, ["2", "60000"])
    }

    private func report(_ trace: String, _ arguments: [String], adding variables: [String: String] = [:]) throws
        -> ProcessResult
    {
        try run(
            BuildProducts.heaptrail(), ["report", trace] + arguments, environment: .inherited(adding: variables),
            timeout: 120)
    }

    @Test func `a moment is reported alike from a recording and from its compacted copy`() throws {
        let packed = folder.file("packed.trace")
        let done = try run(BuildProducts.heaptrail(), ["compact", recording.trace, "-o", packed])
        #expect(done.status == .exited(0), "\(done.stderr)")
        for moment in ["0%", "12.5%", "50%", "100%", "1us"] {
            for view in [
                [], ["--json"], ["--by", "site,thread", "--json"], ["--view", "peak"], ["--view", "totals", "--json"],
            ] {
                let one = try report(recording.trace, ["--at", moment] + view)
                let other = try report(packed, ["--at", moment] + view)
                #expect(one.status == .exited(0), "\(one.stderr)")
                #expect(one.stdoutBytes == other.stdoutBytes, "\(moment) \(view)")
            }
        }
        let half = try report(recording.trace, ["--at", "50%", "--json"])
        let document = try JSONSerialization.jsonObject(with: Data(half.stdoutBytes)) as? [String: Any]
        let trace = try #require(document?["trace"] as? [String: Any])
        let after = try #require(trace["at_ns"] as? Int)
        let duration = try #require(trace["duration_ns"] as? Int)
        #expect(abs(after * 2 - duration) <= 2)
        #expect(trace["bytes_allocated"] is NSNull)
        let live = try #require(document?["live"] as? [String: Any])
        #expect(live["blocks"] as? Int == trace["live_blocks"] as? Int)
        let blocks = try liveBlocks(halfwayThrough: Trace.open(path: recording.trace))
        #expect(live["blocks"] as? Int == blocks)
        #expect(blocks > 100)
    }

    /// What lives when half of the time between the first event and the last is over, by the events alone.
    private func liveBlocks(halfwayThrough trace: Trace) throws -> Int {
        let half = try trace.resolve(.share(0.5)).ticks
        var live = 0
        trace.forEachEvent { (event: HeapEvent) in
            if event.time <= half { live += event.kind == .allocation ? 1 : -1 }
        }
        return live
    }

    @Test(arguments: ["", "5", "5 parsecs", "-1s", "101%", "1e3", "99h"])
    func `what is no moment of the trace is refused in one line`(moment: String) throws {
        let result = try report(recording.trace, ["--at=" + moment])
        #expect(result.status == .exited(64))
        #expect(result.stderr.split(separator: "\n").count == 1)
        #expect(result.stdoutBytes.isEmpty)
    }

    @Test func `symbols from the cache are those from the files`() throws {
        let cache = folder.file("cache")
        let views = [["--by", "site"], ["--json", "--explain"]]
        for view in views {
            let without = try report(
                recording.trace, view, adding: ["HEAPTRAIL_NO_CACHE": "1", "XDG_CACHE_HOME": cache])
            #expect(!FileManager.default.fileExists(atPath: cache) || view != views[0])
            let first = try report(recording.trace, view, adding: ["XDG_CACHE_HOME": cache])
            let second = try report(recording.trace, view, adding: ["XDG_CACHE_HOME": cache])
            #expect(without.stdoutBytes == first.stdoutBytes)
            #expect(without.stdoutBytes == second.stdoutBytes)
            #expect(second.stderr == without.stderr)
        }
        #expect(try !FileManager.default.contentsOfDirectory(atPath: cache + "/heaptrail").isEmpty)
    }

    @Test func `a home that cannot be written is no error`() throws {
        for variables in [
            ["XDG_CACHE_HOME": "/proc/nothing"], ["XDG_CACHE_HOME": "relative"], ["XDG_CACHE_HOME": recording.trace],
        ] {
            let result = try report(recording.trace, ["--json"], adding: variables)
            #expect(result.status == .exited(0))
            #expect(result.stderr.isEmpty)
        }
    }
}
