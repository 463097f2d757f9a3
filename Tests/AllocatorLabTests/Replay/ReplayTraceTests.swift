// Traces that a program or a recorder leaves in less than perfect order, written record by record: what the plan makes of them.

import HeapAnalysis
import ProfileExport
import Symbolication
import TestSupport
import Testing
import TraceReader

@testable import AllocatorLab

@Suite struct ReplayTraceTests {
    private func made(
        _ builder: TraceBuilder, image: Int? = nil
    ) throws -> (plan: ReplayPlan, profile: HeapProfile) {
        try #require(
            try ReplayPlan.make(of: Trace.open(bytes: builder.bytes), image: image, symbolicator: Symbolicator()))
    }

    private func steps(_ plan: ReplayPlan) throws -> [PlanReader.Step] {
        var steps: [PlanReader.Step] = []
        var reader = try PlanReader(plan)
        try reader.forEachStep { steps.append($0) }
        return steps
    }

    @Test func `a trace that lost events is replayed as far as it is known, and says that it is incomplete`() throws {
        var builder = TraceBuilder()
        builder.events {
            $0.allocate(0x1000, size: 100, at: 1100)
            // Its free was lost, for the address is given out again.
            $0.allocate(0x1000, size: 30, at: 1200)
            // Its allocation was lost.
            $0.free(0x5000, at: 1300)
        }
        builder.losses(allocations: 1, frees: 1, bytes: 64, reason: 1)
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.events == 3)
        #expect(plan.peakBytes == 100)
        #expect(plan.liveBytes == 30)
        #expect(!plan.gaps.isComplete)
        #expect(
            plan.gaps.clauses == [
                "1 allocation and 1 free were lost while recording, so that some blocks live longer here",
                "1 free of an unknown block left out",
                "1 free not in the trace made where the block's address is allocated again",
            ])
        let replay = Replay(plan: plan, runs: 1, touch: .first, ownNanosecondsPerEvent: nil, rows: [])
        #expect(replay.table(title: "t").contains("\nincomplete: 1 allocation and 1 free were lost"))
        #expect(replay.json().document().contains("\"complete\": false"))
    }

    @Test func `frees of unknown blocks alone leave a trace complete, and are noted`() throws {
        var builder = TraceBuilder()
        builder.events {
            $0.allocate(0x1000, size: 100, at: 1100)
            $0.free(0x5000, at: 1300)
            $0.free(0x6000, at: 1310)
        }
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.events == 1)
        #expect(plan.gaps.isComplete)
        let replay = Replay(plan: plan, runs: 1, touch: .first, ownNanosecondsPerEvent: nil, rows: [])
        #expect(replay.table(title: "t").contains("\nnote: 2 frees of unknown blocks left out\n"))
    }

    @Test func `a trace without gaps says nothing of any`() throws {
        var builder = TraceBuilder()
        builder.events { $0.allocate(0x1000, size: 100, at: 1100) }
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.gaps == ReplayGaps())
        #expect(plan.gaps.clauses.isEmpty)
    }

    @Test(arguments: [(4, "from before the fork"), (16, "ran before it was recorded")] as [(UInt32, String)])
    func `frees of blocks from before are left out, and it is said why`(flag: UInt32, words: String) throws {
        var builder = TraceBuilder(flags: flag)
        builder.events {
            $0.free(0x5000, at: 1010)
            // The address of a block from before: its own thread can use it at once.
            $0.allocate(0x5000, size: 40, at: 1100)
            $0.free(0x6000, at: 1300)
        }
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.events == 1)
        #expect(plan.liveBytes == 40)
        #expect(!plan.gaps.isComplete)
        #expect(plan.gaps.clauses.count == 1)
        #expect(plan.gaps.clauses[0].contains(words))
        #expect(plan.gaps.clauses[0].contains("2 frees"))
    }

    @Test func `each executed program is a plan of its own, and the last one is the default`() throws {
        var builder = TraceBuilder()
        builder.events(image: 1) {
            $0.image(1, executable: "/usr/bin/env", directory: "/", arguments: ["env", "worker"])
            $0.allocate(0x1000, size: 100, at: 1100)
        }
        builder.events(image: 2) {
            $0.image(2, executable: "/srv/worker", directory: "/", arguments: ["worker"])
            $0.allocate(0x1000, size: 7, at: 2100)
            $0.free(0x1000, at: 2200)
        }
        builder.end()
        #expect(try made(builder, image: 1).plan.peakBytes == 100)
        #expect(try made(builder, image: 2).plan.peakBytes == 7)
        #expect(try made(builder).plan.peakBytes == 7)
        #expect(
            try ReplayPlan.make(of: Trace.open(bytes: builder.bytes), image: 3, symbolicator: Symbolicator()) == nil)
    }

    @Test func `a free that is read before its allocation counts for no peak`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 1) {
            $0.allocate(0x1000, size: 10, at: 1100)
            $0.allocate(0x2000, size: 5000, at: 1305)
        }
        builder.events(thread: 2) { $0.free(0x2000, at: 1300) }
        builder.end()
        let (plan, profile) = try made(builder)
        #expect(plan.peakBytes == 10)
        #expect(profile.trace.peakBytes == 10)
        #expect(try steps(plan).last == .pass(size: 5000, alignment: 0, owner: 0))
    }

    @Test func `a reallocation whose new block is freed before it is read frees the old one`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 1) {
            $0.allocate(0x1000, size: 10, at: 1100)
            $0.reallocate(0x1000, to: 0x2000, size: 5000, freed: 1200, at: 1305)
        }
        builder.events(thread: 2) { $0.free(0x2000, at: 1300) }
        builder.end()
        let (plan, profile) = try made(builder)
        #expect(plan.peakBytes == 10)
        #expect(profile.trace.peakBytes == 10)
        #expect(plan.liveBytes == 0)
        #expect(plan.events == 4)
    }

    @Test func `two allocations of one address at one time are two blocks, of which the first one lived`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 1) { $0.allocate(0x1000, size: 300, at: 1100) }
        builder.events(thread: 2) { $0.allocate(0x1000, size: 20, at: 1100) }
        builder.end()
        let (plan, profile) = try made(builder)
        #expect(profile.trace.peakBytes == 300)
        #expect(plan.peakBytes == 300)
        #expect(plan.liveBytes == UInt64(profile.trace.liveBytes))
        #expect(try !steps(plan).contains { if case .pass = $0 { true } else { false } })
    }

    @Test func `a block that another thread reallocates stays in its slot`() throws {
        var builder = TraceBuilder()
        builder.events(thread: 1) { $0.allocate(0x1000, size: 10, at: 1100) }
        builder.events(thread: 2) { $0.reallocate(0x1000, to: 0x2000, size: 50, freed: 1200, at: 1210) }
        builder.events(thread: 1, from: 1250) { $0.free(0x2000, at: 1300) }
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.threads == 2)
        #expect(plan.slots == 1)
        // Each thread waits for the other; the START tells the second one that the first block is there.
        #expect(plan.waits == 1)
        #expect(
            try steps(plan) == [
                .allocate(slot: 0, size: 10, alignment: 0, owner: 0), .free(slot: 0),
                .allocate(slot: 0, size: 50, alignment: 0, owner: 0), .free(slot: 0),
            ])
    }

    @Test func `alignments are kept, those that no allocator takes are malloc's own`() throws {
        var builder = TraceBuilder()
        builder.events {
            $0.allocate(0x1000, size: 10, alignment: 1, at: 1100)
            $0.allocate(0x2000, size: 10, alignment: 15, at: 1110)
            for (index, log) in [0, 2, 18, 47].enumerated() {
                $0.wideAllocate(0x10000 + UInt64(index) * 64, size: 10, alignment: UInt64(log) + 1)
            }
        }
        builder.end()
        let alignments = try steps(made(builder).plan).map { step -> UInt64 in
            if case .allocate(_, _, let alignment, _) = step { alignment } else { .max }
        }
        #expect(alignments == [8, 1 << 17, 0, 0, 1 << 18, 1 << 47])
    }

    @Test func `blocks without bytes, at address 0 and of impossible sizes are planned as the report counts them`()
        throws
    {
        var builder = TraceBuilder()
        builder.events {
            $0.allocate(0, size: 100, at: 1010)
            $0.allocate(0x1000, size: 0, at: 1020)
            $0.free(0, at: 1030)
            $0.allocate(0, size: 1, at: 1040)
            $0.wideAllocate(0x2000, size: 1 << 63)
            $0.wideAllocate(0x3000, size: .max)
            $0.wideFree(0x3000)
        }
        builder.end()
        let (plan, profile) = try made(builder)
        #expect(plan.events == 7)
        #expect(plan.peakBytes == UInt64(profile.trace.peakBytes))
        #expect(plan.peakBytes == 1 << 48 + 1)
        #expect(plan.liveBytes == 1 << 47 + 1)
        #expect(plan.slots == 4)
    }

    @Test func `a clock that cannot be gives times that cannot be, and no more`() throws {
        var builder = TraceBuilder()
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events {
            $0.allocate(0x1000, size: 100, at: 1010)
            $0.setTime(.max / 2)
            $0.wideAllocate(0x2000, size: 1)
        }
        builder.clock(ticks: 1001, monotonic: .max, realtime: .max)
        builder.end()
        let (plan, _) = try made(builder)
        #expect(plan.times.last == 1 << 62)
    }
}
