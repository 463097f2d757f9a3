// From the figures of runs to those of a row: medians, differences to the null allocator, sums by owner and by class of sizes.

internal import CReplay
internal import HeapAnalysis

extension Replay.Row {
    /// Takes timed runs.
    mutating func take(times: [ReplayFigures], own: Spread?) {
        guard let own else { return }
        nanosecondsPerEvent = Spread(times.map { max(0, ReplaySession.nanosecondsPerEvent($0) - own.median) })
        eventsPerSecond = Spread(times.map { Double($0.events) * 1e9 / Double(max(1, $0.wallNanoseconds)) })
    }

    /// Takes runs with a clock at each call.
    mutating func take(latencies runs: [ReplayFigures], of names: [Owner]) {
        guard !runs.isEmpty else { return }
        clockStepNanoseconds = runs.map { Double($0.clockStep) / $0.ticksPerNanosecond }.min()
        latencies = (0..<3).map { call in
            let each = runs.compactMap { Replay.Latency($0, call: call) }
            guard let median = Spread(each.map(\.median)), let p99 = Spread(each.map(\.p99)),
                let max = Spread(each.map(\.max))
            else { return nil }
            return Replay.Latency(median: median.median, p99: p99.median, max: max.median)
        }
        for run in runs {
            let parts = run.owners.enumerated().lazy.filter { $0.element.calls > 0 }.map { owner, part in
                var sums = Replay.OwnerSums(family: "")
                let ticks = Double(part.ticks) - Double(part.calls) * Double(run.clockTicks)
                sums.timedCalls = part.calls
                sums.timedNanoseconds = max(0, ticks) / run.ticksPerNanosecond
                return (number: owner, sums: sums)
            }
            add(parts, of: names)
        }
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
        endHeldBytes = held(run.endAnonymous, own?.endAnonymous)
        freedHeldBytes = held(run.freedAnonymous, own?.freedAnonymous)
        minorFaults = held(run.minorFaults, own?.minorFaults)
        if run.hasUsable { peakSlackBytes = run.owners.reduce(0) { $0 + $1.peakSlack } }
        let parts = run.owners.enumerated().lazy.filter { $0.element.allocations > 0 }.map { owner, part in
            var sums = Replay.OwnerSums(family: "")
            sums.allocations = part.allocations
            sums.bytes = part.bytes
            sums.peakBytes = part.peakLive
            sums.slackBytes = run.hasUsable ? part.slack : nil
            sums.peakSlackBytes = run.hasUsable ? part.peakSlack : nil
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
}

extension Replay.Latency {
    /// Of one kind of calls in one run; nil where there were none.
    fileprivate init?(_ run: ReplayFigures, call: Int) {
        let counts = run.latencies[call]
        let all = counts.reduce(0, +)
        guard all > 0 else { return nil }
        func nanoseconds(_ ticks: UInt64) -> Double {
            Double(ticks - min(ticks, run.clockTicks)) / run.ticksPerNanosecond
        }
        func quantile(_ share: Double) -> Double {
            var left = UInt64((Double(all) * share).rounded(.up))
            for (bin, count) in counts.enumerated() {
                if count >= left { return nanoseconds(ht_replay_bin_middle(UInt32(bin))) }
                left -= count
            }
            return nanoseconds(run.worstTicks[call])
        }
        self.init(median: quantile(0.5), p99: quantile(0.99), max: nanoseconds(run.worstTicks[call]))
    }
}
