// What rounding sizes up costs each owner on two allocators: the internal fragmentation that a change of allocator brings or saves.

/// Slack of each owner in two recordings that kept their sizes apart.
public struct SlackDiff: Sendable {
    /// What one allocator gave an owner beyond what it asked for.
    public struct Side: Sendable {
        /// Over all allocations whose usable size is known.
        public var slackBytes: Int
        /// Bytes asked for by those.
        public var knownBytes: Int
        /// Over the blocks live at the recording's peak.
        public var slackAtPeak: Int
        /// Allocations whose usable size is not known.
        public var unknown: Int

        /// Slack as a share of what was given, 0 to 1; nil where nothing is known.
        public var share: Double? {
            slackBytes + knownBytes == 0 ? nil : Double(slackBytes) / Double(slackBytes + knownBytes)
        }

        mutating func add(_ other: Side) {
            slackBytes &+= other.slackBytes
            knownBytes &+= other.knownBytes
            slackAtPeak &+= other.slackAtPeak
            unknown &+= other.unknown
        }
    }

    /// One owner on both.
    public struct Row: Sendable {
        /// The owner, or what the grouping asks for.
        public var key: DiffKey
        /// In the old recording; nil where it is not there.
        public var old: Side?
        /// In the new recording; nil where it is not there.
        public var new: Side?

        /// New less old, over all allocations.
        public var change: Int { (new?.slackBytes ?? 0) &- (old?.slackBytes ?? 0) }
        /// New less old, at the peak.
        public var changeAtPeak: Int { (new?.slackAtPeak ?? 0) &- (old?.slackAtPeak ?? 0) }
    }

    /// Owners whose slack is known on both sides, largest change first.
    public let rows: [Row]
    /// The sums of all rows.
    public let total: Row

    /// The slack of two profiles that kept their sizes apart. O(cells + rows log rows).
    public init(old: HeapProfile, new: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        let first = Self.sides(of: MatchedProfile(old, as: new), by: fields, filter: filter)
        let second = Self.sides(of: MatchedProfile(new, as: new), by: fields, filter: filter)
        let keys = Set(first.keys).union(second.keys)
        let rows = keys.map { Row(key: $0, old: first[$0], new: second[$0]) }
        func sum(_ sides: [Side]) -> Side? { sides.dropFirst().reduce(into: sides.first) { $0?.add($1) } }
        total = Row(
            key: DiffKey(row: RowKey([], stack: nil)), old: sum(rows.compactMap(\.old)),
            new: sum(rows.compactMap(\.new)))
        self.rows = rows.sorted { left, right in
            let sizes = [left, right].map { (max($0.change.magnitude, $0.changeAtPeak.magnitude), $0.change.magnitude) }
            return sizes[0] == sizes[1] ? left.key.precedes(right.key) : sizes[0] > sizes[1]
        }
    }

    private static func sides(
        of matched: MatchedProfile, by fields: RowFields, filter: RowFilter
    ) -> [DiffKey: Side] {
        var sides: [DiffKey: Side] = [:]
        for owner in SizeClasses(matched.profile, by: fields, filter: filter).owners {
            let side = Side(
                slackBytes: owner.slackBytes, knownBytes: owner.knownBytes, slackAtPeak: owner.slackAtPeak,
                unknown: owner.unknown)
            let key = matched.key(of: owner.key)
            if sides[key]?.add(side) == nil { sides[key] = side }
        }
        return sides
    }
}
