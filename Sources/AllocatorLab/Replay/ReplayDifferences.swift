// Where two allocators part, from their figures: what the one holds more than the other is slack in blocks, by size and by owner, and what no block
// has; what remains after the peak is what each keeps for itself. As text: ReplayDifferences+Text.swift.

extension Replay {
    /// What one allocator holds more than the one that holds least: held = slack − unwritten + external + otherMoment.
    public struct Difference: Sendable {
        /// The one that holds more.
        public var allocator: String
        /// The one that holds least.
        public var least: String
        /// Bytes held more at the highest.
        public var held: Int
        /// Of them, given to blocks beyond what was asked for, at the trace's peak of live bytes.
        public var slack: Int
        /// Of that slack, on pages that nobody wrote to, so that it is not held.
        public var unwritten: Int
        /// In no block, at that moment.
        public var external: Int
        /// Of them, held already at the first point of the curve: what an allocator takes before it has much to do.
        public var fromTheStart: Int
        /// Of them, not held at that moment but at the highest.
        public var otherMoment: Int
        /// Classes of sizes by what they have more slack, the most first.
        public var sizeClasses: [(sizes: ClosedRange<UInt64>, blocksBytes: UInt64, slack: Int)]
        /// Owners by what they have more slack, the most first.
        public var owners: [(family: String, owner: String, slack: Int)]
    }

    /// The rows that were measured whole, real ones alone.
    var measured: [Row] { rows.filter { $0.failure == nil && !$0.isSimulated && $0.peakHeldBytes != nil } }

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
            held: signed(row.peakHeldBytes) - signed(least.peakHeldBytes), slack: 0, unwritten: 0, external: 0,
            fromTheStart: 0, otherMoment: 0, sizeClasses: [], owners: [])
        func atPeak(_ row: Row) -> Int { signed(row.heldBytesAtPeak ?? row.peakHeldBytes) }
        /// What is held at the peak beyond the blocks; negative where a part of their slack is not.
        func beyond(_ row: Row) -> Int { atPeak(row) - signed(plan.peakBytes + (row.peakSlackBytes ?? 0)) }
        difference.unwritten = max(0, -beyond(row)) - max(0, -beyond(least))
        difference.external = max(0, beyond(row)) - max(0, beyond(least))
        func start(_ row: Row) -> Int { row.curve.first.map { signed($0.held) - signed($0.live) } ?? 0 }
        difference.fromTheStart = max(0, start(row)) - max(0, start(least))
        difference.otherMoment = difference.held - (atPeak(row) - atPeak(least))
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
}
