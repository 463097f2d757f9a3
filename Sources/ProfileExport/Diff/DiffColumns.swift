// The columns of a table of differences: a mark, the grouping's keys, bytes on both sides, and what changed.
internal import HeapAnalysis

struct DiffColumns {
    private let diff: ProfileDiff
    private let fields: RowFields
    private let showsMarks: Bool
    /// Functions that stand for several files in these rows; others are known by their names.
    private let ofSeveralFiles: Set<String>

    /// The columns for `rows` of `diff`, the part that is shown together.
    init(_ diff: ProfileDiff, by fields: RowFields, rows: [DiffRow]) {
        self.diff = diff
        self.fields = fields
        showsMarks = rows.contains { Self.mark($0, in: diff) != "" }
        var files: [String: Set<String>] = [:]
        for site in rows.compactMap(\.key.row.site) { files[site.function, default: []].insert(site.file ?? "") }
        ofSeveralFiles = Set(files.filter { $0.value.count > 1 }.keys)
    }

    /// What stands before a row: that it is on one side only, or that chance explains it.
    static func mark(_ row: DiffRow, in diff: ProfileDiff) -> String {
        if diff.isNoise(row) { return "~" }
        return row.old == nil ? "+" : row.new == nil ? "-" : ""
    }

    /// What the marks of these rows mean; nil without any.
    static func legend(_ rows: [DiffRow], in diff: ProfileDiff) -> String? {
        let marks = Set(rows.map { mark($0, in: diff) })
        let meanings = [("+", "in NEW only"), ("-", "in OLD only"), ("~", "within the sampling error")]
        let used = meanings.filter { marks.contains($0.0) }.map { "\($0.0) \($0.1)" }
        return used.isEmpty ? nil : used.joined(separator: ", ")
    }

    /// Columns of the grouping's keys.
    static func keyColumns(_ fields: RowFields) -> [TextTable.Column] {
        var columns: [TextTable.Column] = []
        if fields.contains(.type) {
            columns.append(.init(title: "owner", isText: true))
        } else if fields.contains(.family) {
            columns.append(.init(title: "family", isText: true))
            columns.append(.init(title: "language", isText: true, dropOrder: 7))
        }
        if fields.contains(.cause) { columns.append(.init(title: "cause", isText: true, readable: 11)) }
        if fields.contains(.site) { columns.append(.init(title: "site", isText: true)) }
        if fields.contains(.module) { columns.append(.init(title: "module", isText: true)) }
        if fields.contains(.size) { columns.append(.init(title: "size")) }
        if fields.contains(.thread) { columns.append(.init(title: "thread", isText: true)) }
        return columns
    }

    /// What stands in them.
    /// - Parameter ofSeveralFiles: functions whose sites name their files.
    static func keyCells(
        _ key: DiffKey, _ fields: RowFields, ofSeveralFiles: Set<String> = []
    ) -> [String] {
        var cells: [String] = []
        if fields.contains(.type) {
            cells.append(RowColumns.owner(key.row))
        } else if fields.contains(.family) {
            cells += [key.row.family ?? "", key.row.language ?? ""]
        }
        if fields.contains(.cause) { cells.append(key.row.cause?.rawValue ?? "") }
        if fields.contains(.site) {
            let name = key.row.site.map { ofSeveralFiles.contains($0.function) ? $0.description : $0.function }
            cells.append(name ?? FrameText.short(nil))
        }
        if fields.contains(.module) {
            let module = key.row.module ?? ""
            cells.append(module.isEmpty ? "(unknown)" : module)
        }
        if fields.contains(.size) { cells.append(key.row.size.map { NumberText.count($0) } ?? "–") }
        if fields.contains(.thread) { cells.append(key.thread ?? "") }
        return cells.map { FrameText.printable($0) }
    }

    /// The titles.
    var columns: [TextTable.Column] {
        var columns = showsMarks ? [TextTable.Column(title: "", isText: true, readable: 1)] : []
        columns += Self.keyColumns(fields)
        columns += [
            .init(title: "bytes old", dropOrder: 2), .init(title: "bytes new", dropOrder: 2), .init(title: "Δ bytes"),
            .init(title: "%", dropOrder: 4),
        ]
        if diff.isSampled { columns.append(.init(title: "error", dropOrder: 3)) }
        return columns + [
            .init(title: "Δ allocs"), .init(title: "Δ peak", dropOrder: 1), .init(title: "Δ live", dropOrder: 3),
            .init(title: "Δ temp", dropOrder: 5), .init(title: "Δ slack", dropOrder: 6),
        ]
    }

    /// The cells of a row.
    func cells(of row: DiffRow) -> [String] {
        (showsMarks ? [Self.mark(row, in: diff)] : []) + Self.keyCells(row.key, fields, ofSeveralFiles: ofSeveralFiles)
            + figures(of: row)
    }

    /// The cells of the row that sums all rows, under whatever keys there are.
    func cells(ofTotal row: DiffRow) -> [String] {
        let keys = Self.keyColumns(fields)
        let title = keys.firstIndex { $0.isText }
        return (showsMarks ? [""] : []) + keys.indices.map { $0 == title ? "total" : "" } + figures(of: row)
    }

    private func figures(of row: DiffRow) -> [String] {
        var cells = [side(row.old, diff.old), side(row.new, diff.new), bytes(row, .bytes), percent(row)]
        if diff.isSampled {
            cells.append(diff.error(row, .bytes).map { "±" + NumberText.bytes(Int($0.rounded(.up))) } ?? "–")
        }
        return cells + [
            count(row, .allocations), bytes(row, .peakBytes), bytes(row, .liveBytes), count(row, .temporary),
            bytes(row, .slackBytes),
        ]
    }

    private func side(_ side: DiffSide?, _ profile: HeapProfile) -> String {
        side.map { EstimateText(profile.trace).bytes($0.figures.bytes) } ?? "–"
    }

    private func percent(_ row: DiffRow) -> String {
        guard let old = row.old?.figures.bytes, let new = row.new?.figures.bytes else { return "–" }
        return ChangeText.percent(old, new)
    }

    private func bytes(_ row: DiffRow, _ figure: DiffFigure) -> String {
        row.change(figure).map { ChangeText.bytes($0, isEstimated: diff.isSampled) } ?? "–"
    }

    private func count(_ row: DiffRow, _ figure: DiffFigure) -> String {
        row.change(figure).map { ChangeText.count($0, isEstimated: diff.isSampled) } ?? "–"
    }
}

/// Changes as people read them: always with a sign, `=` for none.
enum ChangeText {
    static func bytes(_ change: Int, isEstimated: Bool = false) -> String {
        signed(change, NumberText.bytes(change), isEstimated)
    }

    static func count(_ change: Int, isEstimated: Bool = false) -> String {
        signed(change, NumberText.count(change), isEstimated)
    }

    /// The change from `old` as a share of it; a dash where there was nothing.
    static func percent(_ old: Int, _ new: Int) -> String {
        if old == new { return "=" }
        if old == 0 { return "–" }
        if new / old >= 10 { return "×" + NumberText.count(new / old) }
        let share = Double(new &- old) / Double(old)
        return (share > 0 ? "+" : "") + NumberText.percent(share)
    }

    private static func signed(_ change: Int, _ text: String, _ isEstimated: Bool) -> String {
        change == 0 ? "=" : (isEstimated ? "≈" : "") + (change > 0 ? "+" : "") + text
    }
}
