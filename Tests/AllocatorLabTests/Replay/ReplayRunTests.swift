// Plans performed by the program itself, built from its sources: on the C library, on no allocator, on libraries that fail, under sanitizers.

import HeapAnalysis
import TestSupport
import Testing

@testable import AllocatorLab

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

    /// Blocks from a space of the library's own; what is in `each` is compiled into malloc and free, with the block.
    private func library(_ declarations: String, malloc: String, free: String) -> String {
        """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdatomic.h>
        #include <stddef.h>
        #include <stdint.h>
        #include <stdlib.h>
        #include <time.h>
        #include <unistd.h>
        static _Alignas(16) char space[64 << 20]; static _Atomic size_t used;
        static void fail(const char *why, size_t length) { if (write(2, why, length)) {} abort(); }
        \(declarations)
        void *malloc(size_t size) {
            char *block = space + atomic_fetch_add(&used, (size + 31) & ~(size_t)15);
            \(malloc)
            return block + 16;
        }
        void free(void *pointer) {
            if (!pointer) return;
            char *block = (char *)pointer - 16;
            \(free)
        }
        void *calloc(size_t count, size_t size) { return malloc(count * size); }
        void *realloc(void *block, size_t size) { (void)block; return malloc(size); }
        """
    }

    @Test func `in a run for memory every call is made as the thread that made it, by its storage and its name`() throws
    {
        var script = EventScript()
        for block in 0..<500 as Range<UInt64> {
            script.allocate(block, 48, thread: 1 + UInt32(block % 3))
            // By the thread after it.
            script.free(block, 48, thread: 1 + UInt32((block + 1) % 3))
        }
        // A thread's end is its own, too: what it allocated last is there when its keys go.
        let source = library(
            """
            static _Atomic int threads; static _Thread_local int number; static pthread_key_t key;
            static void leave(void *value) { if ((int)(intptr_t)value != number) fail("another's end", 13); }
            __attribute__((constructor)) static void begin(void) { pthread_key_create(&key, leave); }
            static int self(void) {
                if (!number) {
                    number = ++threads;
                    pthread_setspecific(key, (void *)(intptr_t)number);
                }
                if ((int)(intptr_t)pthread_getspecific(key) != number) fail("another's key", 13);
                return number;
            }
            """, malloc: "if (size == 48) *(int *)block = self(); else *(int *)block = 0;",
            free: "if (*(int *)block == self()) fail(\"freed by its own\", 16);")
        let told = try failure(script.plan(), .memory, library: source)
        #expect(told == "")
    }

    @Test func `a thread that starts many one after the other has no more at once than the program had`() throws {
        var script = EventScript()
        for thread in 2...60 as ClosedRange<UInt32> {
            script.allocate(0x10, 8, thread: 1)
            script.allocate(0x20, 48, thread: thread)
            script.free(0x20, 48, thread: thread)
            script.free(0x10, 8, thread: 1)
        }
        // A thread is counted until its keys go, a moment after the replay counts it as over.
        let source = library(
            """
            static _Atomic int threads; static pthread_key_t key;
            static void leave(void *value) { (void)value; threads--; }
            __attribute__((constructor)) static void begin(void) { pthread_key_create(&key, leave); }
            """,
            malloc: """
                if (size == 48) {
                    if (++threads > 8) fail("too many threads", 16);
                    pthread_setspecific(key, block);
                    nanosleep(&(struct timespec){0, 5000000}, NULL);
                }
                """, free: "(void)block;")
        for mode in [ReplayMode.time, .latency, .memory] {
            #expect(try failure(script.plan(), mode, library: source) == "")
        }
    }

    @Test func `the places of the live blocks are told at the peak and at the end`() throws {
        var script = EventScript()
        script.allocate(0x10, 5000, owner: 0)
        script.allocate(0x20, 300, owner: 1)
        script.allocate(0x30, 0, owner: 1)
        script.free(0x10, 5000)
        let plan = try script.plan()
        let figures = try runner(plan).run(.memory, on: .system).get()
        // The peak is reached by the second block; nothing is added by the third.
        #expect(figures.peakPlaces.map(\.owner) == [0, 1])
        #expect(figures.endPlaces.map(\.owner) == [1, 1])
        #expect(figures.peakPlaces[1].address == figures.endPlaces[0].address)
        #expect(figures.peakPlaces.map(\.usable) == [5000, 312])
        let own = try runner(plan).run(.memory, on: nil).get()
        #expect(own.peakPlaces.isEmpty && own.endPlaces.isEmpty)
    }

    @Test func `what the clock takes lies between no time and the median of what it shows`() throws {
        let plan = try EventScript.random(events: 20_000, threads: 1, seed: 11).plan()
        let figures = try runner(plan, touch: .none).run(.latency, on: nil).get()
        #expect(figures.clockTicks >= 0)
        #expect(figures.clockStep >= 1)
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

    @Test(.enabled(if: Tool.isInstalled("gcc"), "no gcc"))
    func `threads that run freely never race for a slot`() throws {
        // In a run for memory one thread acts for all, which is not for a sanitizer of threads to follow.
        let runner = try ReplayRunner(
            executable: ReplayProgram.thread.get(),
            plan: EventScript.random(events: 20_000, threads: 4, seed: 6).plan(), touch: .none)
        for mode in [ReplayMode.time, .latency] { _ = try runner.run(mode, on: nil).get() }
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
