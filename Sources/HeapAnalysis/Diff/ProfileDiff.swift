// Two recordings side by side. Rows are matched by names (``StableNames``): owner, cause, and site by function, then file; never by line or address, so
// that a rebuild of the program does not set everything apart. Rows that then have one key are added up. Sites that are left on one side only are matched
// by their function alone where just one is left on each side: the function moved to another file, or one build has no debug information. A function whose
// name is gone is matched with one whose name is new where figures show that they are one (``FunctionRenames``).

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A difference between two recordings.
public struct ProfileDiff: Sendable {
    /// The recording to compare with.
    public let old: HeapProfile
    /// The recording that is compared.
    public let new: HeapProfile
    private let filter: RowFilter
    private let matched: (old: MatchedProfile, new: MatchedProfile)
    private let functionRenames: FunctionRenames
    /// What the two differ in by owner, cause and site, which is what verdicts rest on.
    private let finest: [DiffRow]
    /// What only one allocator's libraries do: rows by owner, cause and site that no program decides.
    public let broughtAlong: [DiffRow]

    /// Standard errors within which a difference of estimates is noise: nineteen in twenty of those that are nothing else.
    public static let noiseErrors = 2.0

    /// The difference between two recordings.
    /// - Parameter filter: which allocations it is about.
    /// - Complexity: O(cells + rows log rows).
    public init(old: HeapProfile, new: HeapProfile, filter: RowFilter = RowFilter()) {
        self.old = old
        self.new = new
        self.filter = filter
        matched = (MatchedProfile(old, as: new), MatchedProfile(new, as: new))
        functionRenames = Self.renames(matched.old, matched.new)
        finest = Self.rows(
            matched.old, matched.new, by: GroupingKey.site.fields, filter: filter, renames: functionRenames)
        let isOther = old.hasOtherAllocator(than: new)
        let foreign = isOther ? Self.foreignKeys(matched.old, matched.new, filter: filter) : []
        broughtAlong = finest.filter { ($0.old == nil || $0.new == nil) && foreign.contains($0.key) }
    }

    /// The rows by `fields`, largest change first, those without any among them. O(cells + rows log rows).
    ///
    /// Sizes and threads must have been kept apart by both analyses for rows to be grouped by them.
    public func rows(by fields: RowFields) -> [DiffRow] {
        if fields == GroupingKey.site.fields { return finest }
        return Self.rows(matched.old, matched.new, by: fields, filter: filter, renames: functionRenames)
    }

    /// Functions that have another name in the new recording, their names as they are matched, by the new ones.
    public var renames: [(old: String, new: String)] {
        var names: [String: String] = [:]
        for row in finest {
            if let former = row.formerSite, let site = row.key.row.site { names[site.function] = former.function }
        }
        return names.sorted { $0.key < $1.key }.map { (old: $0.value, new: $0.key) }
    }

    /// The sums of everything that passes the filter; nil without a row.
    public var total: DiffRow? {
        func sum(_ sides: [DiffSide]) -> DiffSide? {
            sides.dropFirst().reduce(into: sides.first) { $0?.add($1) }
        }
        let (first, second) = (sum(finest.compactMap(\.old)), sum(finest.compactMap(\.new)))
        if first == nil, second == nil { return nil }
        return DiffRow(key: DiffKey(row: RowKey([], stack: nil)), old: first, new: second)
    }

    /// Whether a difference of the row's estimates may be chance: every figure that has a standard error differs by less than twice that of the difference.
    /// False where nothing is sampled, and where nothing differs.
    public func isNoise(_ row: DiffRow) -> Bool { isNoise(row, within: Self.noiseErrors) }

    private func isNoise(_ row: DiffRow, within errors: Double) -> Bool {
        guard isSampled, row.isChanged else { return false }
        return DiffFigure.ofProgram.allSatisfy { figure in
            guard let change = row.change(figure), change != 0 else { return true }
            guard let error = error(row, figure) else { return false }
            return Double(change.magnitude) <= errors * error
        }
    }

    /// Standard errors that no row exceeds by chance, nineteen times in twenty, where there are so many: of a hundred rows of the same program five differ by
    /// more than two. From P(|Z| > z) ≤ exp(−z²/2), for all rows together (Boole's inequality).
    static func noiseErrors(among rows: Int) -> Double {
        max(noiseErrors, (2 * log(Double(max(1, rows)) / 0.05)).squareRoot())
    }

    /// The standard error of a row's change; nil where nothing is sampled.
    public func error(_ row: DiffRow, _ figure: DiffFigure) -> Double? {
        row.error(figure, oldIsSampled: old.trace.facts.isSampled, newIsSampled: new.trace.facts.isSampled)
    }

    /// Whether either recording is a sample.
    public var isSampled: Bool { old.trace.facts.isSampled || new.trace.facts.isSampled }

    /// What the two differ in, in a word.
    public enum Verdict: String, Sendable {
        /// Neither has an allocation to compare.
        case empty
        /// Nothing differs in any row by owner, cause and site.
        case nothing
        /// Only what the allocator gave beyond what was asked for, and what its own libraries did: the program did the same.
        case slack
        /// The same owners made the same allocations and frees; what was live at the peak, or freed at once, differs, or what the C library took over
        /// from threads that had ended.
        case order
        /// Of estimates: no row differs by more than one among so many does by chance.
        case noise
        /// The program did something else.
        case different
    }

    /// What the two differ in by owner, cause and site.
    public var verdict: Verdict {
        if finest.isEmpty { return .empty }
        let foreign = Set(broughtAlong.map(\.key))
        let changed = finest.filter { $0.isChanged && !foreign.contains($0.key) }
        if changed.isEmpty {
            return !foreign.isEmpty || finest.contains(where: { hasOtherSlack($0) }) ? .slack : .nothing
        }
        if isSampled {
            let errors = Self.noiseErrors(among: finest.count)
            return changed.allSatisfy { isNoise($0, within: errors) } ? .noise : .different
        }
        let same: [DiffFigure] = [.allocations, .frees, .bytes, .liveBlocks, .liveBytes]
        return changed.allSatisfy { row in same.allSatisfy { row.change($0) == 0 } || isOfReusedThreads(row) }
            ? .order : .different
    }
}
