// Rows of simulated allocators: the plan's blocks placed in an address space of their own. No time is measured, and none passes.

internal import HeapAnalysis

extension Replay.Row {
    /// Performs a plan on a simulated allocator.
    ///
    /// - Complexity: O(events log live blocks) time, O(live blocks) memory.
    init(simulating allocator: SimulatedAllocator, plan: ReplayPlan) throws(ReplayError) {
        self.init(allocator: allocator.name)
        isSimulated = true
        var simulation = AllocatorSimulation(
            allocator, families: plan.owners.map(\.type), curvePoints: plan.curve.count)
        var reader = try PlanReader(plan)
        try reader.forEachStep { step in
            switch step {
            case .allocate(let slot, let size, let alignment, let owner):
                simulation.allocate(
                    slot: slot, size: Int(clamping: size), alignment: Int(clamping: alignment),
                    family: owner)
            case .free(let slot): simulation.free(slot: slot)
            }
        }
        take(simulation.figures, plan: plan)
    }

    private mutating func take(_ figures: SimulatedFigures, plan: ReplayPlan) {
        guard figures.refused == 0 else {
            failure = "has no room for \(figures.refused) of the blocks in any address space"
            return
        }
        guard figures.atPeak.liveBytes == Int(clamping: plan.peakBytes) else {
            failure = "does not come to the trace's live bytes"
            return
        }
        func bytes(_ value: Int) -> UInt64 { UInt64(max(0, value)) }
        peakHeldBytes = bytes(figures.atHighestFootprint.footprintBytes)
        peakSlackBytes = bytes(figures.atPeak.internalBytes)
        endHeldBytes = bytes(figures.atEnd.footprintBytes)
        freedHeldBytes = 0
        curve = figures.curve.map { moment in
            Replay.Moment(
                events: bytes(moment.calls), nanoseconds: plan.nanoseconds(atEvent: bytes(moment.calls)),
                live: bytes(moment.liveBytes), held: bytes(moment.footprintBytes))
        }
        let parts = figures.families.enumerated().lazy.filter { $0.element.allocations > 0 }.map { owner, part in
            var sums = Replay.OwnerSums(family: "")
            sums.allocations = bytes(part.allocations)
            sums.bytes = bytes(part.bytes)
            sums.slackBytes = bytes(part.slackBytes)
            sums.peakBytes = bytes(part.peakBytes)
            sums.peakSlackBytes = bytes(part.slackBytesAtPeak)
            return (number: owner, sums: sums)
        }
        add(parts, of: plan.owners)
    }
}
