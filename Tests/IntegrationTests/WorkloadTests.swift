// The demo workloads under the recorder: what `heaptrail-demo expected NAME` promises is what the trace must show, to the
// block. Rows that promise no allocations are the negative controls.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct WorkloadTests {
    /// What `heaptrail-demo expected NAME` prints.
    struct Promise: Decodable {
        struct Row: Decodable {
            let family: String
            let type: String
            let cause: String
            let size: Int?
            let allocations: Int
            let frees: Int
        }

        let workload: String
        let rows: [Row]
        let counters: [String: Int]

        init(of workload: String) throws {
            let text = try runChecked(BuildProducts.demo(), ["expected", workload])
            self = try JSONDecoder().decode(Promise.self, from: Data(text.utf8))
        }
    }

    static let names = [
        "box", "big-box", "tracing-allocator", "string", "cow", "url", "json", "mutex", "pool", "small-string",
        "adaptive-set",
    ]

    /// Holds a report by owner, cause and size against the promise.
    private func expect(_ promise: Promise, in report: Report) {
        #expect(!promise.rows.isEmpty)
        for row in promise.rows {
            let matching = report.rows.filter {
                $0.family == row.family && $0.type == row.type && $0.cause == row.cause
                    && (row.size == nil || $0.size == row.size)
            }
            let sum = matching.reduce(into: Events(0, 0)) { sum, row in
                sum.allocations += row.allocations
                sum.frees += row.frees
            }
            let what = "\(promise.workload): \(row.family) \(row.type) by \(row.cause), size \(row.size ?? -1)"
            #expect(sum == Events(row.allocations, row.frees), "\(what)")
        }
        for (name, value) in promise.counters {
            #expect(report.counters[name, default: 0] == value, "\(promise.workload): counter \(name)")
        }
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
    }

    private func record(_ name: String, options: [String] = []) throws -> Recording {
        let native = try run(BuildProducts.demo(), [name])
        let recording = try Recording(BuildProducts.demo(), [name], options: options)
        #expect(recording.result.status == native.status)
        #expect(recording.result.stdout == native.stdout)
        return recording
    }

    @Test(arguments: names)
    func `a workload shows exactly the owners and counts it promises`(name: String) throws {
        let report = try record(name).report(by: "owner,cause,size")
        expect(try Promise(of: name), in: report)
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"), arguments: names)
    func `the owners and counts of a workload are the same on jemalloc`(name: String) throws {
        let report = try record(name, options: ["--allocator", "jemalloc"]).report(by: "owner,cause,size")
        #expect(report.trace.allocator == "jemalloc")
        expect(try Promise(of: name), in: report)
    }

    @Test(arguments: ["mimalloc", "tcmalloc"])
    func `a box is the same on every installed allocator`(allocator: String) throws {
        guard Machine.hasAllocator(allocator) else {
            try skip("\(allocator) is not installed")
        }
        let report = try record("box", options: ["--allocator", allocator]).report(by: "owner,cause,size")
        #expect(report.trace.allocator == allocator)
        expect(try Promise(of: "box"), in: report)
    }

    @Test(arguments: ["box", "cow"])
    func `tags name the owners without call stacks, too`(name: String) throws {
        let report = try record(name, options: ["--no-stacks"]).report(by: "owner,cause,size")
        expect(try Promise(of: name), in: report)
    }

    @Test func `the allocator's own log and the preload's text log tell the same story for the Matrix`() throws {
        let directory = try TemporaryDirectory()
        let own = directory.file("own.log")
        let preload = directory.file("preload.log")
        let result = try run(
            BuildProducts.heaptrail(),
            [
                "record", "--format", "text", "-o", preload, "--", BuildProducts.demo(), "tracing-allocator", "--log",
                own,
            ])
        #expect(result.isSuccess)

        let ownEvents = try directory.read("own.log").split(separator: 10).map { String(decoding: $0, as: UTF8.self) }
            .compactMap(TextEvent.init).filter { $0.size == 505 }
        let addresses = Set(ownEvents.map(\.address))
        let preloadEvents = try directory.read("preload.log").split(separator: 10)
            .map { String(decoding: $0, as: UTF8.self) }.compactMap(TextEvent.init)
            .filter { $0.size == 505 && addresses.contains($0.address) }
        #expect(ownEvents.map(\.kind) == ["ALLOC", "FREE"])
        #expect(preloadEvents == ownEvents)
    }

    @Test func `who allocated is told apart by thread in the mutex workload`() throws {
        let recording = try record("mutex")
        let report = try recording.report(by: "owner,cause,thread")
        let promise = try Promise(of: "mutex")
        let row = try #require(promise.rows.first { $0.family == "Cow" && $0.allocations > 0 })
        let byThread = report.rows.filter { $0.type == row.type && $0.cause == row.cause }
        #expect(byThread.reduce(0) { $0 + $1.allocations } == row.allocations)
        #expect(Set(byThread.map(\.thread)).count == byThread.count)
        #expect(byThread.allSatisfy { $0.thread != nil && $0.allocations > 0 })
        // The main thread and those that bring an owned key; a thread without an event is in no view.
        let threads = try #require(try recording.report(view: "thread").thread)
        #expect(threads.count >= 1 + byThread.count)
        #expect(threads.reduce(0) { $0 + $1.allocations } == report.trace.allocations)
    }
}
