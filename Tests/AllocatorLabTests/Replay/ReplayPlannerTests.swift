// Plans from events written by hand, and what the loop would do with them.

import HeapAnalysis
import TestSupport
import Testing

@testable import AllocatorLab

/// Events by hand.
struct EventScript {
    var events: [BlockEvent] = []

    mutating func allocate(
        _ address: UInt64, _ size: UInt64, thread: UInt32 = 1, owner: UInt32 = 0, alignment: UInt8 = 0
    ) {
        events.append(
            BlockEvent(
                kind: .allocation, address: address, size: size, time: UInt64(events.count), thread: thread,
                owner: owner, alignmentCode: alignment))
    }

    mutating func free(_ address: UInt64, _ size: UInt64, thread: UInt32 = 1, owner: UInt32 = 0) {
        events.append(
            BlockEvent(
                kind: .free, address: address, size: size, time: UInt64(events.count), thread: thread, owner: owner))
    }

    mutating func beginReallocation(_ address: UInt64, _ size: UInt64, thread: UInt32 = 1) {
        free(address, size, thread: thread)
        events[events.count - 1].isReallocationHalf = true
    }

    mutating func endReallocation(_ address: UInt64, _ size: UInt64, thread: UInt32 = 1) {
        allocate(address, size, thread: thread)
        events[events.count - 1].isReallocationHalf = true
    }

    /// The plan, made in batches of the given size.
    func plan(batch: Int = 4096, expected: UInt64? = nil) throws -> ReplayPlan {
        let planner = try ReplayPlanner(mainThread: 1, expectedEvents: expected ?? UInt64(events.count))
        for start in stride(from: 0, to: events.count, by: batch) {
            events[start..<min(start + batch, events.count)].withUnsafeBufferPointer { planner.take($0) }
        }
        var plan = try planner.finish()
        plan.owners = plan.owners.indices.map { Owner(family: "Family\($0 % 2)", type: "Type\($0)", language: "c") }
        return plan
    }

    /// Random blocks of several threads: allocated, reallocated and freed, by the same thread or another.
    static func random(events: Int, threads: UInt32, seed: UInt64) -> EventScript {
        var script = EventScript()
        var generator = SplitMix(state: seed)
        var live: [(address: UInt64, size: UInt64)] = []
        var pending: [UInt32: UInt64] = [:]
        var next: UInt64 = 0x10000
        while script.events.count < events {
            let thread = UInt32.random(in: 1...threads, using: &generator)
            let size = UInt64.random(in: 0...3000, using: &generator)
            if let address = pending.removeValue(forKey: thread) {
                script.endReallocation(address, size, thread: thread)
                live.append((address, size))
                continue
            }
            let choice = Int.random(in: 0..<10, using: &generator)
            if choice < 5 || live.isEmpty {
                next += 16
                script.allocate(next, size, thread: thread, owner: UInt32(choice), alignment: choice == 0 ? 4 : 0)
                live.append((next, size))
            } else {
                let block = live.remove(at: Int.random(in: live.indices, using: &generator))
                if choice == 9 {
                    script.beginReallocation(block.address, block.size, thread: thread)
                    next += 16
                    pending[thread] = next
                } else {
                    script.free(block.address, block.size, thread: thread)
                }
            }
        }
        return script
    }
}

/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

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
        }
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
