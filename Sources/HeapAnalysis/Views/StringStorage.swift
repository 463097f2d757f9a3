// How long the strings are that lie on the heap, and what a string type with more room inside would change: which allocations would not be made,
// what they took, and what the larger values would cost. Only strings on the heap are seen: the cost is of those alone, so the true cost is at
// least that; copies of a Swift string share one block and each have a value.

/// Sums over strings of a range of capacities, or of those that a what-if would remove.
public struct StringSums: Sendable, Hashable {
    /// Allocations.
    public var allocations = 0
    /// Bytes asked for.
    public var bytes = 0
    /// Blocks live at the trace's peak.
    public var peakBlocks = 0
    /// Bytes they asked for.
    public var peakBytes = 0
    /// Bytes that the allocator gave for them; nil where the trace does not tell.
    public var peakGiven: Int? = 0
    /// In a sampled trace the standard errors of allocations and of bytes; nil in others.
    public var standardError: (allocations: Double, bytes: Double)? {
        variance.map { ($0.allocations.squareRoot(), $0.bytes.squareRoot()) }
    }
    var variance: SampleVariance?

    /// Sums of nothing.
    public init() {}

    mutating func add(_ cell: ProfileCell) {
        allocations &+= cell.figures.allocations
        bytes &+= cell.figures.bytes
        peakBlocks &+= cell.figures.peakBlocks
        peakBytes &+= cell.figures.peakBytes
        peakGiven = cell.usable.flatMap { usable in peakGiven.map { $0 &+ cell.figures.peakBlocks &* usable } }
        if let more = cell.variance { variance = variance.map { $0.adding(more) } ?? more }
    }

    func divided(by units: SumUnits) -> StringSums {
        var result = self
        result.allocations = HeapFigures.rounded(allocations, units.blocks)
        result.bytes = HeapFigures.rounded(bytes, units.bytes)
        result.peakBlocks = HeapFigures.rounded(peakBlocks, units.blocks)
        result.peakBytes = HeapFigures.rounded(peakBytes, units.bytes)
        result.peakGiven = peakGiven.map { HeapFigures.rounded($0, units.blocks) }
        return result
    }
}

/// The strings of a profile that kept the sizes of family `String` apart.
public struct StringStorage: Sendable {
    /// The family whose sizes must be kept apart.
    public static let family = "String"

    /// Strings of a range of capacities.
    public struct Bin: Sendable {
        /// Capacities, the last of the bins without an upper bound.
        public var from: Int
        /// The largest capacity; nil for the last bin.
        public var to: Int?
        /// Their sums.
        public var sums: StringSums
    }

    /// What a type with this room inside would change.
    public struct WhatIf: Sendable {
        /// The type's room.
        public var capacity: InlineCapacity
        /// What would disappear for certain: blocks with a capacity that fits.
        public var certain: StringSums
        /// What would disappear at most: blocks whose size also serves a text that fits.
        public var possible: StringSums
        /// Bytes that the values of the strings on the heap at the peak would grow by; negative where they would shrink.
        public var costAtPeak: Int
        /// Bytes less at the peak for certain: what disappears, as the allocator gave it where that is known, less what it costs.
        public var netAtPeak: Int { (certain.peakGiven ?? certain.peakBytes) &- costAtPeak }
        /// Bytes less at the peak at most.
        public var netAtPeakAtMost: Int { (possible.peakGiven ?? possible.peakBytes) &- costAtPeak }
    }

    /// One owner or site.
    public struct Row: Sendable {
        /// What tells it from the others.
        public var key: RowKey
        /// All its strings whose layout is known.
        public var sums: StringSums
        /// What each capacity of ``InlineCapacity/all`` would change.
        public var whatIf: [WhatIf]
    }

    /// Upper bounds of the bins, the capacities that are compared among them.
    private static let bounds = [7, 15, 22, 23, 24, 30, 31, 47, 63, 127, 255, 511, 1023, 4095, 65_535]

    /// Strings whose layout is known, and those whose size alone is.
    public let known: StringSums
    /// Strings of types whose layout is not known: not in the bins, not in the what-if.
    public let unknown: StringSums
    /// The layouts that were met, in the order of ``StringLayout/allCases``.
    public let layouts: [StringLayout]
    /// By capacity; those without strings are there, too.
    public let bins: [Bin]
    /// Over all strings whose layout is known, one for each of ``InlineCapacity/all``.
    public let whatIf: [WhatIf]
    /// By the grouping asked for, by allocations.
    public let rows: [Row]

    /// The strings of `profile`. O(cells + rows log rows).
    public init(_ profile: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        var filter = filter
        filter.viewFamily = Self.family
        let accepted = profile.stacks.map { filter.accepts($0) }
        let layouts = zip(profile.stacks, accepted).map { stack, isAccepted in
            isAccepted ? StringLayout.layout(of: stack, in: profile) : nil
        }
        var unknown = StringSums()
        var met: Set<StringLayout> = []
        var bins = Array(repeating: StringSums(), count: Self.bounds.count + 1)
        var all = Group()
        var groups: [RowKey: Group] = [:]
        for cell in profile.cells where accepted[cell.stack] {
            guard let size = cell.size, let layout = layouts[cell.stack], let lengths = layout.lengths(ofBlock: size)
            else {
                unknown.add(cell)
                continue
            }
            met.insert(layout)
            bins[Self.bounds.firstIndex { lengths.upperBound <= $0 } ?? Self.bounds.count].add(cell)
            all.add(cell, layout, lengths)
            let key = RowKey(fields, cell: cell, stack: profile.stacks[cell.stack])
            groups[key, default: Group()].add(cell, layout, lengths)
        }
        let units = profile.units
        self.unknown = unknown.divided(by: units)
        self.layouts = StringLayout.allCases.filter { met.contains($0) }
        self.bins = bins.enumerated().map { index, sums in
            Bin(
                from: index == 0 ? 0 : Self.bounds[index - 1] + 1,
                to: index < Self.bounds.count ? Self.bounds[index] : nil, sums: sums.divided(by: units))
        }
        known = all.sums.divided(by: units)
        whatIf = all.whatIf(units)
        rows = groups.map { Row(key: $0.key, sums: $0.value.sums.divided(by: units), whatIf: $0.value.whatIf(units)) }
            .sorted {
                let (first, second) = (($0.sums.allocations, $0.sums.bytes), ($1.sums.allocations, $1.sums.bytes))
                return first == second ? $0.key.precedes($1.key) : second < first
            }
    }

    private struct Group {
        var sums = StringSums()
        private var certain = Array(repeating: StringSums(), count: InlineCapacity.all.count)
        private var possible = Array(repeating: StringSums(), count: InlineCapacity.all.count)
        /// In the profile's units of blocks.
        private var cost = Array(repeating: 0, count: InlineCapacity.all.count)

        mutating func add(_ cell: ProfileCell, _ layout: StringLayout, _ lengths: ClosedRange<Int>) {
            sums.add(cell)
            for (index, capacity) in InlineCapacity.all.enumerated() {
                if lengths.upperBound <= capacity.bytes { certain[index].add(cell) }
                if lengths.lowerBound <= capacity.bytes { possible[index].add(cell) }
                cost[index] &+= cell.figures.peakBlocks &* (capacity.valueBytes - layout.valueBytes)
            }
        }

        func whatIf(_ units: SumUnits) -> [WhatIf] {
            InlineCapacity.all.enumerated().map { index, capacity in
                WhatIf(
                    capacity: capacity, certain: certain[index].divided(by: units),
                    possible: possible[index].divided(by: units),
                    costAtPeak: HeapFigures.rounded(cost[index], units.blocks))
            }
        }
    }
}
