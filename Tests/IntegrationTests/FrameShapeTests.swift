// Frames that no unwind table explains and stacks that are very deep or very small: the program runs as it does natively,
// every event is there, and a call stack that ends early says so instead of going on through what it does not know.

import TestSupport
import Testing
internal import TraceReader

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct FrameShapeTests {
    private func record(_ how: String, options: [String] = []) throws -> Recording {
        let program = try ProgramBuilder.build(
            testProgram: "frames.c", language: .c,
            arguments: ["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-fno-builtin", "-pthread"])
        let native = try run(program, [how])
        #expect(native.stdout == "ok\n", "\(native.stderr)")
        let recording = try Recording(program, [how], options: options)
        #expect(recording.result.status == native.status, "\(recording.result.stderr)")
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.programErrors == native.stderr)
        return recording
    }

    private func report(on recording: Recording) throws -> Report {
        let report = try recording.report(by: "size,site", options: ["--explain"])
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        return report
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `blocks that generated code allocates are counted to the block`(options: [String]) throws {
        let report = try report(on: record("jit", options: options))
        #expect(report.events(ofSize: 21001) == Events(500, 500))
        #expect(report.events(ofSize: 21011) == Events(500, 500))
        #expect(report.events(ofSize: 21013) == Events(1, 1))
        #expect(report.events(ofSize: 21017) == Events(1, 1))
    }

    @Test func `generated code with a frame pointer is walked through`() throws {
        let report = try report(on: record("jit"))
        for size in [21001, 21013] {
            let rows = report.rows.filter { $0.size == size }
            #expect(rows.count == 1)
            let stack = rows.first?.stack ?? []
            #expect(stack.first?.hasPrefix("0x") == true, "\(stack)")
            #expect(stack.dropFirst().first?.hasPrefix("call_generated") == true, "\(stack)")
            #expect(stack.contains { $0.hasPrefix("main") }, "\(stack)")
        }
    }

    @Test func `a stack ends at generated code without a frame pointer, and says so`() throws {
        let recording = try record("jit")
        let trace = try Trace.open(path: recording.trace)
        var found = 0
        trace.forEachEvent { event in
            guard event.kind == .allocation, event.size == 21011 || event.size == 21017 else { return }
            found += 1
            #expect(trace.stacks.frames(of: event.stack).count == 1)
            #expect(trace.stacks[event.stack]?.endedEarly == true)
        }
        #expect(found == 501)
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `allocation all the way down and up 100,000 frames is exact`(options: [String]) throws {
        let report = try report(on: record("deep", options: options))
        #expect(report.events(ofSize: 21019) == Events(100, 100))
        #expect(report.events(ofSize: 21023) == Events(100, 100))
    }

    @Test func `a stack that is cut at the depth limit holds its innermost frames, and says so`() throws {
        let recording = try record("deep")
        let trace = try Trace.open(path: recording.trace)
        var (whole, cut) = (0, 0)
        trace.forEachEvent { event in
            guard event.kind == .allocation, event.size == 21019 || event.size == 21023 else { return }
            let isCut = trace.stacks[event.stack]?.isTruncated == true
            cut += isCut ? 1 : 0
            whole += isCut ? 0 : 1
            #expect(trace.stacks[event.stack]?.endedEarly == false)
            #expect(trace.stacks.frames(of: event.stack).count > 900)
        }
        #expect(cut == 200)
        #expect(whole == 0)
    }

    @Test(arguments: [[], ["--no-stacks"]])
    func `threads with 4 KiB of stack left allocate as they do natively`(options: [String]) throws {
        let report = try report(on: record("narrow", options: options))
        #expect(report.events(ofSize: 21031) == Events(64, 64))
    }
}
