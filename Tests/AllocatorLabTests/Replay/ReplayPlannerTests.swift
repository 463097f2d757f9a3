// Plans from events written by hand, and what the loop would do with them.

import HeapAnalysis
import Testing

@testable import AllocatorLab

@Suite struct ReplayPlannerTests {
    /// What a plan does, in the order of the trace.
    private func steps(_ plan: ReplayPlan) throws -> [PlanReader.Step] {
        var steps: [PlanReader.Step] = []
        var reader = try PlanReader(plan)
        try reader.forEachStep { steps.append($0) }
        return steps
    }

    @Test func `the peak and the curve are those of the events`() throws {
        var script = EventScript()
        script.allocate(0x10, 100)
        script.allocate(0x20, 50)
        script.free(0x10, 100)
        script.allocate(0x30, 70)
        let plan = try script.plan()
        #expect(plan.events == 4)
        #expect(plan.peakBytes == 150)
        #expect(plan.peakEvent == 2)
        #expect(plan.liveBytes == 120)
        #expect(plan.curve == [100, 150, 50, 120, 120])
    }

    @Test func `a slot is used again as soon as its block is freed`() throws {
        var script = EventScript()
        for _ in 0..<50_000 {
            script.allocate(0x10, 24)
            script.allocate(0x20, 24)
            script.free(0x10, 24)
            script.free(0x20, 24)
        }
        #expect(try script.plan().slots == 2)
    }

    @Test func `slots that one thread fills and another empties come back`() throws {
        var script = EventScript()
        for block in 0..<100_000 as Range<UInt64> {
            script.allocate(0x10 + block * 16, 24, thread: 1)
            script.free(0x10 + block * 16, 24, thread: 2)
        }
        let plan = try script.plan()
        #expect(plan.threads == 2)
        #expect(plan.slots < 10_000)
        #expect(plan.waits >= 100_000)
    }

    @Test func `every block of a random program of several threads comes and goes in the order of the trace`() throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            let script = EventScript.random(events: 20_000, threads: UInt32(seed), seed: seed)
            let plan = try script.plan(batch: 1 + Int(seed) * 100)
            var sizes: [UInt64] = []
            var inSlot: [Int: UInt64] = [:]
            for step in try steps(plan) {
                switch step {
                case .allocate(let slot, let size, _, _):
                    #expect(inSlot[slot] == nil)
                    inSlot[slot] = size
                    sizes.append(size)
                case .free(let slot):
                    #expect(inSlot.removeValue(forKey: slot) != nil)
                case .pass: Issue.record("nothing passes")
                }
            }
            #expect(sizes == script.events.filter { $0.kind == .allocation }.map(\.size))
            #expect(inSlot.values.reduce(0, +) == plan.liveBytes)
        }
    }

    @Test func `a realloc pair is one call in one slot`() throws {
        var script = EventScript()
        script.allocate(0x10, 100)
        script.beginReallocation(0x10, 100)
        script.endReallocation(0x20, 300)
        script.free(0x20, 300)
        let plan = try script.plan()
        #expect(plan.slots == 1)
        #expect(plan.events == 4)
        #expect(plan.peakBytes == 300)
        #expect(
            try steps(plan) == [
                .allocate(slot: 0, size: 100, alignment: 0, owner: 0), .free(slot: 0),
                .allocate(slot: 0, size: 300, alignment: 0, owner: 0), .free(slot: 0),
            ])
    }

    @Test func `what another thread does between the halves of a realloc does not see the old block`() throws {
        var script = EventScript()
        script.allocate(0x10, 1000, thread: 1)
        script.beginReallocation(0x10, 1000, thread: 1)
        script.allocate(0x10, 10, thread: 2)
        script.endReallocation(0x20, 50, thread: 1)
        let plan = try script.plan()
        #expect(plan.peakBytes == 1000)
        #expect(plan.liveBytes == 60)
        #expect(plan.events == 4)
        #expect(plan.curve == [1000, 0, 10, 60, 60])
    }

    @Test func `a trace that ends within a realloc frees its block`() throws {
        var script = EventScript()
        script.allocate(0x10, 1000)
        script.beginReallocation(0x10, 1000)
        let plan = try script.plan()
        #expect(plan.liveBytes == 0)
        #expect(plan.events == 2)
    }

    @Test func `alignments and sizes beyond 4 GiB are kept whole`() throws {
        var script = EventScript()
        script.allocate(0x10, 5 << 32 | 7, alignment: 0)
        script.allocate(0x20, 64, alignment: 4)
        script.allocate(0x30, 64, alignment: 16 + 21)
        let plan = try script.plan()
        #expect(
            try steps(plan) == [
                .allocate(slot: 0, size: 5 << 32 | 7, alignment: 0, owner: 0),
                .allocate(slot: 1, size: 64, alignment: 64, owner: 0),
                .allocate(slot: 2, size: 64, alignment: 1 << 21, owner: 0),
            ])
    }

    @Test func `a block that the trace frees before it allocates is never live`() throws {
        for batch in [1, 2, 4096] {
            var script = EventScript()
            script.allocate(0x10, 10)
            script.allocate(0x20, 1000)
            script.free(0x20, 1000, thread: 2)
            script.events[2].isRepaired = true
            script.events[2].endsUncounted = true
            let plan = try script.plan(batch: batch)
            #expect(plan.peakBytes == 10)
            #expect(plan.liveBytes == 10)
            #expect(plan.events == 3)
            #expect(
                try steps(plan) == [
                    .allocate(slot: 0, size: 10, alignment: 0, owner: 0), .pass(size: 1000, alignment: 0, owner: 0),
                ])
            for allocator in SimulatedAllocator.allCases {
                let row = try Replay.Row(simulating: allocator, plan: plan)
                #expect(row.failure == nil)
                #expect(row.families.reduce(0) { $0 + $1.bytes } == 1010)
                #expect((row.peakHeldBytes ?? 0) >= 1010)
            }
        }
    }

    @Test func `only the allocation of its own address is over by a free that came first`() throws {
        var script = EventScript()
        script.allocate(0x10, 10)
        script.allocate(0x20, 1000)
        script.free(0x10, 10)
        script.events[2].endsUncounted = true
        let plan = try script.plan()
        #expect(plan.peakBytes == 1010)
        #expect(plan.liveBytes == 1000)
    }

    @Test func `a thread is at once with those that call before its last call, and with no others`() throws {
        var script = EventScript()
        for thread in 2...100 as ClosedRange<UInt32> {
            script.allocate(0x10, 8, thread: 1)
            script.allocate(0x20, 8, thread: thread)
            script.free(0x10, 8, thread: thread)
            script.free(0x20, 8, thread: thread)
        }
        let sequential = try script.plan()
        #expect(sequential.threads == 100)
        #expect(sequential.mostThreads == 2)

        var overlapping = EventScript()
        for thread in 2...100 as ClosedRange<UInt32> {
            overlapping.allocate(0x1000 + UInt64(thread), 8, thread: thread)
            if thread > 4 { overlapping.free(0x1000 + UInt64(thread - 3), 8, thread: thread - 3) }
        }
        // Four of them, the one that called last before the newest of them began, and the first one, which is there though it never calls.
        let plan = try overlapping.plan()
        #expect(plan.threads == 99)
        #expect(plan.mostThreads == 6)
    }

    @Test func `sums of impossible sizes run over rather than trap`() throws {
        var script = EventScript()
        for block in 0..<140_000 as Range<UInt64> { script.allocate(block, .max) }
        let plan = try script.plan()
        #expect(plan.events == 140_000)
        let most: UInt64 = 131_071 << 47
        #expect(plan.peakBytes == most)
    }

    @Test func `the same events make the same calls, others do not`() throws {
        let script = EventScript.random(events: 5000, threads: 3, seed: 7)
        var other = script
        #expect(try script.plan().hash == script.plan(batch: 17).hash)
        other.events[other.events.lastIndex { $0.kind == .allocation }!].size += 1
        #expect(try script.plan().hash != other.plan().hash)
    }

    @Test func `moments of the curve have the trace's times`() throws {
        var script = EventScript()
        for block in 0..<10 as Range<UInt64> { script.allocate(0x10 + block * 16, 8) }
        let plan = try script.plan(expected: 1024)
        #expect(plan.sampleStep == 2)
        #expect(plan.times == [1, 3, 5, 7, 9, 9])
        #expect(plan.nanoseconds(atEvent: 4) == 3)
        #expect(plan.nanoseconds(atEvent: 10) == 9)
    }
}
