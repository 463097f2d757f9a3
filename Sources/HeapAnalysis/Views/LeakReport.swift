// What is live at the end of a trace, less what is suppressed: by owner and site, with ages. Sums are over cells, so that a report costs nothing but
// the patterns.

/// Blocks and bytes.
public struct BlockSum: Sendable, Hashable {
    /// Blocks.
    public var blocks = 0
    /// Their bytes.
    public var bytes = 0

    /// Nothing.
    public init() {}

    init(blocks: Int, bytes: Int) {
        self.blocks = blocks
        self.bytes = bytes
    }

    mutating func add(_ figures: HeapFigures) {
        blocks &+= figures.liveBlocks
        bytes &+= figures.liveBytes
    }

    fileprivate func divided(by units: SumUnits) -> BlockSum {
        BlockSum(
            blocks: HeapFigures.rounded(blocks, units.blocks), bytes: HeapFigures.rounded(bytes, units.bytes))
    }
}

/// What one suppression took.
public struct SuppressedLeaks: Sendable {
    /// The suppression.
    public var rule: LeakSuppressions.Rule
    /// What it took.
    public var sum: BlockSum
}

/// The leaks of one owner made at one site.
public struct LeakSite: Sendable {
    /// The owner, the cause and the site.
    public var key: RowKey
    /// What is live.
    public var sum: BlockSum
    /// How long the blocks have lived, in nanoseconds; nil where the trace's times are no times.
    public var age: LeakAge?
    /// The stack of most of its bytes: an index into ``HeapProfile/stacks``.
    public var sampleStack: Int
}

/// The leaks of a profile.
public struct LeakReport: Sendable {
    /// What is live and not suppressed.
    public let reported: BlockSum
    /// What is suppressed.
    public let suppressed: BlockSum
    /// Every suppression that took something, most bytes first.
    public let suppressions: [SuppressedLeaks]
    /// A user's suppressions that took nothing, in their order.
    public let unused: [LeakSuppressions.Rule]
    /// By owner and site, most bytes first.
    public let sites: [LeakSite]
    /// The profile without what is suppressed, for rows.
    public let profile: HeapProfile

    /// The leaks of `profile` that `filter` lets pass. O(cells + distinct frames × suppressions).
    public init(_ profile: HeapProfile, suppressions: LeakSuppressions, filter: RowFilter = RowFilter()) {
        var matcher = SuppressionMatcher(suppressions, profile: profile)
        var verdicts: [Int: Int?] = [:]
        var sums: [Int: BlockSum] = [:]
        var reported = BlockSum()
        var kept: [ProfileCell] = []
        for cell in profile.cells {
            if cell.figures.liveBlocks == 0 {
                kept.append(cell)
                continue
            }
            let verdict: Int?
            if let known = verdicts[cell.stack] {
                verdict = known
            } else {
                verdict = matcher.suppression(ofStack: cell.stack)
                verdicts[cell.stack] = .some(verdict)
            }
            let isWanted = filter.accepts(profile.stacks[cell.stack])
            if let verdict {
                // One that took only what the filter hides is in use all the same.
                sums[verdict, default: BlockSum()].add(isWanted ? cell.figures : HeapFigures())
            } else {
                kept.append(cell)
                if isWanted { reported.add(cell.figures) }
            }
        }
        let units = profile.units
        self.reported = reported.divided(by: units)
        let used = sums.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
        self.suppressions = used.map {
            SuppressedLeaks(rule: suppressions.rules[$0.key], sum: $0.value.divided(by: units))
        }.filter { $0.sum.blocks > 0 }
        suppressed = used.reduce(into: BlockSum()) { sum, part in
            sum.blocks &+= part.value.blocks
            sum.bytes &+= part.value.bytes
        }.divided(by: units)
        unused = suppressions.rules.enumerated().filter { !$0.element.isBuiltIn && sums[$0.offset] == nil }.map(
            \.element)
        var rest = profile
        rest.cells = kept
        self.profile = rest
        sites = rest.rows(by: GroupingKey.site.fields, order: .live, filter: filter)
            .filter { $0.figures.liveBlocks > 0 }
            .map { row in
                LeakSite(
                    key: row.key, sum: BlockSum(blocks: row.figures.liveBlocks, bytes: row.figures.liveBytes),
                    age: row.age, sampleStack: row.liveStack)
            }
    }
}
