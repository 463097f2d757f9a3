// Rows: the cells of a profile, grouped by the fields asked for, in an order that never depends on chance.
public import Symbolication

/// What tells a row from the others; fields that the grouping does not use are nil.
public struct RowKey: Hashable, Sendable {
    /// The owner's family.
    public var family: String?
    /// The owner's type.
    public var type: String?
    /// The owner's language.
    public var language: String?
    /// Why the allocations were made.
    public var cause: Cause?
    /// The user's call site; nil also where none is known.
    public var site: Site?
    /// Bytes asked for.
    public var size: Int?
    /// Serial of the allocating thread.
    public var thread: Int?
    /// Path of the allocating module; empty when not known.
    public var module: String?

    init(_ fields: RowFields, cell: ProfileCell, stack: ProfileStack) {
        self.init(fields, stack: stack)
        if fields.contains(.size) { size = cell.size }
        if fields.contains(.thread) { thread = cell.thread }
    }

    /// The key of what is known by stacks alone; of nothing without one.
    init(_ fields: RowFields, stack: ProfileStack?) {
        guard let stack else { return }
        let owner = stack.attribution.owner
        if fields.contains(.family) { family = owner.family }
        if fields.contains(.type) { type = owner.type }
        if fields.contains(.language) { language = owner.language }
        if fields.contains(.cause) { cause = stack.attribution.cause }
        if fields.contains(.site) { site = stack.attribution.site }
        if fields.contains(.module) { module = stack.module }
    }

    /// Whether this key comes before `other` when all figures are equal.
    func precedes(_ other: RowKey) -> Bool {
        if size != other.size { return (size ?? 0) < (other.size ?? 0) }
        if thread != other.thread { return (thread ?? 0) < (other.thread ?? 0) }
        return texts.lexicographicallyPrecedes(other.texts)
    }

    /// Every field that is a text; of a site the whole path, for files in two folders may share a name.
    private var texts: [String] {
        let line = site?.line.map { String($0) }
        return [
            type ?? "", family ?? "", language ?? "", cause?.rawValue ?? "", module ?? "", site?.description ?? "",
            site?.file ?? "", line ?? "",
        ]
    }
}

/// One row of a report.
public struct ProfileRow: Sendable {
    /// What tells it from the others.
    public var key: RowKey
    /// Its sums.
    public var figures: HeapFigures
    /// How far they may be off in a sampled trace; nil in others.
    public var standardError: StandardError?
    /// Lifetimes of its freed blocks in nanoseconds, at most 1/16 off: the median and the 99th percentile. Nil when none was freed or the
    /// trace's times are no times.
    public var lifetime: (median: Int, p99: Int)?
    /// Lifetimes of its freed blocks by decade; nil when the trace's times are no times.
    public var lifetimes: LifetimeDistribution?
    /// How long its live blocks have lived; nil without any, where the options did not ask, and where the trace's times are no times.
    public var age: LeakAge?
    /// The stack that allocated most of its live bytes: an index into ``HeapProfile/stacks``.
    public var liveStack: Int
    /// The stack that allocated most of its bytes: an index into ``HeapProfile/stacks``.
    public var sampleStack: Int
    /// What each rule decided of it, by bytes descending.
    public var ruleShares: [RuleShare]
    /// Why its allocations were made, by bytes descending.
    public var causes: [Cause]
    /// Where rules would name other owners for some of its allocations, by bytes descending.
    public var disagreements: [DisagreementShare]

    /// Rules that attributed its allocations, by bytes descending.
    public var rules: [String] { ruleShares.map(\.rule) }
}

extension HeapProfile {
    private struct Group {
        var figures = HeapFigures()
        var variance: SampleVariance?
        var lifetimes = LifetimeHistogram()
        var ages: AgeHistogram?
        var sampleStack = 0
        var sampleBytes = -1
        var liveStack = 0
        var liveBytes = -1
        var rules: [(rule: Int, share: RuleShare)] = []
        var causes: [Cause: Int] = [:]
        var disagreements: [Int32: (allocations: Int, bytes: Int)] = [:]
    }

    /// The rows of the profile, grouped by `fields`, largest `order` first; ties go by bytes, allocations, then the key. O(cells + rows log rows).
    ///
    /// Sizes and threads must have been kept apart by the analysis for rows to be grouped by them.
    public func rows(by fields: RowFields, order: RowOrder = .bytes, filter: RowFilter = RowFilter()) -> [ProfileRow] {
        // Texts are hashed once a stack; cells are many more where sizes and threads are kept apart.
        var bases: [RowKey: Int] = [:]
        var rules: [String: Int] = [:]
        let parts = stacks.map { stack -> StackPart? in
            guard filter.accepts(stack) else { return nil }
            let attribution = stack.attribution
            return StackPart(
                base: Self.number(of: RowKey(fields, stack: stack), in: &bases),
                rule: Self.number(of: attribution.rule, in: &rules), cause: attribution.cause,
                disagreement: stack.disagreement)
        }
        let keepsSizes = fields.contains(.size)
        let keepsThreads = fields.contains(.thread)
        var numbers: [GroupKey: Int] = [:]
        var groups: [(key: RowKey, group: Group)] = []
        for cell in cells {
            guard let part = parts[cell.stack] else { continue }
            let key = GroupKey(
                base: part.base, size: keepsSizes ? cell.size ?? -1 : -1, thread: keepsThreads ? cell.thread ?? -1 : -1)
            let number: Int
            if let known = numbers[key] {
                number = known
            } else {
                number = groups.count
                numbers[key] = number
                groups.append((RowKey(fields, cell: cell, stack: stacks[cell.stack]), Group()))
            }
            add(cell, part, to: &groups[number].group)
        }
        let names = rules.sorted { $0.value < $1.value }.map(\.key)
        let rows = groups.map { key, group in row(key, group, rules: names) }
        return rows.sorted { left, right in
            let first = order.measure(left.figures)
            let second = order.measure(right.figures)
            if first != second { return first > second }
            if left.figures.bytes != right.figures.bytes { return left.figures.bytes > right.figures.bytes }
            if left.figures.allocations != right.figures.allocations {
                return left.figures.allocations > right.figures.allocations
            }
            return left.key.precedes(right.key)
        }
    }

    /// What cells take from their stack, texts by their numbers.
    private struct StackPart {
        var base: Int
        var rule: Int
        var cause: Cause
        var disagreement: Int32?
    }

    private struct GroupKey: Hashable {
        var base: Int
        var size: Int
        var thread: Int
    }

    private static func number<Key: Hashable>(of key: Key, in numbers: inout [Key: Int]) -> Int {
        if let known = numbers[key] { return known }
        numbers[key] = numbers.count
        return numbers.count - 1
    }

    private func add(_ cell: ProfileCell, _ stack: StackPart, to group: inout Group) {
        group.figures.add(cell.figures)
        if let variance = cell.variance { group.variance = group.variance.map { $0.adding(variance) } ?? variance }
        for (bucket, count) in lifetimes[cell.lifetimes] { group.lifetimes.add(bucket: bucket, count: count) }
        if cell.figures.bytes > group.sampleBytes {
            group.sampleBytes = cell.figures.bytes
            group.sampleStack = cell.stack
        }
        if cell.figures.liveBytes > group.liveBytes {
            group.liveBytes = cell.figures.liveBytes
            group.liveStack = cell.stack
        }
        if let ages = cell.ages { group.ages = group.ages.map { $0.adding(ages) } ?? ages }
        let place = group.rules.firstIndex { $0.rule == stack.rule } ?? group.rules.count
        if place == group.rules.count { group.rules.append((stack.rule, RuleShare(rule: ""))) }
        group.rules[place].share.add(cell)
        if let number = stack.disagreement {
            group.disagreements[number, default: (0, 0)].allocations &+= cell.figures.allocations
            group.disagreements[number, default: (0, 0)].bytes &+= cell.figures.bytes
        }
        group.causes[stack.cause, default: 0] &+= cell.figures.bytes
    }

    private func row(_ key: RowKey, _ group: Group, rules: [String]) -> ProfileRow {
        let shares = group.rules.map { $0.share.of(rules[$0.rule]) }
        return ProfileRow(
            key: key, figures: group.figures.divided(by: units),
            standardError: group.variance?.standardError, lifetime: lifetime(group.lifetimes),
            lifetimes: trace.facts.nanosecondsPerTick.map {
                LifetimeDistribution(group.lifetimes, tick: $0, units: units)
            },
            age: trace.facts.nanosecondsPerTick.flatMap { group.ages?.age(nanosecondsPerTick: $0) },
            liveStack: group.liveStack, sampleStack: group.sampleStack,
            ruleShares: shares.sorted { ($1.bytes, $0.rule) < ($0.bytes, $1.rule) }
                .map { $0.divided(by: units) },
            causes: group.causes.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map(\.key),
            disagreements: self.shares(group.disagreements))
    }

    private func lifetime(_ histogram: LifetimeHistogram) -> (median: Int, p99: Int)? {
        guard let tick = trace.facts.nanosecondsPerTick, let median = histogram.quantile(0.5),
            let p99 = histogram.quantile(0.99), let low = Int(exactly: (median * tick).rounded()),
            let high = Int(exactly: (p99 * tick).rounded())
        else { return nil }
        return (low, high)
    }

    /// The frames of a stack, innermost first. O(depth).
    public func symbolicatedFrames(ofStack stack: Int) -> [SymbolicatedFrame] {
        stacks[stack].frames.map { frames[Int($0)] }
    }
}
