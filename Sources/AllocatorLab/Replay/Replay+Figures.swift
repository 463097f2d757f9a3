// From the figures of runs to those of a row: medians, differences to the null allocator, sums by owner and by class of sizes.

internal import CReplay
internal import HeapAnalysis

extension Replay.Row {
    /// Takes timed runs.
    mutating func take(times: [ReplayFigures], own: Spread?) {
        guard let own, let whole = Spread(times.map(ReplaySession.nanosecondsPerEvent)) else { return }
        nanosecondsPerEvent = Spread(times.map { max(0, ReplaySession.nanosecondsPerEvent($0) - own.median) })
        isBelowOwnCost = whole.median <= own.median
        eventsPerSecond = Spread(times.map { Double($0.events) * 1e9 / Double(max(1, $0.wallNanoseconds)) })
    }

    /// Takes runs with a clock at each call.
    mutating func take(latencies runs: [ReplayFigures], of names: [Owner]) {
        guard !runs.isEmpty else { return }
        clockStepNanoseconds = runs.map { Double($0.clockStep) / $0.ticksPerNanosecond }.min()
        clockNanoseconds = Spread(runs.map { $0.clockTicks / $0.ticksPerNanosecond })?.median
        latencies = (0..<3).map { call in
            let each = runs.compactMap { Replay.Latency($0, call: call) }
            guard let median = Spread(each.map(\.median)), let p99 = Spread(each.map(\.p99)),
                let max = Spread(each.map(\.max))
            else { return nil }
            return Replay.Latency(median: median.median, p99: p99.median, max: max.median)
        }
        // Of each owner the run in which least came between: a thread that loses its processor within a call is no slow call, and one such is as long
        // as a hundred thousand calls.
        let first = Replay.OwnerSums.first(of: names)
        var least: [Int: Replay.OwnerSums] = [:]
        for run in runs {
            var parts: [Int: ReplayPart] = [:]
            for (number, part) in run.owners.enumerated() where part.calls > 0 {
                parts[first[number], default: ReplayPart()].add(part)
            }
            for (number, part) in parts {
                var sums = Replay.OwnerSums(family: "")
                sums.timedCalls = part.calls
                let ticks = Double(part.ticks) - Double(part.calls) * run.clockTicks
                sums.timedNanoseconds = max(0, ticks) / run.ticksPerNanosecond
                let known = least[number]?.nanosecondsPerCall
                if known.map({ (sums.nanosecondsPerCall ?? $0) < $0 }) ?? true { least[number] = sums }
            }
        }
        add(least.sorted { $0.key < $1.key }.map { (number: $0.key, sums: $0.value) }, of: names)
    }

    /// Takes the run for memory, and that on no allocator at all.
    mutating func take(memory run: ReplayFigures, own: ReplayFigures?, plan: ReplayPlan) {
        func held(_ bytes: UInt64, _ ownBytes: UInt64?) -> UInt64 { bytes - min(bytes, ownBytes ?? 0) }
        curve = run.points.enumerated().map { index, point in
            let ownBytes = own.flatMap { $0.points.indices.contains(index) ? $0.points[index].anonymous : nil }
            return Replay.Moment(
                events: point.events, nanoseconds: plan.nanoseconds(atEvent: point.events), live: point.live,
                held: held(point.anonymous, ownBytes))
        }
        // The highest live bytes lie between two points of the curve.
        let peak = Replay.Moment(
            events: plan.peakEvent, nanoseconds: plan.nanoseconds(atEvent: plan.peakEvent), live: plan.peakBytes,
            held: held(run.peakAnonymous, own?.peakAnonymous))
        curve.insert(peak, at: curve.firstIndex { $0.events > plan.peakEvent } ?? curve.count)
        peakHeldBytes = curve.map(\.held).max()
        heldBytesAtPeak = peak.held
        endHeldBytes = held(run.endAnonymous, own?.endAnonymous)
        freedHeldBytes = held(run.freedAnonymous, own?.freedAnonymous)
        minorFaults = held(run.minorFaults, own?.minorFaults)
        if run.hasUsable { peakSlackBytes = run.owners.reduce(0) { $0 + $1.peakSlack } }
        let pinned = (peak: pinned(run.peakPlaces, plan), end: pinned(run.endPlaces, plan))
        let hasEnd = !run.endPlaces.isEmpty || plan.liveBytes == 0
        let parts = run.owners.enumerated().lazy.filter { $0.element.allocations > 0 }.map { owner, part in
            var sums = Replay.OwnerSums(family: "")
            sums.allocations = part.allocations
            sums.bytes = part.bytes
            sums.peakBytes = part.peakLive
            sums.slackBytes = run.hasUsable ? part.slack : nil
            sums.peakSlackBytes = run.hasUsable ? part.peakSlack : nil
            // Where the places were too many to tell, nothing is known of them.
            sums.peakPinnedBytes = run.peakPlaces.isEmpty ? nil : pinned.peak[owner]
            sums.endPinnedBytes = hasEnd ? pinned.end[owner] : nil
            return (number: owner, sums: sums)
        }
        add(parts, of: plan.owners)
        guard run.hasUsable else { return }
        sizeClasses = run.classes.enumerated().compactMap { number, part in
            guard part.allocations > 0 else { return nil }
            let least = number == 0 ? 0 : ht_replay_class_end(UInt32(number) - 1) + 1
            return Replay.SizeClass(
                sizes: least...max(least, ht_replay_class_end(UInt32(number))), allocations: part.allocations,
                peakBytes: part.peakLive, peakSlackBytes: part.peakSlack, slackBytes: part.slack)
        }
    }

    /// What real blocks keep, by the plan's numbers of owners.
    private func pinned(_ places: [ReplayPlace], _ plan: ReplayPlan) -> [UInt64] {
        let first = Replay.OwnerSums.first(of: plan.owners)
        return PinnedBytes.byOwner(
            places.filter { first.indices.contains($0.owner) }.map {
                PlacedBlock(address: $0.address, bytes: $0.usable, owner: first[$0.owner])
            }, owners: first.count)
    }
}

extension Replay.Latency {
    /// Of one kind of calls in one run; nil where there were none.
    fileprivate init?(_ run: ReplayFigures, call: Int) {
        let counts = run.latencies[call]
        let all = counts.reduce(0, +)
        guard all > 0 else { return nil }
        func nanoseconds(_ ticks: UInt64) -> Double {
            Swift.max(0, Double(ticks) - run.clockTicks) / run.ticksPerNanosecond
        }
        func quantile(_ share: Double) -> Double {
            var left = UInt64((Double(all) * share).rounded(.up))
            for (bin, count) in counts.enumerated() {
                // The middle of the last bin may lie beyond the longest call.
                if count >= left {
                    return nanoseconds(Swift.min(ht_replay_bin_middle(UInt32(bin)), run.worstTicks[call]))
                }
                left -= count
            }
            return nanoseconds(run.worstTicks[call])
        }
        self.init(median: quantile(0.5), p99: quantile(0.99), max: nanoseconds(run.worstTicks[call]))
    }
}
