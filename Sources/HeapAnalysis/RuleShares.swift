// What each rule decided, and where rules disagree: sums over the stacks of a row, or of the whole profile.

/// What one rule decided of a row.
public struct RuleShare: Sendable, Hashable {
    /// The rule, or the evidence that is none, such as `tag`.
    public var rule: String
    /// Allocations that it attributed.
    public var allocations = 0
    /// Their bytes.
    public var bytes = 0
    /// The stack that allocated most of them: an index into ``HeapProfile/stacks``.
    public var sampleStack = 0
    private var sampleBytes = -1

    init(rule: String) { self.rule = rule }

    mutating func add(_ cell: ProfileCell) {
        if cell.figures.bytes > sampleBytes {
            sampleBytes = cell.figures.bytes
            sampleStack = cell.stack
        }
        allocations &+= cell.figures.allocations
        bytes &+= cell.figures.bytes
    }

    /// The same of a rule by name.
    func of(_ rule: String) -> RuleShare {
        var share = self
        share.rule = rule
        return share
    }

    func divided(by units: SumUnits) -> RuleShare {
        var share = self
        share.allocations = HeapFigures.rounded(allocations, units.blocks)
        share.bytes = HeapFigures.rounded(bytes, units.bytes)
        return share
    }
}

/// How much two rules disagree about.
public struct DisagreementShare: Sendable, Hashable {
    /// The rules and the owners they name.
    public var disagreement: Disagreement
    /// Allocations on whose stacks both are.
    public var allocations: Int
    /// Their bytes.
    public var bytes: Int
}

extension HeapProfile {
    /// Where rules disagree, by bytes descending. O(cells).
    public func disagreements(filter: RowFilter = RowFilter()) -> [DisagreementShare] {
        if disagreements.isEmpty { return [] }
        var sums: [Int32: (allocations: Int, bytes: Int)] = [:]
        for cell in cells {
            guard let number = stacks[cell.stack].disagreement, filter.accepts(stacks[cell.stack]) else { continue }
            sums[number, default: (0, 0)].allocations &+= cell.figures.allocations
            sums[number, default: (0, 0)].bytes &+= cell.figures.bytes
        }
        return shares(sums)
    }

    func shares(_ sums: [Int32: (allocations: Int, bytes: Int)]) -> [DisagreementShare] {
        let shares = sums.sorted { ($1.value.bytes, $0.key) < ($0.value.bytes, $1.key) }
        return shares.map { number, sum in
            DisagreementShare(
                disagreement: disagreements[Int(number)],
                allocations: HeapFigures.rounded(sum.allocations, units.blocks),
                bytes: HeapFigures.rounded(sum.bytes, units.bytes))
        }
    }

    /// Rules of a user's own that decided nothing and took no frame for plumbing, in the order of their tables.
    /// O(frames of all stacks).
    public func unusedRules() -> [RuleSet.Listing] {
        var unused: [String: RuleSet.Listing] = [:]
        for listing in attributor.rules.listings where !listing.isBuiltIn { unused[listing.name] = listing }
        for frame in frames where !unused.isEmpty {
            for rule in attributor.rulesMatching(frame) { unused[rule] = nil }
        }
        return attributor.rules.listings.filter { unused[$0.name] != nil }
    }
}
