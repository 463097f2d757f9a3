// Signal handlers that allocate, jump and fork while they interrupt the recorder, and cancelled threads. A program prints
// how often it looped and how often its handlers ran to the end; the trace must come to the same.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct SignalTests {
    /// What a run printed, and its report by size.
    private func record(_ how: String, options: [String] = []) throws -> (looped: Int, handled: Int, Report, Recording)
    {
        let program = try ProgramBuilder.build(
            testProgram: "signals.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let recording = try Recording(program, [how], options: options)
        #expect(recording.result.isSuccess, "\(recording.result)")
        let match = try #require(recording.result.stdout.wholeMatch(of: /ok ([0-9]+) ([0-9]+)\n/))
        let report = try recording.report(by: "size")
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        let looped = try #require(Int(match.1))
        let handled = try #require(Int(match.2))
        return (looped, handled, report, recording)
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `a handler on 8 KiB that allocates a thousand times a second is exact`(options: [String]) throws {
        let (looped, handled, report, _) = try record("tick", options: options)
        #expect(report.events(ofSize: 20011) == Events(looped, looped))
        #expect(report.events(ofSize: 20021) == Events(handled, handled))
        #expect(handled > 0)
    }

    @Test func `handlers that allocate on four threads without pause are exact`() throws {
        let (looped, handled, report, _) = try record("storm")
        #expect(report.events(ofSize: 20023) == Events(looped, looped))
        #expect(report.events(ofSize: 20029) == Events(handled, handled))
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `a handler that jumps out of the recorder leaves it whole`(options: [String]) throws {
        let (looped, handled, report, _) = try record("jump", options: options)
        #expect(report.events(ofSize: 20051) == Events(handled, handled))
        // A block whose call was left by a jump is the program's loss, whether or not its event was written by then.
        let events = report.events(ofSize: 20047)
        #expect(events.frees >= looped - handled && events.frees <= looped)
        #expect(events.allocations >= events.frees && events.allocations <= looped)
        #expect(handled > 0)
    }

    @Test func `a handler that forks while it interrupts the recorder leaves both sides whole`() throws {
        let (looped, handled, report, _) = try record("fork")
        #expect(report.events(ofSize: 20071) == Events(looped, looped))
        #expect(report.events(ofSize: 20063) == Events(0, 0))
        #expect(handled == 100)
    }

    @Test func `children forked by a handler are exact when they are followed`() throws {
        let (looped, handled, report, recording) = try record("fork", options: ["--follow"])
        #expect(report.events(ofSize: 20071) == Events(looped, looped))
        let traces = try recording.followed()
        #expect(traces.count == handled)
        for trace in traces.values {
            let child = try Recording.report(on: trace, by: "size")
            #expect(child.events(ofSize: 20063) == Events(1, 1))
            #expect(child.trace.lost == 0)
            #expect(child.trace.complete)
        }
    }

    @Test func `threads that are cancelled asynchronously end as they do natively`() throws {
        let (looped, handled, report, _) = try record("cancel")
        #expect(report.events(ofSize: 20089) == Events(looped, looped))
        #expect(handled == 200)
        #expect(report.trace.threads == 201)
    }
}
