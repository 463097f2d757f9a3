// Functions that have another name in the new recording. One is taken for the other where the old name is nowhere in the new recording and the new one
// nowhere in the old, and some owner has exactly the same figures under both, for the same cause, and under no third. What else those two allocate is then
// set side by side, too. Estimates prove nothing of the kind.

/// Old functions by the new names of what they have become.
struct FunctionRenames {
    /// A function as sites are matched by it.
    private struct Evidence: Hashable {
        /// The row without its function.
        var row: DiffKey
        var figures: [Int]
    }

    /// The new name of each old function that has one.
    private(set) var names: [String: String] = [:]

    /// No function has another name.
    init() {}

    /// Finds them among rows by site. O(rows).
    init(from old: [DiffKey: DiffSide], to new: [DiffKey: DiffSide]) {
        let known = (Self.functions(of: old), Self.functions(of: new))
        let gone = Self.evidence(of: old.filter { Self.isMissing($0.key, in: known.1) })
        let come = Self.evidence(of: new.filter { Self.isMissing($0.key, in: known.0) })
        var targets: [String: Set<String>] = [:]
        var sources: [String: Set<String>] = [:]
        for (evidence, functions) in gone {
            guard functions.count == 1, let others = come[evidence], others.count == 1 else { continue }
            targets[functions[0], default: []].insert(others[0])
            sources[others[0], default: []].insert(functions[0])
        }
        for (function, others) in targets {
            guard others.count == 1, let other = others.first, sources[other]?.count == 1 else { continue }
            names[function] = other
        }
    }

    /// The key that a row of the old recording has in the new one; nil where its function has no other name.
    func key(of key: DiffKey) -> DiffKey? {
        guard let site = key.row.site, let name = names[site.function] else { return nil }
        var key = key
        key.row.site?.function = name
        return key
    }

    private static func functions(of rows: [DiffKey: DiffSide]) -> Set<String> {
        Set(rows.keys.compactMap(\.row.site?.function))
    }

    private static func isMissing(_ key: DiffKey, in functions: Set<String>) -> Bool {
        key.row.site.map { !functions.contains($0.function) } ?? false
    }

    private static func evidence(of rows: [DiffKey: DiffSide]) -> [Evidence: [String]] {
        var functions: [Evidence: [String]] = [:]
        for (key, side) in rows {
            guard let function = key.row.site?.function else { continue }
            var row = key
            row.row.site = nil
            let figures = DiffFigure.ofProgram.map { $0.value(side.figures) ?? 0 }
            functions[Evidence(row: row, figures: figures), default: []].append(function)
        }
        return functions
    }
}
