// What differs and why, in sentences with their figures. Each says what was measured; none recommends.

extension Replay {
    private static let shownParts = 3

    /// The section of the text: lines ended by newlines, empty where there is one allocator alone.
    func differencesText() -> String {
        guard measured.count > 1 else { return "" }
        return "what differs, and why\n" + timeText() + memoryText() + remainderText()
    }

    /// Two times differ when no run of the one is within the range of the other's.
    private func timeText() -> String {
        let timed = ranked.filter { $0.failure == nil && $0.nanosecondsPerEvent != nil }
        guard let first = timed.first, let best = first.nanosecondsPerEvent, runs > 1 else { return "" }
        var text = totalText(timed)
        for row in timed.dropFirst() {
            guard let time = row.nanosecondsPerEvent else { continue }
            let more = Comparison.fixed(time.median - best.median, 1)
            if time.min <= best.max {
                text += "  time: \(row.allocator) and \(first.allocator): no difference beyond noise\n"
            } else {
                text += "  time: \(row.allocator) takes \(more) ns an event more than \(first.allocator)"
                text += slowest(row, first) + "\n"
            }
        }
        return text
    }

    /// How much of the program the calls are: what no allocator can change is the rest.
    private func totalText(_ timed: [Row]) -> String {
        func total(_ row: Row) -> String {
            Comparison.duration((row.nanosecondsPerEvent?.median ?? 0) * Double(plan.events) / 1e9)
        }
        guard let first = timed.first, let last = timed.last, timed.count > 1 else { return "" }
        var text =
            "  time: all calls together take \(total(first)) on \(first.allocator) and \(total(last)) on \(last.allocator)"
        if let duration = plan.times.last, duration > 0 {
            text += "; the program took \(Comparison.duration(Double(duration) / 1e9)) while it was recorded"
        }
        text += "\n"
        if plan.threads > 1 {
            text += "  (without the program's work between them, calls of several threads meet in the allocator "
            text += "more often than they did)\n"
        }
        return text
    }

    /// The calls by owner that make most of a difference in time, where they make it plausibly.
    private func slowest(_ row: Row, _ first: Row) -> String {
        // Threads that wait for a lock or a processor would be taken for slow calls.
        guard plan.threads == 1, let time = row.nanosecondsPerEvent, let best = first.nanosecondsPerEvent else {
            return ""
        }
        let whole = (time.median - best.median) * Double(plan.events)
        let known = Dictionary(first.owners.map { ($0.key, $0.nanosecondsPerCall) }, uniquingKeysWith: { $1 })
        let parts = row.owners.compactMap { owner -> (owner: String, perCall: Double, whole: Double)? in
            guard let time = owner.nanosecondsPerCall, let other = known[owner.key] ?? nil else { return nil }
            return (owner.name, time - other, (time - other) * Double(owner.allocations) * 2)
        }
        // A mean that holds what the machine did in between says more than there is to explain.
        guard parts.count > 1, let most = parts.max(by: { $0.whole < $1.whole }), most.perCall >= 1,
            most.whole > whole / 2, most.whole < whole * 1.5
        else { return "" }
        return ", most of it for \(most.owner): + \(Comparison.fixed(most.perCall, 1)) ns a call"
    }

    private func memoryText() -> String {
        var text = ""
        for difference in differences {
            guard let row = rows.first(where: { $0.allocator == difference.allocator }), let held = row.peakHeldBytes
            else { continue }
            if difference.held < Int(held) / 50 || difference.held < 64 << 10 {
                text += "  memory: \(difference.allocator) holds about as much as \(difference.least) at most\n"
                continue
            }
            text += "  memory: \(difference.allocator) holds \(Self.size(difference.held)) more than "
            text += "\(difference.least) at most: \(parts(of: difference, row))\n"
            // Sizes and owners explain a difference that slack makes, and no other.
            guard difference.slack >= difference.held / 10 else { continue }
            let sizes = difference.sizeClasses.filter { $0.slack >= 4096 }.prefix(Self.shownParts).map {
                "\($0.sizes.lowerBound)–\($0.sizes.upperBound) bytes + \(Self.size($0.slack))"
            }
            if !sizes.isEmpty { text += "    slack by size: \(sizes.joined(separator: ", "))\n" }
            let owners = difference.owners.filter { $0.slack >= 4096 }.prefix(Self.shownParts).map {
                "\($0.owner) + \(Self.size($0.slack))"
            }
            if !owners.isEmpty, row.owners.count > 1 {
                text += "    slack by owner: \(owners.joined(separator: ", "))\n"
            }
        }
        return text
    }

    /// What makes a difference, without what makes hardly any of it.
    private func parts(of difference: Difference, _ row: Row) -> String {
        let least = max(4096, difference.held / 20)
        var parts: [String] = []
        if row.peakSlackBytes != nil, abs(difference.slack) >= least {
            var part = "\(Self.signed(difference.slack)) slack in blocks"
            if difference.unwritten >= least {
                part += " (\(Self.size(difference.unwritten)) of it never written to, so not held)"
            }
            parts.append(part)
        }
        if -difference.unwritten >= least {
            parts.append("+ \(Self.size(difference.unwritten)) that \(difference.least) has as slack never written to")
        }
        if abs(difference.external) >= least {
            var part = "\(Self.signed(difference.external)) in no block"
            if difference.external > 0, difference.fromTheStart >= difference.external / 4,
                let events = row.curve.first?.events
            {
                let early = Self.size(min(difference.fromTheStart, difference.external))
                part += " (\(early) of it after the first \(Comparison.grouped(Double(events))) events already)"
            }
            parts.append(part)
        }
        if abs(difference.otherMoment) >= least {
            parts.append("\(Self.signed(difference.otherMoment)) at another moment than the most live bytes")
        }
        return parts.joined(separator: ", ")
    }

    private func remainderText() -> String {
        let fallen = plan.peakBytes - min(plan.peakBytes, plan.liveBytes)
        guard fallen > plan.peakBytes / 10 else { return "" }
        let rows = measured.sorted { ($0.endHeldBytes ?? 0, $0.allocator) < ($1.endHeldBytes ?? 0, $1.allocator) }
        let parts = rows.map { row in
            let returned = (row.peakHeldBytes ?? 0) - min(row.peakHeldBytes ?? 0, row.endHeldBytes ?? 0)
            return "\(row.allocator) gave back \(returned == 0 ? "nothing" : Self.size(Int(clamping: returned)))"
        }
        var text = "  after the peak, live bytes fell by \(Self.size(Int(clamping: fallen))): "
        text += parts.joined(separator: ", ") + "\n"
        text += pinnedText()
        text += orderText()
        let kept = measured.map { "\($0.allocator) \(Self.size(Int(clamping: $0.freedHeldBytes ?? 0)))" }
        text += "  with nothing live, caches and arenas keep: " + kept.joined(separator: ", ") + "\n"
        text += "  (what an allocator returns by the clock, as jemalloc after 10 s, it has no time to return here)\n"
        return text
    }

    /// Where who holds the least is another one at the end than at the peak: what a live run shows depends on the moment.
    private func orderText() -> String {
        func order(_ bytes: KeyPath<Row, UInt64?>) -> [(name: String, bytes: Double)] {
            measured.map { ($0.allocator, Double($0[keyPath: bytes] ?? 0)) }.sorted { ($0.1, $0.0) < ($1.1, $1.0) }
        }
        let peak = order(\.peakHeldBytes)
        let end = order(\.endHeldBytes)
        let atPeak = Dictionary(peak.map { ($0.name, $0.bytes) }, uniquingKeysWith: { first, _ in first })
        // Of two that hold about the same neither is first.
        let isOther = end.indices.contains { one in
            end[(one + 1)...].contains { other in
                end[one].bytes * Self.aboutAsMuch < other.bytes
                    && atPeak[end[one].name, default: 0] > atPeak[other.name, default: 0] * Self.aboutAsMuch
            }
        }
        guard isOther else { return "" }
        func list(_ order: [(name: String, bytes: Double)]) -> String {
            order.map { "\($0.name) \(Comparison.size($0.bytes))" }.joined(separator: ", ")
        }
        return "  the order by memory is another one at the end (\(list(end))) than at the peak (\(list(peak))): "
            + "a live run's peak RSS has that of the moment when heap, files and stacks together are largest\n"
    }

    private static let aboutAsMuch = 1.02

    /// What of the memory held at the end lies on pages that live blocks keep.
    private func pinnedText() -> String {
        var text = ""
        for row in measured {
            let owners = row.owners.compactMap { owner in owner.endPinnedBytes.map { (owner.name, $0) } }
                .sorted { ($1.1, $0.0) < ($0.1, $1.0) }
            let pinned = owners.reduce(0) { $0 + $1.1 }
            guard let held = row.endHeldBytes, pinned >= 64 << 10, pinned >= held / 20 else { continue }
            let shown = owners.filter { $0.1 >= 4096 }.prefix(Self.shownParts)
            text += "    of the \(Self.size(Int(clamping: held))) that \(row.allocator) holds at the end, "
            text += "\(Self.size(Int(clamping: pinned))) are in no block, on pages where blocks live: "
            text += shown.map { "\($0.0) \(Self.size(Int(clamping: $0.1)))" }.joined(separator: ", ") + "\n"
        }
        return text
    }

    private static func size(_ bytes: Int) -> String { Comparison.size(Double(bytes.magnitude)) }

    private static func signed(_ bytes: Int) -> String { (bytes < 0 ? "− " : "+ ") + size(bytes) }
}
