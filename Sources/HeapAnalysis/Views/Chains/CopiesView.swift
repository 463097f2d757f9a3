// `--view copies`: clones and copy-on-write copies by site, and what became of them. All that an event log can prove of a copy is when its block
// ended and whether its size changed: a clone that was freed with its size unchanged was at most read or changed in place, and one
// that was freed as its thread's next event did not outlive the call it was made for.
internal import Symbolication

/// Copies of one row.
public struct CopiesRow: Sendable {
    /// What tells it from the others; `cause` is always there.
    public var key: RowKey
    /// Why they were made: `clone` or `copyOnWrite`.
    public var cause: Cause
    /// All of them.
    public var made = BlockSum()
    /// Those that grew or shrank later: the program made them its own.
    public var resized = BlockSum()
    /// Freed as the next event of the thread that had made them, their size never changed.
    public var temporary = BlockSum()
    /// Freed later, their size never changed.
    public var freed = BlockSum()
    /// The stack that made most of their bytes: an index into ``HeapProfile/stacks``.
    public var sampleStack = 0

    /// Live at the end, their size never changed.
    public var live: BlockSum {
        var sum = BlockSum()
        sum.blocks = made.blocks &- resized.blocks &- temporary.blocks &- freed.blocks
        sum.bytes = made.bytes &- resized.bytes &- temporary.bytes &- freed.bytes
        return sum
    }

    fileprivate mutating func add(_ record: CopyRecord) {
        made.add(record.made)
        resized.add(record.resized)
        temporary.add(record.temporary)
        freed.add(record.freed)
    }
}

/// How often something that can be borrowed was borrowed, by the program's own counters `NAME.borrowed` and `NAME.owned`.
public struct BorrowedShare: Hashable, Sendable {
    /// What was counted, such as `Cow`.
    public var name: String
    /// Times that it was borrowed.
    public var borrowed: Int
    /// Times that it was made owned.
    public var owned: Int
    /// The share of the borrowed; nil where neither was counted.
    public var share: Double? { borrowed + owned == 0 ? nil : Double(borrowed) / Double(borrowed + owned) }
}

/// What was copied.
public struct CopiesView: Sendable {
    /// The rows, most bytes first.
    public var rows: [CopiesRow]
    /// The sums by cause, clones first.
    public var totals: [CopiesRow]
    /// Swift storage of which neither frames nor the order of events tell whether it is a copy or the first of its container.
    public var undecided: BlockSum
    /// Borrowed and owned, by name.
    public var borrowed: [BorrowedShare]

    /// Copies by `fields` and cause; nil where blocks were not followed, as in sampled traces. O(stacks + rows log rows).
    public init?(_ profile: HeapProfile, by fields: RowFields, filter: RowFilter = RowFilter()) {
        borrowed = Self.borrowedShares(profile.counters)
        guard let findings = profile.views.chains else { return nil }
        var groups: [RowKey: CopiesRow] = [:]
        var largest: [RowKey: Int] = [:]
        var sums: [Cause: CopiesRow] = [:]
        let none = RowKey([], stack: nil)
        for (number, record) in findings.copies {
            let stack = profile.stacks[number]
            guard filter.accepts(stack) else { continue }
            let cause = stack.attribution.cause
            let key = RowKey(fields.union(.cause), stack: stack)
            groups[key, default: CopiesRow(key: key, cause: cause)].add(record)
            sums[cause, default: CopiesRow(key: none, cause: cause)].add(record)
            if record.made.bytes > largest[key] ?? -1 {
                largest[key] = record.made.bytes
                groups[key]?.sampleStack = number
            }
        }
        rows = groups.values.sorted { left, right in
            if left.made.bytes != right.made.bytes { return left.made.bytes > right.made.bytes }
            if left.made.blocks != right.made.blocks { return left.made.blocks > right.made.blocks }
            return left.key.precedes(right.key)
        }
        totals = [Cause.clone, .copyOnWrite].map { sums[$0] ?? CopiesRow(key: none, cause: $0) }
        undecided = findings.undecided.reduce(into: BlockSum()) { sum, part in
            if filter.accepts(profile.stacks[part.stack]) { sum.add(part.sum) }
        }
    }

    /// The pairs of counters that tell borrowed from owned.
    public static func borrowedShares(_ counters: [CounterTotal]) -> [BorrowedShare] {
        var shares: [String: BorrowedShare] = [:]
        for counter in counters {
            guard let dot = counter.name.lastIndex(of: ".") else { continue }
            let name = String(counter.name[..<dot])
            var share = shares[name] ?? BorrowedShare(name: name, borrowed: 0, owned: 0)
            switch counter.name[counter.name.index(after: dot)...] {
            case "borrowed": share.borrowed = counter.total
            case "owned": share.owned = counter.total
            default: continue
            }
            shares[name] = share
        }
        return shares.values.sorted { $0.name < $1.name }
    }
}
