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
            allocator, owners: plan.owners.map(\.type), curvePoints: plan.curve.count)
        let first = Replay.OwnerSums.first(of: plan.owners)
        func pinned() -> [UInt64] {
            PinnedBytes.byOwner(
                simulation.placed.map { PlacedBlock(address: $0.address, bytes: $0.bytes, owner: first[$0.owner]) },
                owners: first.count)
        }
        var reader = try PlanReader(plan)
        var events: UInt64 = 0
        var pinnedAtPeak: [UInt64] = []
        try reader.forEachStep { step in
            events += 1
            switch step {
            case .allocate(let slot, let size, let alignment, let owner):
                simulation.allocate(
                    slot: slot, size: Int(clamping: size), alignment: Int(clamping: alignment), owner: owner)
            case .free(let slot): simulation.free(slot: slot)
            case .pass(let size, let alignment, let owner):
                events += 1
                simulation.pass(size: Int(clamping: size), alignment: Int(clamping: alignment), owner: owner)
            }
            if events == plan.peakEvent { pinnedAtPeak = pinned() }
        }
        take(simulation.figures, pinnedAtPeak, pinned(), plan: plan)
    }

    private mutating func take(
        _ figures: SimulatedFigures, _ pinnedAtPeak: [UInt64], _ pinnedAtEnd: [UInt64], plan: ReplayPlan
    ) {
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
        heldBytesAtPeak = bytes(figures.atPeak.footprintBytes)
        endHeldBytes = bytes(figures.atEnd.footprintBytes)
        freedHeldBytes = 0
        curve = figures.curve.map { moment in
            Replay.Moment(
                events: bytes(moment.calls), nanoseconds: plan.nanoseconds(atEvent: bytes(moment.calls)),
                live: bytes(moment.liveBytes), held: bytes(moment.footprintBytes))
        }
        let parts = figures.owners.enumerated().lazy.filter { $0.element.allocations > 0 }.map { owner, part in
            var sums = Replay.OwnerSums(family: "")
            sums.allocations = bytes(part.allocations)
            sums.bytes = bytes(part.bytes)
            sums.slackBytes = bytes(part.slackBytes)
            sums.peakBytes = bytes(part.peakBytes)
            sums.peakSlackBytes = bytes(part.slackBytesAtPeak)
            sums.peakPinnedBytes = pinnedAtPeak.isEmpty ? nil : pinnedAtPeak[owner]
            sums.endPinnedBytes = pinnedAtEnd[owner]
            return (number: owner, sums: sums)
        }
        add(parts, of: plan.owners)
    }
}
