// `--view copies`: clones and copy-on-write copies by site, what became of them, and how often something was borrowed instead.
internal import HeapAnalysis
internal import Symbolication

struct CopiesSection: ViewSection {
    private static let rows = 20

    private let profile: HeapProfile
    private let request: ReportRequest
    private let view: CopiesView?

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
        view = CopiesView(profile, by: request.fields, filter: request.filter)
    }

    // MARK: - Document

    var json: JSONValue {
        guard let view else { return .null }
        let fields = request.fields.union(.cause)
        return .object([
            ("clone", .object(view.totals.first.map(figures) ?? [])),
            ("copy_on_write", .object(view.totals.last.map(figures) ?? [])),
            ("undecided", sum(view.undecided)),
            (
                "borrowed",
                .array(
                    view.borrowed.map { pair in
                        .object([
                            ("name", .string(pair.name)), ("borrowed", .integer(pair.borrowed)),
                            ("owned", .integer(pair.owned)),
                            ("share", .share(pair.share)),
                        ])
                    })
            ),
            (
                "rows",
                .array(view.rows.prefix(request.top ?? .max).map { .object($0.key.members(fields) + figures($0)) })
            ),
        ])
    }

    private func figures(_ row: CopiesRow) -> [(String, JSONValue)] {
        [
            ("made", sum(row.made)), ("temporary", sum(row.temporary)), ("freed_unresized", sum(row.freed)),
            ("resized", sum(row.resized)), ("live_unresized", sum(row.live)),
        ]
    }

    private func sum(_ sum: BlockSum) -> JSONValue {
        .object([("blocks", .integer(sum.blocks)), ("bytes", .integer(sum.bytes))])
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        guard let view else {
            return [style.dim("copies cannot be followed in a sampled trace: record without --sample")]
        }
        if view.rows.isEmpty { return [style.dim("nothing was cloned or copied on write")] + borrowed(view, style) }
        let fields = request.fields
        var table = TextTable(
            ChainTable.keyColumns(fields) + [
                .init(title: "cause", isText: true), .init(title: "copies"), .init(title: "bytes"),
                .init(title: "at once", dropOrder: 1), .init(title: "unresized", dropOrder: 2),
                .init(title: "resized", dropOrder: 3), .init(title: "live", dropOrder: 4),
            ])
        let shown = view.rows.prefix(request.top ?? Self.rows)
        table.rows = shown.map { row in
            ChainTable.keyCells(row.key, fields) + [
                row.cause.rawValue, NumberText.count(row.made.blocks), NumberText.bytes(row.made.bytes),
                NumberText.count(row.temporary.blocks), NumberText.count(row.freed.blocks),
                NumberText.count(row.resized.blocks), NumberText.count(row.live.blocks),
            ]
        }
        var lines = table.lines(style)
        lines += ChainTable.more(view.rows.count - shown.count, of: view.rows.count, style)
        lines += [""] + view.totals.filter { $0.made.blocks > 0 }.flatMap { summary($0) }
        if view.undecided.blocks > 0 {
            lines.append(
                "not told apart: \(NumberText.count(view.undecided.blocks)) blocks of Swift containers, \(NumberText.bytes(view.undecided.bytes)), are copies or the first of their container"
            )
        }
        return lines + borrowed(view, style)
    }

    private func summary(_ total: CopiesRow) -> [String] {
        let name = total.cause == .clone ? "clones" : "copies on write"
        let dropped = total.temporary.blocks + total.freed.blocks
        var lines = [
            "\(NumberText.count(total.made.blocks)) \(name) of \(NumberText.bytes(total.made.bytes)); "
                + "\(NumberText.count(dropped)) were freed with their size unchanged"
        ]
        if total.cause == .clone, total.temporary.blocks > 0 {
            lines.append(
                "    \(NumberText.count(total.temporary.blocks)) of them, \(NumberText.bytes(total.temporary.bytes)), as their thread's next event: a borrow would do where they are only read"
            )
        }
        return lines
    }

    private func borrowed(_ view: CopiesView, _ style: TextStyle) -> [String] {
        view.borrowed.map { pair in
            "\(FrameText.printable(pair.name)): borrowed \(NumberText.count(pair.borrowed)) times, owned \(NumberText.count(pair.owned)): \(NumberText.percent(pair.share)) borrowed"
        }
    }
}
