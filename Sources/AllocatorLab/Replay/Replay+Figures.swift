// From the figures of runs to those of a row: medians, differences to the null allocator, sums by family and by class of sizes.

internal import CReplay

extension Replay.Row {
    /// Takes timed runs.
    mutating func take(times: [ReplayFigures], own: Spread?) {
        guard let own, let whole = Spread(times.map(ReplaySession.nanosecondsPerEvent)) else { return }
        nanosecondsPerEvent = Spread(times.map { max(0, ReplaySession.nanosecondsPerEvent($0) - own.median) })
        isBelowOwnCost = whole.median <= own.median
        eventsPerSecond = Spread(times.map { Double($0.events) * 1e9 / Double(max(1, $0.wallNanoseconds)) })
    }

    /// Takes runs with a clock at each call.
    mutating func take(latencies runs: [ReplayFigures], families names: [String]) {
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
        // Of each family the run in which least came between: a thread that loses its processor within a call is no slow call, and one such is as long
        // as a hundred thousand calls.
        var means: [String: Double] = [:]
        for run in runs {
            var sums: [String: (calls: UInt64, ticks: Double)] = [:]
            for (owner, part) in run.owners.enumerated() where part.calls > 0 {
                sums[names[owner], default: (0, 0)].calls += part.calls
                sums[names[owner], default: (0, 0)].ticks += Double(part.ticks)
            }
            for (family, sum) in sums {
                let mean = max(0, sum.ticks / Double(sum.calls) - run.clockTicks) / run.ticksPerNanosecond
                means[family] = min(means[family] ?? mean, mean)
            }
        }
        for (family, mean) in means { self[family].nanosecondsPerCall = mean }
        sortFamilies()
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
        var sums: [String: ReplayPart] = [:]
        for (owner, part) in run.owners.enumerated() { sums[plan.families[owner], default: ReplayPart()].add(part) }
        for (family, part) in sums where part.allocations > 0 {
            self[family].allocations = part.allocations
            self[family].bytes = part.bytes
            self[family].peakBytes = part.peakLive
            self[family].slackBytes = run.hasUsable ? part.slack : nil
            self[family].peakSlackBytes = run.hasUsable ? part.peakSlack : nil
        }
        take(pinnedAtPeak: run.peakPlaces, atEnd: run.endPlaces, plan: plan)
        sortFamilies()
        guard run.hasUsable else { return }
        sizeClasses = run.classes.enumerated().compactMap { number, part in
            guard part.allocations > 0 else { return nil }
            let least = number == 0 ? 0 : ht_replay_class_end(UInt32(number) - 1) + 1
            return Replay.SizeClass(
                sizes: least...max(least, ht_replay_class_end(UInt32(number))), allocations: part.allocations,
                peakBytes: part.peakLive, peakSlackBytes: part.peakSlack, slackBytes: part.slack)
        }
    }

    /// Takes the places of real blocks. Where they were too many to tell, nothing is known of them.
    private mutating func take(pinnedAtPeak peak: [ReplayPlace], atEnd end: [ReplayPlace], plan: ReplayPlan) {
        let names = families.map(\.family)
        let numbers = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 })
        func pinned(_ places: [ReplayPlace]) -> [UInt64] {
            PinnedBytes.byFamily(
                places.compactMap { place in
                    guard plan.families.indices.contains(place.owner) else { return nil }
                    return numbers[plan.families[place.owner]].map {
                        PlacedBlock(address: place.address, bytes: place.usable, family: $0)
                    }
                }, families: names.count)
        }
        if !peak.isEmpty { for (index, bytes) in pinned(peak).enumerated() { families[index].peakPinnedBytes = bytes } }
        if !end.isEmpty || plan.liveBytes == 0 {
            for (index, bytes) in pinned(end).enumerated() { families[index].endPinnedBytes = bytes }
        }
    }

    private subscript(family: String) -> Replay.Family {
        get { families.first { $0.family == family } ?? Replay.Family(family: family) }
        set {
            if let index = families.firstIndex(where: { $0.family == family }) {
                families[index] = newValue
            } else {
                families.append(newValue)
            }
        }
    }

    /// The largest slack first.
    mutating func sortFamilies() {
        families.sort { ($1.slackBytes ?? 0, $1.bytes, $0.family) < ($0.slackBytes ?? 0, $0.bytes, $1.family) }
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
