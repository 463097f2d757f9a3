// `--view size`: the allocator's size classes as the trace proves them, what rounding up costs each owner, and blocks that a few bytes less would
// put in the class below, with what that would save.
internal import HeapAnalysis
internal import Symbolication

struct SizeSection: ViewSection {
    private let profile: HeapProfile
    private let request: ReportRequest
    private let classes: SizeClasses
    private let estimate: EstimateText

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
        classes = SizeClasses(profile, by: request.fields, filter: request.rowFilter)
        estimate = EstimateText(profile.trace)
    }

    private var ownerFields: RowFields {
        let fields = request.fields.subtracting(.size)
        return fields.isEmpty ? GroupingKey.owner.fields : fields
    }

    // MARK: - Document

    var json: JSONValue {
        let sizes = profile.rows(by: .size, filter: request.rowFilter).compactMap(\.key.size)
        let total = classes.total
        let isKnown = total.map { $0.unknown < $0.figures.allocations } ?? false
        return .object([
            ("distinct", .integer(sizes.count)), ("smallest", JSONValue(sizes.min())),
            ("largest", JSONValue(sizes.max())), ("allocator", JSONValue(profile.trace.facts.allocator)),
            ("slack_bytes", isKnown ? JSONValue(total?.slackBytes) : .null),
            ("slack_bytes_at_peak", isKnown ? JSONValue(total?.slackAtPeak) : .null),
            ("unknown_usable", JSONValue(total?.unknown ?? 0)),
            ("classes", .array(classes.classes.map { Self.sizeClass($0) })),
            ("owners", .array(classes.owners.prefix(request.top ?? .max).map { owner($0) })),
            ("edges", .array(classes.edges.prefix(request.top ?? .max).map { edge($0) })),
        ])
    }

    private static func sizeClass(_ one: SizeClasses.SizeClass) -> JSONValue {
        .object([
            ("usable", .integer(one.usable)), ("smallest", .integer(one.asked.lowerBound)),
            ("largest", .integer(one.asked.upperBound)), ("allocations", .integer(one.figures.allocations)),
            ("bytes", .integer(one.figures.bytes)), ("slack_bytes", JSONValue(one.figures.slackBytes)),
            ("peak_blocks", .integer(one.figures.peakBlocks)), ("peak_bytes", .integer(one.figures.peakBytes)),
            ("slack_bytes_at_peak", .integer(one.slackAtPeak)),
        ])
    }

    private func owner(_ owner: SizeClasses.Slack) -> JSONValue {
        let isKnown = owner.unknown < owner.figures.allocations
        return .object(
            owner.key.members(ownerFields) + [
                ("allocations", .integer(owner.figures.allocations)), ("bytes", .integer(owner.figures.bytes)),
                ("slack_bytes", isKnown ? .integer(owner.slackBytes) : .null),
                (
                    "slack_share",
                    isKnown ? .share(of: owner.slackBytes, in: owner.slackBytes + owner.knownBytes) : .null
                ),
                ("slack_bytes_at_peak", isKnown ? .integer(owner.slackAtPeak) : .null),
                ("unknown_usable", .integer(owner.unknown)),
            ])
    }

    private func edge(_ edge: SizeClasses.Edge) -> JSONValue {
        let error = edge.savedError.map { [("standard_error", JSONValue.error($0))] } ?? []
        return .object(
            edge.key.members(ownerFields) + [
                ("size", .integer(edge.size)), ("usable", .integer(edge.usable)), ("below", .integer(edge.below)),
                ("excess", .integer(edge.excess)), ("allocations", .integer(edge.figures.allocations)),
                ("peak_blocks", .integer(edge.figures.peakBlocks)), ("saves_each", .integer(edge.savedEach)),
                ("saves", .integer(edge.saved)), ("saves_at_peak", .integer(edge.savedAtPeak)),
            ] + error)
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        guard let total = classes.total else { return [] }
        if classes.classes.isEmpty {
            return ["", style.dim("no size classes: the trace does not tell what the allocator gave for a size")]
        }
        return totals(total, style) + classLines(style) + ownerLines(style) + edgeLines(style)
    }

    private func totals(_ total: SizeClasses.Slack, _ style: TextStyle) -> [String] {
        let allocator = FrameText.printable(profile.trace.facts.allocator ?? "the allocator")
        let share = estimate.percent(
            total.knownBytes == 0 ? nil : Double(total.slackBytes) / Double(total.slackBytes + total.knownBytes))
        var lines = [
            "",
            "\(allocator) rounded up by \(estimate.bytes(total.slackBytes)) (\(share) of what it gave), "
                + "\(estimate.bytes(total.slackAtPeak)) at the peak",
        ]
        if total.unknown > 0 {
            lines.append(
                style.dim("without \(estimate.count(total.unknown)) allocations whose usable size is not known"))
        }
        return lines
    }

    private func classLines(_ style: TextStyle) -> [String] {
        var table = TextTable([
            .init(title: "class"), .init(title: "sizes asked for", isText: true, readable: 16),
            .init(title: "allocs"), .init(title: "bytes", dropOrder: 2), .init(title: "slack"),
            .init(title: "at peak", dropOrder: 1), .init(title: "slack at peak", dropOrder: 1),
        ])
        let shown = request.top ?? SectionTable.rows
        let largest = classes.classes.sorted {
            let (first, second) = ($0.figures.bytes, $1.figures.bytes)
            return first == second ? $0.usable < $1.usable : first > second
        }
        table.rows = largest.prefix(shown).map { one in
            let asked = one.asked
            return [
                NumberText.count(one.usable),
                asked.lowerBound == asked.upperBound
                    ? NumberText.count(asked.lowerBound)
                    : NumberText.count(asked.lowerBound) + " – " + NumberText.count(asked.upperBound),
                estimate.count(one.figures.allocations), estimate.bytes(one.figures.bytes),
                one.figures.slackBytes.map { estimate.bytes($0) } ?? "–", estimate.bytes(one.figures.peakBytes),
                estimate.bytes(one.slackAtPeak),
            ]
        }
        var lines = [""] + table.lines(style)
        if largest.count > shown { lines.append(style.dim("… \(largest.count - shown) more classes")) }
        return lines
    }

    private func ownerLines(_ style: TextStyle) -> [String] {
        let wasteful = classes.owners.filter { $0.slackBytes > 0 }
        if wasteful.isEmpty { return [] }
        var columns = SectionTable.keyColumns(ownerFields)
        columns[0].title = "slack by " + columns[0].title
        var table = TextTable(
            columns + [
                .init(title: "slack"), .init(title: "of given"), .init(title: "at peak"),
                .init(title: "each", dropOrder: 1), .init(title: "allocs", dropOrder: 2),
            ])
        table.rows = wasteful.prefix(request.top ?? SectionTable.rows).map { owner in
            let known = owner.figures.allocations - owner.unknown
            return SectionTable.keyCells(owner.key, ownerFields, threadNames: profile.threadNames) + [
                estimate.bytes(owner.slackBytes),
                estimate.percent(Double(owner.slackBytes) / Double(max(1, owner.slackBytes + owner.knownBytes))),
                estimate.bytes(owner.slackAtPeak),
                known <= 0
                    ? "–" : estimate.marked(NumberText.fixed(Double(owner.slackBytes) / Double(known), 1) + " B"),
                estimate.count(owner.figures.allocations),
            ]
        }
        return [""] + table.lines(style)
    }

    private func edgeLines(_ style: TextStyle) -> [String] {
        let edges = classes.edges.filter { $0.figures.allocations > 0 }
        if edges.isEmpty { return [] }
        var columns = SectionTable.keyColumns(ownerFields)
        columns[0].title = "just above a class: " + columns[0].title
        var table = TextTable(
            columns + [
                .init(title: "size"), .init(title: "class"), .init(title: "less by"), .init(title: "fits in"),
                .init(title: "allocs", dropOrder: 1), .init(title: "saves"), .init(title: "at peak"),
            ])
        table.rows = edges.prefix(request.top ?? SectionTable.rows).map { edge in
            SectionTable.keyCells(edge.key, ownerFields, threadNames: profile.threadNames) + [
                NumberText.count(edge.size), NumberText.count(edge.usable), "\(edge.excess) B",
                NumberText.count(edge.below), estimate.count(edge.figures.allocations), estimate.bytes(edge.saved),
                estimate.bytes(edge.savedAtPeak),
            ]
        }
        return [""] + table.lines(style)
    }
}
