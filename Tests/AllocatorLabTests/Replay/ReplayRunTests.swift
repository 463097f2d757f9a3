// Plans performed by the program itself, built from its sources: on the C library, on no allocator, on libraries that fail, under sanitizers.

import Foundation
import HeapAnalysis
import TestSupport
import Testing

@testable import AllocatorLab

/// The program heaptrail-replay, built for these tests.
private enum ReplayProgram {
    static let plain = Result { try build("plain", ["-O1"]) }
    // The Swift toolchain's clang links its thread sanitizer only with libdispatch.
    static let thread = Result { try build("thread", ["-O1", "-fsanitize=thread"], compiler: "gcc") }
    static let address = Result {
        try build("address", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
    }

    private static let folder = Result { try TemporaryDirectory() }

    private static func build(_ name: String, _ options: [String], compiler: String? = nil) throws -> String {
        let sources = "\(BuildProducts.packageRoot)/CShims/CReplay"
        let files = try FileManager.default.contentsOfDirectory(atPath: sources).filter { $0.hasSuffix(".c") }
        let path = try folder.get().file("heaptrail-replay-\(name)")
        try runChecked(
            compiler ?? SourceLanguage.c.compiler,
            ["-std=c11", "-D_GNU_SOURCE", "-g", "-pthread", "-fno-builtin-malloc", "-I\(sources)/include"] + options
                + files.sorted().map { "\(sources)/\($0)" } + ["\(sources)/program/main.c", "-o", path], timeout: 300)
        return path
    }
}

@Suite(.enabled(if: SourceLanguage.c.isAvailable, "no C compiler"))
struct ReplayRunTests {
    private func runner(_ plan: ReplayPlan, touch: ReplayTouch = .first) throws -> ReplayRunner {
        try ReplayRunner(executable: ReplayProgram.plain.get(), plan: plan, touch: touch)
    }

    private func failure(_ plan: ReplayPlan, _ mode: ReplayMode, library source: String) throws -> String {
        let path = try ProgramBuilder.build(
            source, language: .c, name: "lib.so", arguments: ["-shared", "-fPIC", "-fno-builtin", "-O1"])
        let allocator = Allocator(name: "broken", libraryPath: path)
        switch try runner(plan).run(mode, on: allocator) {
        case .success: return ""
        case .failure(let failure): return failure.description
        }
    }

    @Test(arguments: [1, 2, 5] as [UInt32])
    func `a run of every kind makes the calls of the trace`(threads: UInt32) throws {
        let plan = try EventScript.random(events: 30_000, threads: threads, seed: 3).plan()
        for mode in [ReplayMode.time, .latency, .memory] {
            let figures = try runner(plan).run(mode, on: .system).get()
            #expect(figures.events == plan.events)
        }
    }

    @Test(arguments: [1, 4] as [UInt32])
    func `the curve of live bytes is the trace's, point by point`(threads: UInt32) throws {
        let plan = try EventScript.random(events: 30_000, threads: threads, seed: 4).plan()
        let figures = try runner(plan).run(.memory, on: .system).get()
        #expect(figures.points.map(\.live) == plan.curve)
        #expect(figures.points.count > 500)
        #expect(figures.owners.reduce(0) { $0 + $1.peakLive } == plan.peakBytes)
        #expect(figures.classes.reduce(0) { $0 + $1.peakLive } == plan.peakBytes)
    }

    @Test func `slack is what the C library gives beyond what was asked for`() throws {
        var script = EventScript()
        script.allocate(0x10, 25, owner: 0)
        script.allocate(0x20, 24, owner: 1)
        let figures = try runner(script.plan()).run(.memory, on: .system).get()
        // glibc's blocks have 24, 40, 56 … usable bytes.
        #expect(figures.owners.map(\.peakSlack) == [15, 0])
        #expect(figures.owners.map(\.peakLive) == [25, 24])
    }

    @Test func `memory held follows the blocks that were touched`() throws {
        var script = EventScript()
        script.allocate(0x10, 64 << 20)
        script.free(0x10, 64 << 20)
        let plan = try script.plan()
        let touched = try runner(plan).run(.memory, on: .system).get()
        #expect(touched.peakAnonymous - touched.startAnonymous >= 64 << 20)
        #expect(touched.endAnonymous - touched.startAnonymous < 1 << 20)
        let untouched = try runner(plan, touch: .none).run(.memory, on: .system).get()
        #expect(untouched.peakAnonymous - untouched.startAnonymous < 1 << 20)
        let all = try runner(plan, touch: .all).run(.memory, on: .system).get()
        #expect(all.peakAnonymous - all.startAnonymous >= 64 << 20)
    }

    @Test func `the replay's own memory does not grow with events, and none of it is the heap's`() throws {
        for events in [1000, 400_000] {
            let plan = try EventScript.random(events: events, threads: 2, seed: 5).plan()
            let own = try runner(plan).run(.memory, on: nil).get()
            #expect(own.endAnonymous - min(own.endAnonymous, own.startAnonymous) < 512 << 10)
        }
    }

    @Test func `an allocator that gives no memory is told with the call that it failed`() throws {
        var script = EventScript()
        for block in 1...100 as ClosedRange<UInt64> { script.allocate(block * 16, 48) }
        let plan = try script.plan()
        let source = """
            #include <stddef.h>
            static char space[1 << 20]; static size_t used; static int left = 40;
            void *malloc(size_t size) { if (size == 48 && left-- == 0) return NULL;
                used = (used + 15) & ~(size_t)15; void *block = space + used; used += size; return block; }
            void free(void *block) { (void)block; }
            void *calloc(size_t count, size_t size) { return malloc(count * size); }
            void *realloc(void *block, size_t size) { (void)block; return malloc(size); }
            """
        for mode in [ReplayMode.time, .latency, .memory] {
            let told = try failure(plan, mode, library: source)
            #expect(told.hasPrefix("gave no memory for an allocation of 48 bytes after 40 of 100 events"), "\(told)")
        }
    }

    @Test func `an allocator that crashes is told with its signal and its last words`() throws {
        var script = EventScript()
        for block in 1...10 as ClosedRange<UInt64> { script.allocate(block * 16, 48) }
        script.free(16, 48)
        let source = """
            #include <stddef.h>
            #include <stdlib.h>
            #include <unistd.h>
            static char space[1 << 20]; static size_t used;
            void *malloc(size_t size) {
                used = (used + 15) & ~(size_t)15; void *block = space + used; used += size; return block; }
            void free(void *block) { if (!block) return; write(2, "bad free\\n", 9); abort(); }
            void *calloc(size_t count, size_t size) { return malloc(count * size); }
            void *realloc(void *block, size_t size) { (void)block; return malloc(size); }
            """
        let told = try failure(script.plan(), .memory, library: source)
        #expect(told.hasPrefix("was ended by signal 6 "), "\(told)")
        #expect(told.hasSuffix("after 10 of 11 events: bad free"), "\(told)")
    }

    @Test func `blocks that are aligned to more than a page are given by every allocator, the null one included`()
        throws
    {
        var script = EventScript()
        for power in 3..<28 as Range<UInt8> { script.allocate(UInt64(power) << 40, 100, alignment: 16 + power) }
        let plan = try script.plan()
        for mode in [ReplayMode.time, .latency, .memory] {
            for allocator in [nil, Allocator.system] {
                #expect(try runner(plan).run(mode, on: allocator).get().events == plan.events)
            }
        }
    }

    @Test func `an allocator that hands out misaligned blocks is told`() throws {
        var script = EventScript()
        script.allocate(0x10, 48)
        let source = """
            #include <stddef.h>
            static char space[1 << 20]; static size_t used = 4;
            void *malloc(size_t size) { void *block = space + used; used += size; return block; }
            void free(void *block) { (void)block; }
            void *calloc(size_t count, size_t size) { return malloc(count * size); }
            void *realloc(void *block, size_t size) { (void)block; return malloc(size); }
            """
        let told = try failure(script.plan(), .memory, library: source)
        #expect(told.hasPrefix("gave a block of 48 bytes that is not aligned as asked"), "\(told)")
    }

    @Test func `a library that does not become the allocator is told`() throws {
        var script = EventScript()
        script.allocate(0x10, 48)
        let told = try failure(script.plan(), .time, library: "int nothing_of_malloc(void) { return 1; }")
        #expect(told == "was not loaded: malloc is another library's")
    }

    @Test(.enabled(if: Tool.isInstalled("gcc"), "no gcc"))
    func `threads that run freely never race for a slot`() throws {
        let runner = try ReplayRunner(
            executable: ReplayProgram.thread.get(),
            plan: EventScript.random(events: 20_000, threads: 4, seed: 6).plan(), touch: .none)
        for mode in [ReplayMode.time, .latency, .memory] { _ = try runner.run(mode, on: nil).get() }
    }

    @Test func `the loops are sound under the address and undefined-behaviour sanitizers`() throws {
        let runner = try ReplayRunner(
            executable: ReplayProgram.address.get(),
            plan: EventScript.random(events: 20_000, threads: 3, seed: 8).plan(), touch: .all)
        for mode in [ReplayMode.time, .latency, .memory] { _ = try runner.run(mode, on: nil).get() }
    }

    @Test func `a replay has a row for each allocator, also for one that fails`() throws {
        let plan = try EventScript.random(events: 5000, threads: 2, seed: 9).plan()
        let session = try ReplaySession(
            plan: plan, allocators: [.system, Allocator(name: "gone", libraryPath: "/nowhere/libgone.so")],
            simulations: SimulatedAllocator.allCases, runs: 2, touch: .first, executable: ReplayProgram.plain.get())
        let replay = try session()
        #expect(replay.rows.map(\.allocator) == ["glibc", "gone", "sim:buddy", "sim:bestfit"])
        #expect(replay.rows.map { $0.failure == nil } == [true, false, true, true])
        #expect(replay.hasFailures)
        let glibc = replay.rows[0]
        #expect(glibc.curve.filter { $0.events != plan.peakEvent }.map(\.live).count >= plan.curve.count - 1)
        #expect(glibc.curve.map(\.live).max() == plan.peakBytes)
        #expect(glibc.families.reduce(0) { $0 + $1.peakBytes } == plan.peakBytes)
        for row in replay.rows where row.isSimulated {
            #expect(row.nanosecondsPerEvent == nil)
            #expect(row.families.reduce(0) { $0 + $1.peakBytes } == plan.peakBytes)
            #expect(row.owners.map(\.allocations).reduce(0, +) == glibc.owners.map(\.allocations).reduce(0, +))
        }
        for row in [glibc, replay.rows[2]] {
            #expect(Set(row.owners.map(\.name)).count == row.owners.count, "an owner has one row")
            #expect(row.families.count < row.owners.count)
            for family in row.families {
                let members = row.owners.filter { $0.family == family.family }
                #expect(family.allocations == members.reduce(0) { $0 + $1.allocations })
                #expect(family.bytes == members.reduce(0) { $0 + $1.bytes })
                #expect(family.slackBytes == members.reduce(0) { $0 + ($1.slackBytes ?? 0) })
                #expect(family.timedCalls == members.reduce(0) { $0 + $1.timedCalls })
            }
        }
        #expect(glibc.families.contains { ($0.nanosecondsPerCall ?? 0) > 0 })
        let text = replay.text(title: "trace", width: 120)
        #expect(text.contains("  glibc "))
        #expect(text.contains("  sim:buddy "))
    }
}
