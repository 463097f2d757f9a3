// Which owners pay more for rounding on one allocator than on the other: the part of a difference of allocators that belongs to owners.
internal import HeapAnalysis

struct SlackDiffSection {
    private let diff: ProfileDiff
    private let request: DiffRequest
    private let slack: SlackDiff

    init(_ diff: ProfileDiff, _ request: DiffRequest) {
        self.diff = diff
        self.request = request
        slack = SlackDiff(old: diff.old, new: diff.new, by: request.slackFields, filter: request.filter)
    }

    // MARK: - Document

    var json: JSONValue {
        let rows = slack.rows.prefix(request.top ?? slack.rows.count)
        return .object([
            ("old", side(slack.total.old)), ("new", side(slack.total.new)),
            ("delta_bytes", JSONValue(known(slack.total)?.change)),
            ("delta_bytes_at_peak", JSONValue(known(slack.total)?.changeAtPeak)),
            (
                "owners",
                .array(
                    rows.map { row in
                        .object(
                            row.key.members(request.slackFields) + [
                                ("old", side(row.old)), ("new", side(row.new)),
                                ("delta_bytes", JSONValue(known(row)?.change)),
                                ("delta_bytes_at_peak", JSONValue(known(row)?.changeAtPeak)),
                            ])
                    })
            ),
        ])
    }

    private func side(_ side: SlackDiff.Side?) -> JSONValue {
        guard let side else { return .null }
        let isKnown = side.isKnown
        return .object([
            ("slack_bytes", isKnown ? .integer(side.slackBytes) : .null), ("slack_share", .share(side.share)),
            ("slack_bytes_at_peak", isKnown ? .integer(side.slackAtPeak) : .null),
            ("unknown_usable", .integer(side.unknown)),
        ])
    }

    /// The row where what it compares is known on both sides.
    private func known(_ row: SlackDiff.Row) -> SlackDiff.Row? {
        [row.old, row.new].allSatisfy { $0?.isKnown ?? true } ? row : nil
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        guard let old = slack.total.old, let new = slack.total.new else { return [] }
        let allocators = [diff.old, diff.new].map { FrameText.printable($0.trace.facts.allocator ?? "?") }
        guard old.isKnown, new.isKnown else {
            return ["", style.dim("no slack to compare: a recording does not tell what its allocator gave")]
        }
        let mark = EstimateText(isEstimated: diff.isSampled)
        var lines = [
            "",
            "slack: \(whole(old, mark)) on \(allocators[0]), \(whole(new, mark)) on \(allocators[1]), "
                + "\(mark.marked(ChangeText.bytes(slack.total.change))); at the peak "
                + "\(mark.bytes(old.slackAtPeak)) and \(mark.bytes(new.slackAtPeak))",
        ]
        for (side, allocator) in [(old, allocators[0]), (new, allocators[1])] where side.unknown > 0 {
            lines.append(
                style.dim(
                    "without \(mark.count(side.unknown)) allocations on \(allocator) whose usable size is not known"))
        }
        let rows = slack.rows.filter { known($0) != nil && ($0.change != 0 || $0.changeAtPeak != 0) }
        lines += sums(rows, on: allocators[1], mark)
        if rows.isEmpty { return lines }
        return lines + table(rows, allocators, mark, style)
    }

    private func whole(_ side: SlackDiff.Side, _ mark: EstimateText) -> String {
        "\(mark.bytes(side.slackBytes)) (\(mark.percent(side.share)) of what was given)"
    }

    private func sums(_ rows: [SlackDiff.Row], on allocator: String, _ mark: EstimateText) -> [String] {
        let noun = request.slackFields == GroupingKey.owner.fields ? "owners" : "rows"
        func part(_ chosen: [SlackDiff.Row], _ word: String) -> String? {
            if chosen.isEmpty { return nil }
            let sum = chosen.reduce(0) { $0 &+ $1.change }
            let subject = "\(NumberText.count(chosen.count)) \(chosen.count == 1 ? String(noun.dropLast()) : noun)"
            return "\(subject) \(word), \(mark.marked(ChangeText.bytes(sum)))"
        }
        let parts = [
            part(rows.filter { $0.change > 0 }, "with more"), part(rows.filter { $0.change < 0 }, "with less"),
        ].compactMap { $0 }
        return parts.isEmpty ? [] : ["on \(allocator) \(parts.joined(separator: "; "))"]
    }

    private func table(
        _ rows: [SlackDiff.Row], _ allocators: [String], _ mark: EstimateText, _ style: TextStyle
    ) -> [String] {
        var columns = DiffColumns.keyColumns(request.slackFields)
        columns[0].title = "slack by " + columns[0].title
        var table = TextTable(
            columns + [
                .init(title: allocators[0]), .init(title: "of given", dropOrder: 2), .init(title: allocators[1]),
                .init(title: "of given", dropOrder: 2), .init(title: "Δ slack"),
                .init(title: "Δ at peak", dropOrder: 1),
            ])
        let shown = request.top ?? SectionTable.rows
        table.rows = rows.prefix(shown).map { row in
            DiffColumns.keyCells(row.key, request.slackFields) + cells(row.old, mark) + cells(row.new, mark) + [
                ChangeText.bytes(row.change, isEstimated: mark.isEstimated),
                ChangeText.bytes(row.changeAtPeak, isEstimated: mark.isEstimated),
            ]
        }
        var lines = [""] + table.lines(style)
        if rows.count > shown {
            lines.append(
                style.dim("… \(NumberText.count(rows.count - shown)) more rows: --top \(rows.count) shows them"))
        }
        return lines
    }

    private func cells(_ side: SlackDiff.Side?, _ mark: EstimateText) -> [String] {
        guard let side else { return ["–", "–"] }
        return [mark.bytes(side.slackBytes), mark.percent(side.share)]
    }
}

extension SlackDiff.Side {
    /// Whether any usable size is known, or none had to be.
    fileprivate var isKnown: Bool { unknown == 0 || knownBytes > 0 || slackBytes > 0 }
}
