// `--view growth`: containers that grew from block to block, where, how far, what that copied, and which capacity to reserve.
internal import HeapAnalysis
internal import Symbolication

struct GrowthSection: ViewSection {
    private static let rows = 20
    private static let advices = 5

    private let profile: HeapProfile
    private let request: ReportRequest
    private let view: GrowthView?

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
        view = GrowthView(profile, by: request.fields, filter: request.filter)
    }

    // MARK: - Document

    var json: JSONValue {
        guard let view else { return .null }
        return .object(
            figures(view.total) + [
                (
                    "rows",
                    .array(
                        view.rows.prefix(request.top ?? .max).map { row in
                            .object(
                                row.key.members(request.fields) + figures(row) + [
                                    ("reserve", reserve(row.reserve)),
                                    ("within", JSONValue(profile.enclosingLibrary(ofStack: row.sampleStack))),
                                ])
                        })
                )
            ])
    }

    private func figures(_ row: GrowthRow) -> [(String, JSONValue)] {
        [
            ("containers", .integer(row.containers)), ("chains", .integer(row.chains)), ("live", .integer(row.live)),
            ("steps", .integer(row.steps)), ("longest", .integer(row.longest)), ("in_place", .integer(row.inPlace)),
            ("remapped", .integer(row.remapped)), ("bytes_copied", .integer(row.copiedBytes)),
            (
                "final_bytes",
                .object([
                    ("median", .integer(row.finalBytes.median)), ("p90", .integer(row.finalBytes.p90)),
                    ("max", .integer(row.finalBytes.largest)),
                ])
            ),
        ]
    }

    private func reserve(_ advice: ReserveAdvice?) -> JSONValue {
        guard let advice else { return .null }
        return .object([
            ("bytes", .integer(advice.bytes)), ("share", .share(advice.share)),
            ("saved_allocations", .integer(advice.savedAllocations)),
            ("saved_bytes_copied", .integer(advice.savedCopies)),
            ("saved_bytes_allocated", .integer(advice.savedBytes)),
        ])
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        guard let view else {
            return [style.dim("growth cannot be followed in a sampled trace: record without --sample")]
        }
        if view.rows.isEmpty { return [style.dim("no container grew")] }
        let fields = request.fields
        var table = TextTable(
            ChainTable.keyColumns(fields) + [
                .init(title: "grew", dropOrder: 3), .init(title: "steps"), .init(title: "copied"),
                .init(title: "in place", dropOrder: 4), .init(title: "median", dropOrder: 2),
                .init(title: "p90", dropOrder: 1),
                .init(title: "largest", dropOrder: 5),
            ])
        let shown = view.rows.prefix(request.top ?? Self.rows)
        table.rows = shown.map { row in
            ChainTable.keyCells(row.key, fields) + [
                NumberText.count(row.chains), NumberText.count(row.steps), NumberText.bytes(row.copiedBytes),
                NumberText.count(row.inPlace + row.remapped), NumberText.bytes(row.finalBytes.median),
                NumberText.bytes(row.finalBytes.p90), NumberText.bytes(row.finalBytes.largest),
            ]
        }
        var lines = table.lines(style)
        lines += ChainTable.more(view.rows.count - shown.count, of: view.rows.count, style)
        return lines + [""] + summary(view.total) + advice(style)
    }

    private func summary(_ total: GrowthRow) -> [String] {
        var text = "\(NumberText.count(total.chains)) of \(NumberText.count(total.containers)) containers grew, in "
        text += "\(NumberText.count(total.steps)) steps that copied \(NumberText.bytes(total.copiedBytes)) at most"
        if total.inPlace > 0 { text += "; \(NumberText.count(total.inPlace)) steps were in place" }
        if total.remapped > 0 { text += "; \(NumberText.count(total.remapped)) moved pages, not bytes" }
        return [text]
    }

    /// Whether a capacity saves enough to be worth a line: ten allocations that are a thousandth of all, or a page of copying that is a hundredth of
    /// all bytes.
    private func isWorthwhile(_ advice: ReserveAdvice) -> Bool {
        let trace = profile.trace
        return advice.savedAllocations >= 10 && advice.savedAllocations * 1000 >= trace.allocations
            || advice.savedCopies >= 4096 && advice.savedCopies * 100 >= trace.bytesAllocated
    }

    /// What grows at the program's sites within libraries, whose containers it cannot reserve.
    private func withinLibraries(_ rows: [GrowthRow]) -> [String] {
        var libraries: [String: (sites: Int, steps: Int)] = [:]
        for row in rows {
            guard let library = profile.enclosingLibrary(ofStack: row.sampleStack) else { continue }
            libraries[library, default: (0, 0)].sites += 1
            libraries[library, default: (0, 0)].steps += row.steps
        }
        return libraries.sorted { ($1.value.steps, $0.key) < ($0.value.steps, $1.key) }.map { name, found in
            "\(NumberText.count(found.steps)) steps at \(NumberText.count(found.sites)) \(found.sites == 1 ? "site" : "sites") are of containers "
                + "that \(FrameText.printable(name)) keeps for itself: fewer or larger calls help, not a capacity"
        }
    }

    /// What to reserve where.
    private func advice(_ style: TextStyle) -> [String] {
        let sites = GrowthView(profile, by: GroupingKey.site.fields, filter: request.filter)?.rows ?? []
        let worthwhile = sites.filter { row in row.key.site != nil && row.reserve.map(isWorthwhile) == true }
        let advised = worthwhile.filter { profile.enclosingLibrary(ofStack: $0.sampleStack) == nil }
        let rest = withinLibraries(worthwhile)
        if advised.isEmpty {
            return [
                "no capacity reserved at one site would have saved 0.1% of the allocations or 1% of the bytes in copies"
            ] + rest
        }
        return rest
            + advised.prefix(Self.advices).flatMap { row -> [String] in
                guard let reserve = row.reserve else { return [] }
                let site = FrameText.printable(FrameText.short(row.key.site))
                let owner = FrameText.printable(RowColumns.owner(row.key))
                let containers =
                    row.containers == 1
                    ? "the one container"
                    : NumberText.percent(reserve.share) + " of \(NumberText.count(row.containers)) containers"
                var saved = "would have saved \(NumberText.count(reserve.savedAllocations)) allocations"
                saved +=
                    ", \(NumberText.bytes(reserve.savedCopies)) of copying, \(NumberText.bytes(reserve.savedBytes)) asked for"
                return [
                    TextTable.shortened(
                        "reserve \(NumberText.bytes(reserve.bytes)) for \(owner) in \(site):", to: style.width),
                    "    enough for \(containers); \(saved)",
                ]
            }
    }
}

/// What the tables of growth and copies share.
enum ChainTable {
    /// The columns for the fields of a grouping; causes, sizes and threads are no part of it.
    static func keyColumns(_ fields: RowFields) -> [TextTable.Column] {
        SectionTable.keyColumns(fields.subtracting([.cause, .size, .thread]))
    }

    /// What stands in them.
    static func keyCells(_ key: RowKey, _ fields: RowFields) -> [String] {
        SectionTable.keyCells(key, fields.subtracting([.cause, .size, .thread]))
    }

    /// The line that says how many rows are not shown.
    static func more(_ count: Int, of all: Int, _ style: TextStyle) -> [String] {
        count > 0 ? [style.dim("… \(NumberText.count(count)) more rows: --top \(all) shows them")] : []
    }
}
