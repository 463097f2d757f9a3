// Plans performed by the program itself, built from its sources: on the C library, on no allocator, on libraries that fail, under sanitizers.

import HeapAnalysis
import TestSupport
import Testing

@testable import AllocatorLab

@Suite(.enabled(if: SourceLanguage.c.isAvailable, "no C compiler"))
struct ReplayRunTests {
    @Test(arguments: [1, 2, 5] as [UInt32])
    func `a run of every kind makes the calls of the trace`(threads: UInt32) throws {
        let plan = try EventScript.random(events: 30_000, threads: threads, seed: 3).plan()
        for mode in [ReplayMode.time, .latency, .memory] {
            let figures = try ReplayProgram.runner(plan).run(mode, on: .system).get()
            #expect(figures.events == plan.events)
        }
    }

    @Test(arguments: [1, 4] as [UInt32])
    func `the curve of live bytes is the trace's, point by point`(threads: UInt32) throws {
        let plan = try EventScript.random(events: 30_000, threads: threads, seed: 4).plan()
        let figures = try ReplayProgram.runner(plan).run(.memory, on: .system).get()
        #expect(figures.points.map(\.live) == plan.curve)
        #expect(figures.points.count > 500)
        #expect(figures.owners.reduce(0) { $0 + $1.peakLive } == plan.peakBytes)
        #expect(figures.classes.reduce(0) { $0 + $1.peakLive } == plan.peakBytes)
    }

    @Test func `slack is what the C library gives beyond what was asked for`() throws {
        var script = EventScript()
        script.allocate(0x10, 25, owner: 0)
        script.allocate(0x20, 24, owner: 1)
        let figures = try ReplayProgram.runner(script.plan()).run(.memory, on: .system).get()
        // glibc's blocks have 24, 40, 56 … usable bytes.
        #expect(figures.owners.map(\.peakSlack) == [15, 0])
        #expect(figures.owners.map(\.peakLive) == [25, 24])
    }

    @Test func `memory held follows the blocks that were touched`() throws {
        var script = EventScript()
        script.allocate(0x10, 64 << 20)
        script.free(0x10, 64 << 20)
        let plan = try script.plan()
        let touched = try ReplayProgram.runner(plan).run(.memory, on: .system).get()
        #expect(touched.peakAnonymous - touched.startAnonymous >= 64 << 20)
        #expect(touched.endAnonymous - touched.startAnonymous < 1 << 20)
        let untouched = try ReplayProgram.runner(plan, touch: .none).run(.memory, on: .system).get()
        #expect(untouched.peakAnonymous - untouched.startAnonymous < 1 << 20)
        let all = try ReplayProgram.runner(plan, touch: .all).run(.memory, on: .system).get()
        #expect(all.peakAnonymous - all.startAnonymous >= 64 << 20)
        var leaking = EventScript()
        leaking.allocate(0x10, 64 << 20)
        let leaked = try ReplayProgram.runner(leaking.plan()).run(.memory, on: .system).get()
        #expect(leaked.endAnonymous - leaked.startAnonymous >= 64 << 20)
        #expect(leaked.freedAnonymous - leaked.startAnonymous < 1 << 20)
    }

    @Test func `the replay's own memory does not grow with events, and none of it is the heap's`() throws {
        for events in [1000, 400_000] {
            let plan = try EventScript.random(events: events, threads: 2, seed: 5).plan()
            let own = try ReplayProgram.runner(plan).run(.memory, on: nil).get()
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
            let told = try ReplayProgram.failure(plan, mode, library: source)
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
        let told = try ReplayProgram.failure(script.plan(), .memory, library: source)
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
                #expect(try ReplayProgram.runner(plan).run(mode, on: allocator).get().events == plan.events)
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
        let told = try ReplayProgram.failure(script.plan(), .memory, library: source)
        #expect(told.hasPrefix("gave a block of 48 bytes that is not aligned as asked"), "\(told)")
    }

    @Test func `a run sees the user's variables, but no library that the user preloads`() {
        let own: [ByteString] = ["A=1", "LD_PRELOAD=/usr/lib/libother.so", "MALLOC_ARENA_MAX=1"]
        let library = Allocator(name: "a", libraryPath: "/lib/a.so")
        #expect(ReplayRunner.environment(for: .system, over: own) == ["A=1", "MALLOC_ARENA_MAX=1"])
        #expect(ReplayRunner.environment(for: nil, over: own) == ["A=1", "MALLOC_ARENA_MAX=1"])
        #expect(
            ReplayRunner.environment(for: library, over: own) == ["A=1", "MALLOC_ARENA_MAX=1", "LD_PRELOAD=/lib/a.so"])
    }

    @Test func `a library that does not become the allocator is told`() throws {
        var script = EventScript()
        script.allocate(0x10, 48)
        let told = try ReplayProgram.failure(script.plan(), .time, library: "int nothing_of_malloc(void) { return 1; }")
        #expect(told == "was not loaded: malloc is another library's")
    }

    @Test func `the places of the live blocks are told at the peak and at the end`() throws {
        var script = EventScript()
        script.allocate(0x10, 5000, owner: 0)
        script.allocate(0x20, 300, owner: 1)
        script.allocate(0x30, 0, owner: 1)
        script.free(0x10, 5000)
        let plan = try script.plan()
        let figures = try ReplayProgram.runner(plan).run(.memory, on: .system).get()
        // The peak is reached by the second block; nothing is added by the third.
        #expect(figures.peakPlaces.map(\.owner) == [0, 1])
        #expect(figures.endPlaces.map(\.owner) == [1, 1])
        #expect(figures.peakPlaces[1].address == figures.endPlaces[0].address)
        #expect(figures.peakPlaces.map(\.usable) == [5000, 312])
        let own = try ReplayProgram.runner(plan).run(.memory, on: nil).get()
        #expect(own.peakPlaces.isEmpty && own.endPlaces.isEmpty)

        // A block that is between the halves of its reallocation is nowhere.
        var moving = EventScript()
        moving.allocate(0x10, 100, owner: 0)
        moving.beginReallocation(0x10, 100)
        moving.allocate(0x20, 5000, thread: 2, owner: 1)
        moving.free(0x20, 5000, thread: 2, owner: 1)
        moving.endReallocation(0x30, 200)
        let moved = try ReplayProgram.runner(moving.plan()).run(.memory, on: .system).get()
        #expect(moved.peakPlaces.map(\.owner) == [1])
        #expect(moved.endPlaces.map(\.owner) == [0])
    }

    @Test func `a plan that is not what it says is told`() throws {
        var script = EventScript()
        for block in 1...100 as ClosedRange<UInt64> { script.allocate(block * 16, 48) }
        func told(_ tamper: (inout [UInt64]) -> Void) throws -> String {
            let plan = try script.plan()
            var words = try plan.file.contents().withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
            tamper(&words)
            words.withUnsafeBytes { try? plan.file.write($0, at: 0) }
            switch try ReplayProgram.runner(plan).run(.memory, on: .system) {
            case .success: return ""
            case .failure(let failure): return failure.description
            }
        }
        #expect(try told { _ in } == "")
        // The header's offset of the curve, whose second point is after two events; its peak; the first word of the first operation.
        #expect(try told { $0[Int($0[12]) / 8 + 1] += 1 }.hasPrefix("does not come to the trace's live bytes (96)"))
        #expect(try told { $0[7] += 1 }.hasPrefix("does not come to the trace's live bytes (4,800)"))
        #expect(try told { $0[512] += 1 << 32 }.hasPrefix("does not come to the trace's live bytes"))
        #expect(try told { $0[513] += 1 << 32 } == "")
        #expect(try told { $0[512] += 1 << 4 } == "made other calls than the trace")
    }

    @Test func `what the clock takes lies between no time and the median of what it shows`() throws {
        let plan = try EventScript.random(events: 20_000, threads: 1, seed: 11).plan()
        let figures = try ReplayProgram.runner(plan, touch: .none).run(.latency, on: nil).get()
        #expect(figures.clockTicks >= 0)
        #expect(figures.clockStep >= 1)
        for (call, counts) in figures.latencies.enumerated() {
            // A bin's number is never above the least of its ticks.
            let highest = counts.lastIndex { $0 > 0 } ?? 0
            #expect(figures.worstTicks[call] >= highest)
        }
        #expect(figures.worstTicks[0] > 0)
        let calls = figures.latencies.map { $0.reduce(0, +) }.reduce(0, +)
        #expect(calls == figures.calls)
        let row: Replay.Row = {
            var row = Replay.Row(allocator: "null")
            row.take(latencies: [figures], of: plan.owners)
            return row
        }()
        #expect(
            row.latencies.compactMap { $0 }.allSatisfy { $0.median >= 0 && $0.median <= $0.p99 && $0.p99 <= $0.max })
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
