// Threads: many, short-lived, on small stacks, freeing each other's blocks and freeing as they end.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ThreadTests {
    private func record(_ how: String, options: [String] = []) throws -> Recording {
        let program = try ProgramBuilder.build(
            testProgram: "threads.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let recording = try Recording(program, [how], options: options)
        #expect(recording.result.stdout == "ok\n")
        #expect(recording.result.isSuccess)
        return recording
    }

    private func report(_ how: String, by keys: String = "size", options: [String] = []) throws -> Report {
        try record(how, options: options).wholeReport(by: keys)
    }

    @Test func `a thousand short-lived threads are each told apart`() throws {
        let report = try report("short-lived", by: "size,thread")
        #expect(report.events(ofSize: 14009) == Events(3000, 3000))
        let rows = report.rows.filter { $0.size == 14009 }
        #expect(rows.count == 1000)
        #expect(rows.allSatisfy { $0.allocations == 3 && $0.frees == 3 })
        #expect(report.trace.threads == 1001)
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `six thousand threads alive at once lose nothing`(options: [String]) throws {
        let program = try ProgramBuilder.build(
            testProgram: "threads.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        guard try run(program, ["alive"]).stdout == "ok\n" else { try skip("too few threads are allowed here") }
        let report = try report("alive", options: options)
        #expect(report.events(ofSize: 14083) == Events(60_000, 60_000))
        #expect(report.events(ofSize: 14087) == Events(60_000, 60_000))
        #expect(report.trace.threads == 6001)
    }

    @Test func `a block freed on another thread keeps its own`() throws {
        let report = try report("handover", by: "size,thread")
        #expect(report.events(ofSize: 14011) == Events(2000, 2000))
        let makers = report.rows.filter { $0.size == 14011 }
        #expect(makers.count == 4)
        #expect(makers.allSatisfy { $0.allocations == 500 && $0.liveBlocks == 0 })
    }

    @Test func `blocks passed through a queue are each freed once, and none is left`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "bench-exchange.c", language: .c, arguments: ["-O2", "-fno-builtin", "-pthread"])
        let recording = try Recording(program, ["3", "2", "5000"])
        #expect(recording.result.stdout == "120000 freed\n")
        let report = try recording.report(by: "thread")
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        let makers = report.rows.filter { $0.allocations == 40_000 }
        #expect(makers.count == 3)
        #expect(makers.allSatisfy { $0.frees == 40_000 && $0.liveBlocks == 0 })
    }

    @Test func `frees and allocations in a thread's destructors are kept`() throws {
        let report = try report("destructors")
        #expect(report.events(ofSize: 14029) == Events(50, 50))
        #expect(report.events(ofSize: 14033) == Events(50, 50))
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `threads on the smallest stacks run as they did`(options: [String]) throws {
        let report = try report("small-stacks", options: options)
        #expect(report.events(ofSize: 14051) == Events(64, 64))
    }

    @Test func `a thread's name is in the report by thread`() throws {
        let recording = try record("named")
        let view = try recording.report(view: "thread")
        let threads = try #require(view.thread)
        let maker = try #require(threads.first { $0.name == "maker" })
        let idler = try #require(threads.first { $0.name == "idler" })
        let rows = try recording.report(by: "thread,size").rows
        #expect(rows.first { $0.thread == maker.thread && $0.size == 14057 }?.allocations == 10)
        #expect(rows.first { $0.thread == idler.thread && $0.size == 14071 }?.allocations == 2)
        #expect(maker.tid != idler.tid)
    }

    @Test func `a thread that is gone at once keeps the name that it gave itself`() throws {
        let view = try record("named-briefly").report(view: "thread")
        let names = try #require(view.thread).compactMap(\.name).filter { $0.hasPrefix("brief-") }
        #expect(names.sorted() == (0..<20).map { "brief-\($0)" }.sorted())
    }

    @Test func `threads that allocate at once lose nothing`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <pthread.h>
            #include <stdlib.h>
            static void *churn(void *unused) {
                for (int i = 0; i < 20000; i++) { char *volatile block = malloc(14081); *block = 1; free(block); }
                return unused;
            }
            int main(void) {
                pthread_t threads[8];
                for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, churn, NULL);
                for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
            }
            """, language: .c, arguments: ["-O1", "-fno-builtin"])
        let report = try Recording(program).report(by: "size")
        #expect(report.events(ofSize: 14081) == Events(160_000, 160_000))
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        // At most one block a thread was live at any time, plus what the threads themselves cost.
        let row = report.rows.first { $0.size == 14081 }
        #expect((row?.peakBytes ?? 0) <= 8 * 14081)
    }
}
