// Size classes: what the allocator really gave for each size asked for, as the recorder asked it once for each (malloc_usable_size), and what
// follows: the classes, what rounding up costs, and blocks that a few bytes less would put in the class below.
// Nothing here is guessed from the allocator's name. A size without a recorded usable size belongs to no class and proves nothing.

/// The allocator's size classes that a program used.
public struct SizeClasses: Sendable {
    /// Blocks of one usable size.
    public struct SizeClass: Sendable {
        /// Usable bytes of each block.
        public var usable: Int
        /// The smallest and the largest size that was asked for and fell in it.
        public var asked: ClosedRange<Int>
        /// Sums over its blocks; `slackBytes` is what rounding up cost over all allocations.
        public var figures: HeapFigures
        /// What rounding up cost at the trace's peak.
        public var slackAtPeak: Int
    }

    /// Blocks a few bytes above what the class below holds.
    public struct Edge: Sendable {
        /// The owner and whatever else the grouping tells; the size always.
        public var key: RowKey
        /// Bytes asked for.
        public var size: Int
        /// Usable bytes of the class it falls in.
        public var usable: Int
        /// Usable bytes of the class below.
        public var below: Int
        /// Sums over its blocks.
        public var figures: HeapFigures

        /// Bytes by which a block is too large for the class below.
        public var excess: Int { size - below }
        /// Bytes that each block would take less.
        public var savedEach: Int { usable - below }
        /// Bytes that all allocations together would take less.
        public var saved: Int { figures.allocations &* savedEach }
        /// Bytes that the heap would have been smaller by at its peak.
        public var savedAtPeak: Int { figures.peakBlocks &* savedEach }
        /// In a sampled trace the standard error of `saved`; nil in others.
        public var savedError: Double? { variance.map { $0.allocations.squareRoot() * Double(savedEach) } }
        var variance: SampleVariance?
    }

    /// What rounding up costs one owner.
    public struct Slack: Sendable {
        /// The owner, or what the grouping asks for.
        public var key: RowKey
        /// Sums over its blocks.
        public var figures: HeapFigures
        /// Usable less requested bytes over its allocations whose usable size is known.
        public var slackBytes: Int
        /// The same over the blocks live at the trace's peak.
        public var slackAtPeak: Int
        /// Bytes asked for of allocations whose usable size is known.
        public var knownBytes: Int
        /// Allocations whose usable size is not known.
        public var unknown: Int
    }

    /// Classes by usable size.
    public let classes: [SizeClass]
    /// Owners by slack at the peak, then over all allocations.
    public let owners: [Slack]
    /// What would move down a class, by bytes saved at the peak, then over all allocations.
    public let edges: [Edge]
    /// Sums over everything; `slackBytes` is nil where a usable size is not known.
    public let total: Slack?

    /// A request beyond this may be mapped on its own, and what it is rounded to is then no class.
    private static let largestEdge = 65_536
    /// Blocks in the lowest quarter of what their class adds to the one below count as just above its edge.
    private static let edgePart = 4

    /// The classes of a profile that kept its sizes apart. O(cells + rows log rows).
    /// - Parameter fields: what owners and edges are grouped by; sizes apart from it.
    public init(_ profile: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        let fields = fields.subtracting(.size).isEmpty ? GroupingKey.owner.fields : fields.subtracting(.size)
        let accepted = profile.stacks.map { filter.accepts($0) }
        let known = KnownClasses(profile)
        var classes: [Int: SizeClass] = [:]
        var owners: [RowKey: Slack] = [:]
        var edges: [RowKey: Edge] = [:]
        var total: Slack?
        for cell in profile.cells where accepted[cell.stack] {
            guard let size = cell.size else { continue }
            let figures = cell.figures
            var slack = Slack(key: RowKey([], cell: cell, stack: profile.stacks[cell.stack]))
            slack.add(figures, size: size, usable: cell.usable)
            total = total.map { $0.adding(slack) } ?? slack
            let key = RowKey(fields, cell: cell, stack: profile.stacks[cell.stack])
            slack.key = key
            owners[key] = owners[key].map { $0.adding(slack) } ?? slack
            guard let usable = cell.usable else { continue }
            var sizeClass =
                classes[usable]
                ?? SizeClass(usable: usable, asked: size...size, figures: HeapFigures(), slackAtPeak: 0)
            sizeClass.asked = min(sizeClass.asked.lowerBound, size)...max(sizeClass.asked.upperBound, size)
            sizeClass.figures.add(figures)
            sizeClass.slackAtPeak &+= slack.slackAtPeak
            classes[usable] = sizeClass
            guard size <= Self.largestEdge, known.isOfClass(cell),
                let (taken, below) = known.edge(of: size, alignmentCode: cell.alignmentCode), taken == usable,
                (size - below) * Self.edgePart <= taken - below
            else { continue }
            let edgeKey = RowKey(fields.union(.size), cell: cell, stack: profile.stacks[cell.stack])
            if edges[edgeKey] == nil {
                edges[edgeKey] = Edge(
                    key: edgeKey, size: size, usable: taken, below: below, figures: figures, variance: cell.variance)
            } else if edges[edgeKey]?.below == below, edges[edgeKey]?.usable == taken {
                edges[edgeKey]?.figures.add(figures)
                if let variance = cell.variance { edges[edgeKey]?.variance?.add(variance) }
            }
        }
        let units = profile.units
        self.classes = classes.values.map { $0.divided(by: units) }.sorted { $0.usable < $1.usable }
        self.total = total?.divided(by: units)
        self.owners = owners.values.map { $0.divided(by: units) }.sorted {
            ($1.slackAtPeak, $1.slackBytes) == ($0.slackAtPeak, $0.slackBytes)
                ? $0.key.precedes($1.key) : ($1.slackAtPeak, $1.slackBytes) < ($0.slackAtPeak, $0.slackBytes)
        }
        self.edges = edges.values.map { $0.divided(by: units) }.sorted {
            ($1.savedAtPeak, $1.saved) == ($0.savedAtPeak, $0.saved)
                ? $0.key.precedes($1.key) : ($1.savedAtPeak, $1.saved) < ($0.savedAtPeak, $0.saved)
        }
    }
}

// While cells are added, figures are in the profile's units, and bytes that are a multiple of blocks in its units of blocks.
extension SizeClasses.Slack {
    fileprivate init(key: RowKey) {
        self.init(key: key, figures: HeapFigures(), slackBytes: 0, slackAtPeak: 0, knownBytes: 0, unknown: 0)
    }

    fileprivate mutating func add(_ figures: HeapFigures, size: Int, usable: Int?) {
        self.figures.add(figures)
        if let usable {
            slackBytes &+= figures.allocations &* (usable - size)
            slackAtPeak &+= figures.peakBlocks &* (usable - size)
            knownBytes &+= figures.bytes
        } else {
            unknown &+= figures.allocations
        }
    }

    fileprivate func adding(_ other: Self) -> Self {
        var sum = self
        sum.figures.add(other.figures)
        sum.slackBytes &+= other.slackBytes
        sum.slackAtPeak &+= other.slackAtPeak
        sum.knownBytes &+= other.knownBytes
        sum.unknown &+= other.unknown
        return sum
    }

    fileprivate func divided(by units: SumUnits) -> Self {
        Self(
            key: key, figures: figures.divided(by: units), slackBytes: HeapFigures.rounded(slackBytes, units.blocks),
            slackAtPeak: HeapFigures.rounded(slackAtPeak, units.blocks),
            knownBytes: HeapFigures.rounded(knownBytes, units.bytes),
            unknown: HeapFigures.rounded(unknown, units.blocks))
    }
}

extension SizeClasses.SizeClass {
    fileprivate func divided(by units: SumUnits) -> Self {
        Self(
            usable: usable, asked: asked, figures: figures.divided(by: units),
            slackAtPeak: HeapFigures.rounded(slackAtPeak, units.blocks))
    }
}

extension SizeClasses.Edge {
    fileprivate func divided(by units: SumUnits) -> Self {
        Self(
            key: key, size: size, usable: usable, below: below, figures: figures.divided(by: units), variance: variance)
    }
}

/// The classes that a trace proves to exist: the usable sizes it tells of, by alignment.
private struct KnownClasses {
    private let isGlibc: Bool
    private var usable: [UInt8: [Int]] = [:]

    init(_ profile: HeapProfile) {
        isGlibc = ["glibc", "system"].contains(profile.trace.facts.allocator)
        var seen: [UInt8: Set<Int>] = [:]
        for cell in profile.cells where isOfClass(cell) {
            if let usable = cell.usable { seen[cell.alignmentCode, default: []].insert(usable) }
        }
        usable = seen.mapValues { $0.sorted() }
    }

    /// Whether a cell's usable size is that of its size's class. glibc gives a free block whole where the rest would be too small to be one: what
    /// was asked of such a block tells of the block, not of the class. Its classes are 16 bytes apart and 8 below a multiple of that.
    func isOfClass(_ cell: ProfileCell) -> Bool {
        guard let size = cell.size, let usable = cell.usable else { return false }
        if !isGlibc { return true }
        // Alignments up to 16 are malloc's own; for others glibc cuts the block out of a larger one.
        return cell.alignmentCode <= 2 && usable == max(24, (size + 8 + 15) / 16 * 16 - 8)
    }

    /// The smallest known class that holds `size`, and the one below it; nil where either is not known. O(log classes).
    func edge(of size: Int, alignmentCode: UInt8) -> (taken: Int, below: Int)? {
        guard let classes = usable[alignmentCode] else { return nil }
        var low = 0
        var high = classes.count
        while low < high {
            let middle = (low + high) / 2
            if classes[middle] < size { low = middle + 1 } else { high = middle }
        }
        guard low > 0, low < classes.count else { return nil }
        return (classes[low], classes[low - 1])
    }
}
