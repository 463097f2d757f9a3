// Blocks as they come and go, written by hand or at random, and the plan of them.

import HeapAnalysis

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
