// Rows of simulated allocators: the plan's blocks placed in an address space of their own. No time is measured, and none passes.

extension Replay.Row {
    /// Performs a plan on a simulated allocator.
    ///
    /// - Complexity: O(events log live blocks) time, O(live blocks) memory.
    init(simulating allocator: SimulatedAllocator, plan: ReplayPlan) throws(ReplayError) {
        self.init(allocator: allocator.name)
        isSimulated = true
        var numbers: [String: Int] = [:]
        let names = Array(Set(plan.families)).sorted()
        for (number, name) in names.enumerated() { numbers[name] = number }
        let familyOfOwner = plan.families.map { numbers[$0] ?? 0 }
        var simulation = AllocatorSimulation(allocator, families: names, curvePoints: plan.curve.count)
        var reader = try PlanReader(plan)
        var events: UInt64 = 0
        var peak: [UInt64] = []
        try reader.forEachStep { step in
            events += 1
            switch step {
            case .allocate(let slot, let size, let alignment, let owner):
                simulation.allocate(
                    slot: slot, size: Int(clamping: size), alignment: Int(clamping: alignment),
                    family: familyOfOwner[owner])
            case .free(let slot): simulation.free(slot: slot)
            case .pass(let size, let alignment, let owner):
                events += 1
                simulation.pass(
                    size: Int(clamping: size), alignment: Int(clamping: alignment), family: familyOfOwner[owner])
            }
            if events == plan.peakEvent {
                peak = PinnedBytes.byFamily(simulation.placed, families: names.count)
            }
        }
        take(simulation.figures, plan: plan)
        guard failure == nil else { return }
        let end = PinnedBytes.byFamily(simulation.placed, families: names.count)
        for index in families.indices {
            guard let number = numbers[families[index].family] else { continue }
            families[index].peakPinnedBytes = peak.isEmpty ? nil : peak[number]
            families[index].endPinnedBytes = end[number]
        }
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
        heldBytesAtPeak = bytes(figures.atPeak.footprintBytes)
        endHeldBytes = bytes(figures.atEnd.footprintBytes)
        freedHeldBytes = 0
        curve = figures.curve.map { moment in
            Replay.Moment(
                events: bytes(moment.calls), nanoseconds: plan.nanoseconds(atEvent: bytes(moment.calls)),
                live: bytes(moment.liveBytes), held: bytes(moment.footprintBytes))
        }
        families = figures.families.filter { $0.allocations > 0 }.map { sums in
            var family = Replay.Family(family: sums.family)
            family.allocations = bytes(sums.allocations)
            family.bytes = bytes(sums.bytes)
            family.slackBytes = bytes(sums.slackBytes)
            family.peakBytes = bytes(sums.peakBytes)
            family.peakSlackBytes = bytes(sums.slackBytesAtPeak)
            return family
        }
        sortFamilies()
    }
}
