// Where two allocators part, from their figures: what the one holds more than the other is slack in blocks, by size and by owner, and what no block
// has; what remains after the peak is what each keeps for itself.

extension Replay {
    /// What one allocator holds more than the one that holds least.
    public struct Difference: Sendable {
        /// The one that holds more.
        public var allocator: String
        /// The one that holds least.
        public var least: String
        /// Bytes held more at the highest.
        public var held: Int
        /// Of them, given to blocks beyond what was asked for, at the trace's peak of live bytes.
        public var slack: Int
        /// Of them, in no block.
        public var external: Int { held - slack }
        /// Classes of sizes by what they have more slack, the most first.
        public var sizeClasses: [(sizes: ClosedRange<UInt64>, blocksBytes: UInt64, slack: Int)]
        /// Owners by what they have more slack, the most first.
        public var owners: [(family: String, owner: String, slack: Int)]
    }

    private static let shownParts = 3

    /// The rows that were measured whole, real ones alone.
    private var measured: [Row] { rows.filter { $0.failure == nil && !$0.isSimulated && $0.peakHeldBytes != nil } }

    /// Each real allocator against the one that holds least, the largest difference first. Slack that an allocator does not tell is in no difference.
    public var differences: [Difference] {
        guard let least = measured.min(by: { $0.peakHeldBytes! < $1.peakHeldBytes! }) else { return [] }
        let others = measured.filter { $0.allocator != least.allocator }
        return others.map { difference($0, least) }.sorted { ($1.held, $0.allocator) < ($0.held, $1.allocator) }
    }

    private func difference(_ row: Row, _ least: Row) -> Difference {
        func signed(_ value: UInt64?) -> Int { Int(clamping: value ?? 0) }
        var difference = Difference(
            allocator: row.allocator, least: least.allocator,
            held: signed(row.peakHeldBytes) - signed(least.peakHeldBytes), slack: 0, sizeClasses: [], owners: [])
        guard let slack = row.peakSlackBytes, let leastSlack = least.peakSlackBytes else { return difference }
        difference.slack = signed(slack) - signed(leastSlack)
        let leastClasses = Dictionary(
            least.sizeClasses.map { ($0.sizes.upperBound, $0.peakSlackBytes) }, uniquingKeysWith: { $1 })
        difference.sizeClasses = row.sizeClasses.map {
            ($0.sizes, $0.peakBytes, signed($0.peakSlackBytes) - signed(leastClasses[$0.sizes.upperBound]))
        }.filter { $0.slack > 0 }.sorted { ($1.slack, $0.sizes.upperBound) < ($0.slack, $1.sizes.upperBound) }
        let leastOwners = Dictionary(least.owners.map { ($0.key, $0.peakSlackBytes) }, uniquingKeysWith: { $1 })
        difference.owners = row.owners.map {
            ($0.family, $0.name, signed($0.peakSlackBytes) - signed(leastOwners[$0.key] ?? nil))
        }.filter { $0.slack > 0 }.sorted { ($1.slack, $0.owner, $0.family) < ($0.slack, $1.owner, $1.family) }
        return difference
    }

    // MARK: Text

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
        return text + "\n"
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
            most.whole > whole / 4, most.whole < whole * 1.5
        else { return "" }
        return ", most of it for \(most.owner): + \(Comparison.fixed(most.perCall, 1)) ns a call"
    }

    private func memoryText() -> String {
        var text = ""
        for difference in differences {
            guard let row = rows.first(where: { $0.allocator == difference.allocator }), let held = row.peakHeldBytes
            else { continue }
            if difference.held < Int(held) / 50 || difference.held < 64 << 10 {
                text += "  memory: \(difference.allocator) holds as much as \(difference.least) at most\n"
                continue
            }
            text += "  memory: \(difference.allocator) holds \(Self.size(difference.held)) more than "
            text += "\(difference.least) at most: \(Self.signed(difference.slack)) slack in blocks, "
            text += "\(Self.signed(difference.external)) in no block\n"
            let sizes = difference.sizeClasses.filter { $0.slack >= 4096 }.prefix(Self.shownParts).map {
                "\($0.sizes.lowerBound)–\($0.sizes.upperBound) bytes + \(Self.size($0.slack))"
            }
            if !sizes.isEmpty { text += "    by size: \(sizes.joined(separator: ", "))\n" }
            let owners = difference.owners.filter { $0.slack >= 4096 }.prefix(Self.shownParts).map {
                "\($0.owner) + \(Self.size($0.slack))"
            }
            if !owners.isEmpty { text += "    by owner: \(owners.joined(separator: ", "))\n" }
        }
        return text
    }

    private func remainderText() -> String {
        let fallen = plan.peakBytes - min(plan.peakBytes, plan.liveBytes)
        guard fallen > plan.peakBytes / 10 else { return "" }
        let rows = measured.sorted { ($0.endHeldBytes ?? 0, $0.allocator) < ($1.endHeldBytes ?? 0, $1.allocator) }
        let parts = rows.map { row in
            let returned = (row.peakHeldBytes ?? 0) - min(row.peakHeldBytes ?? 0, row.endHeldBytes ?? 0)
            return "\(row.allocator) gave back \(Self.size(Int(clamping: returned)))"
        }
        var text = "  after the peak, live bytes fell by \(Self.size(Int(clamping: fallen))): "
        text += parts.joined(separator: ", ") + "\n"
        let kept = measured.map { "\($0.allocator) \(Self.size(Int(clamping: $0.freedHeldBytes ?? 0)))" }
        text += "  with nothing live, caches and arenas keep: " + kept.joined(separator: ", ") + "\n"
        text += "  (what an allocator returns by the clock, as jemalloc after 10 s, it has no time to return here)\n"
        return text
    }

    private static func size(_ bytes: Int) -> String { Comparison.size(Double(bytes.magnitude)) }

    private static func signed(_ bytes: Int) -> String { (bytes < 0 ? "− " : "+ ") + size(bytes) }
}
