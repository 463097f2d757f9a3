// The difference as people read it: both recordings side by side, what makes them unlike, the verdict in a sentence, then the rows that changed.
public import HeapAnalysis

/// The text form of a difference.
public struct DiffText: Sendable {
    private static let defaultOwners = 20
    private static let defaultOthers = 10

    private let diff: ProfileDiff
    private let request: DiffRequest
    private let style: TextStyle

    /// The text on `diff` that `request` asks for, for a terminal of `style`.
    public init(diff: ProfileDiff, request: DiffRequest, style: TextStyle = TextStyle()) {
        self.diff = diff
        self.request = request
        self.style = style
    }

    /// The whole text, with a newline at its end. O(cells + rows log rows).
    public func text() -> String {
        var lines = header
        let remarks = diff.remarks(request)
        if !remarks.isEmpty { lines += [""] + remarks.map { style.dim("note: ") + FrameText.printable($0.text) } }
        lines += ["", style.bold(diff.verdictText(request))]
        lines += rows(by: request.fields, most: Self.defaultOwners, total: diff.total)
        // What only the allocators decide has no other side to look at.
        if request.keys == nil, request.showsUnchanged || diff.verdict != .slack {
            lines += rows(by: .cause, most: Self.defaultOthers, total: nil)
            lines += rows(by: GroupingKey.site.fields, most: Self.defaultOthers, total: nil)
        }
        if diff.hasOtherAllocator { lines += SlackDiffSection(diff, request).lines(style) }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: - Header

    private var header: [String] {
        let (old, new) = (diff.old.trace, diff.new.trace)
        var table = TextTable([
            .init(title: "", isText: true, readable: 13), .init(title: "old", isText: true),
            .init(title: "new", isText: true), .init(title: "change", isText: true, readable: 20),
        ])
        table.rows = [
            ["trace", request.names.old, request.names.new, ""],
            ["program", Self.program(old), Self.program(new), ""],
            ["ran on", Self.ranOn(old), Self.ranOn(new), ""],
            row("allocations", \.allocations, isExact: true) { NumberText.count($0) },
            row("frees", \.frees, isExact: true) { NumberText.count($0) },
            row("bytes", \.bytesAllocated, isExact: true) { NumberText.bytes($0) },
            row("peak", \.peakBytes) { NumberText.bytes($0) },
            row("live at end", \.liveBytes) { NumberText.bytes($0) },
            row("live blocks", \.liveBlocks) { NumberText.count($0) },
            row("temporary", \.temporary) { NumberText.count($0) },
        ].map { $0.map { FrameText.printable($0) } }
        return table.lines(style)
    }

    private static func program(_ trace: TraceSummary) -> String {
        let name = trace.facts.program.isEmpty ? "unknown" : trace.facts.program
        return name + (trace.facts.pid.map { " (pid \($0))" } ?? "")
    }

    private static func ranOn(_ trace: TraceSummary) -> String {
        var parts = [trace.facts.allocator ?? "unknown allocator"]
        if let duration = trace.durationNanoseconds { parts.append(NumberText.duration(duration)) }
        parts.append(NumberText.count(trace.threads) + (trace.threads == 1 ? " thread" : " threads"))
        return parts.joined(separator: ", ")
    }

    /// A figure of both recordings as wholes, and its change.
    private func row(
        _ title: String, _ figure: KeyPath<TraceSummary, Int>, isExact: Bool = false, _ text: (Int) -> String
    ) -> [String] {
        let sides = [diff.old.trace, diff.new.trace]
        let cells = sides.map { trace in
            let isEstimated = trace.facts.isSampled && !(isExact && trace.hasExactTotals)
            return (isEstimated ? "≈" : "") + text(trace[keyPath: figure])
        }
        let (old, new) = (sides[0][keyPath: figure], sides[1][keyPath: figure])
        if old == new { return [title] + cells + ["="] }
        let change = (new > old ? "+" : "") + text(new &- old)
        return [title] + cells + [change + (old == 0 ? "" : " (\(ChangeText.percent(old, new)))")]
    }

    // MARK: - Rows

    private func rows(by fields: RowFields, most: Int, total: DiffRow?) -> [String] {
        let all = diff.rows(by: fields)
        // On different allocators slack has a table of its own.
        let changed = all.filter { $0.isChanged || (diff.hasOtherSlack($0) && !diff.hasOtherAllocator) }
        let chosen = request.showsUnchanged ? all : changed
        if chosen.isEmpty { return [] }
        let shown = Array(chosen.prefix(request.top ?? most))
        let columns = DiffColumns(diff, by: fields, rows: shown)
        var table = TextTable(columns.columns)
        table.rows = shown.map { columns.cells(of: $0) }
        if let total { table.rows.append(columns.cells(ofTotal: total)) }
        var lines = [""] + table.lines(style)
        var notes: [String] = []
        if chosen.count > shown.count {
            notes.append(
                "… \(NumberText.count(chosen.count - shown.count)) more rows: --top \(chosen.count) shows them")
        }
        if let legend = DiffColumns.legend(shown, in: diff) { notes.append(legend) }
        if !request.showsUnchanged, all.count > changed.count {
            let count = all.count - changed.count
            notes.append("\(NumberText.count(count)) \(count == 1 ? "row is" : "rows are") the same: --all shows them")
        }
        lines += notes.map { style.dim($0) }
        return lines
    }
}
