// `--view strings`: how long the strings on the heap are, and what a string type with more room inside would change.
// Sizes are measured, lengths follow from them as far as they do: where a size serves several lengths, the what-if says what disappears for
// certain and what at most.
internal import HeapAnalysis
internal import Symbolication

struct StringSection: ViewSection {
    private let profile: HeapProfile
    private let request: ReportRequest
    private let storage: StringStorage
    private let sites: StringStorage
    private let estimate: EstimateText

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
        storage = StringStorage(profile, by: request.fields, filter: request.rowFilter)
        sites = StringStorage(profile, by: GroupingKey.site.fields, filter: request.rowFilter)
        estimate = EstimateText(profile.trace)
    }

    // MARK: - Document

    var json: JSONValue {
        .object([
            ("allocations", .integer(storage.known.allocations)), ("bytes", .integer(storage.known.bytes)),
            ("peak_blocks", .integer(storage.known.peakBlocks)), ("peak_bytes", .integer(storage.known.peakBytes)),
            ("other_allocations", .integer(storage.unknown.allocations)),
            (
                "layouts",
                .array(
                    storage.layouts.map { layout in
                        .object([
                            ("layout", .string(layout.rawValue)), ("value_bytes", .integer(layout.valueBytes)),
                            ("inline_capacity", .integer(layout.inlineCapacity)),
                        ])
                    })
            ),
            ("capacities", .array(storage.bins.map { bin($0) })),
            ("what_if", .array(storage.whatIf.map { .object(whatIf($0)) })),
            ("rows", .array(rows(storage, request.fields))),
            ("sites", .array(rows(sites, GroupingKey.site.fields))),
        ])
    }

    private func bin(_ bin: StringStorage.Bin) -> JSONValue {
        .object([("from", .integer(bin.from)), ("to", JSONValue(bin.to))] + sums(bin.sums))
    }

    private func sums(_ sums: StringSums) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = [
            ("allocations", .integer(sums.allocations)), ("bytes", .integer(sums.bytes)),
            ("peak_blocks", .integer(sums.peakBlocks)), ("peak_bytes", .integer(sums.peakBytes)),
            ("peak_given_bytes", JSONValue(sums.peakGiven)),
        ]
        if let errors = sums.standardError {
            members.append(
                (
                    "standard_error",
                    .object([("allocations", .error(errors.allocations)), ("bytes", .error(errors.bytes))])
                ))
        }
        return members
    }

    private func whatIf(_ whatIf: StringStorage.WhatIf) -> [(String, JSONValue)] {
        [
            ("inline_capacity", .integer(whatIf.capacity.bytes)),
            ("value_bytes", .integer(whatIf.capacity.valueBytes)),
            ("removed", .object(sums(whatIf.certain))), ("removed_at_most", .object(sums(whatIf.possible))),
            ("cost_bytes_at_peak", .integer(whatIf.costAtPeak)), ("net_bytes_at_peak", .integer(whatIf.netAtPeak)),
            ("net_bytes_at_peak_at_most", .integer(whatIf.netAtPeakAtMost)),
        ]
    }

    private func rows(_ storage: StringStorage, _ fields: RowFields) -> [JSONValue] {
        storage.rows.prefix(request.top ?? .max).map { row in
            let removed = row.whatIf.map { whatIf in
                JSONValue.object([
                    ("inline_capacity", .integer(whatIf.capacity.bytes)),
                    ("removed", .integer(whatIf.certain.allocations)),
                    ("removed_at_most", .integer(whatIf.possible.allocations)),
                    ("removed_bytes", .integer(whatIf.certain.bytes)),
                    ("removed_bytes_at_most", .integer(whatIf.possible.bytes)),
                ])
            }
            return .object(row.key.members(fields) + sums(row.sums) + [("what_if", .array(removed))])
        }
    }

    // MARK: - Text

    func lines(_ style: TextStyle) -> [String] {
        var lines: [String] = []
        if storage.unknown.allocations > 0 {
            lines += [
                "",
                style.dim(
                    "\(estimate.count(storage.unknown.allocations)) allocations are of string types whose layout is not known: not in what follows"
                ),
            ]
        }
        if storage.known.allocations == 0 { return lines }
        return lines + capacities(style) + whatIfLines(style) + siteLines(style)
    }

    private func capacities(_ style: TextStyle) -> [String] {
        var table = TextTable([
            .init(title: "room for"), .init(title: "strings"), .init(title: "share"), .init(title: "bytes"),
            .init(title: "at peak", dropOrder: 1), .init(title: "", isText: true, readable: 8),
        ])
        let bins = storage.bins.filter { $0.sums.allocations > 0 }
        let largest = bins.map(\.sums.allocations).max() ?? 0
        table.rows = bins.map { bin in
            let range: String
            if let to = bin.to {
                range =
                    bin.from == to ? NumberText.count(to) : "\(NumberText.count(bin.from)) – \(NumberText.count(to))"
            } else {
                range = "\(NumberText.count(bin.from)) and more"
            }
            return [
                range, estimate.count(bin.sums.allocations),
                estimate.percent(Double(bin.sums.allocations) / Double(storage.known.allocations)),
                estimate.bytes(bin.sums.bytes), estimate.bytes(bin.sums.peakBytes),
                BarText.bar(bin.sums.allocations, largest: largest, width: min(30, style.width - 56)),
            ]
        }
        var lines = [""] + table.lines(style)
        if storage.layouts.contains(.swift) {
            lines.append(
                style.dim(
                    "room: the longest text that fits. Swift rounds up to 16: room for 31 serves lengths 16 to 31"))
        } else {
            lines.append(style.dim("room: the longest text that fits; a string with room to grow is shorter"))
        }
        return lines
    }

    /// What is certain; what is possible where that is more.
    private func range<Value: Equatable>(
        _ certain: Value, _ possible: Value, isNothing: Bool, _ text: (Value) -> String
    ) -> String {
        if certain == possible { return text(certain) }
        return isNothing ? "up to " + text(possible) : text(certain) + " – " + text(possible)
    }

    private func counts(_ certain: StringSums, _ possible: StringSums) -> String {
        range(certain.allocations, possible.allocations, isNothing: certain.allocations == 0) { estimate.count($0) }
    }

    private func whatIfLines(_ style: TextStyle) -> [String] {
        var table = TextTable([
            .init(title: "inline"), .init(title: "value"), .init(title: "allocs less"), .init(title: "share"),
            .init(title: "bytes less", dropOrder: 2), .init(title: "peak less", dropOrder: 1),
            .init(title: "values cost", dropOrder: 1), .init(title: "net at peak"),
            .init(title: "as in", isText: true, dropOrder: 3, readable: 20),
        ])
        let all = max(1, storage.known.allocations)
        table.rows = storage.whatIf.map { one in
            let (certain, possible) = (one.certain, one.possible)
            let isNothing = certain.allocations == 0
            return [
                "\(one.capacity.bytes) B", "\(one.capacity.valueBytes) B", counts(certain, possible),
                range(certain.allocations, possible.allocations, isNothing: isNothing) {
                    estimate.percent(Double($0) / Double(all))
                },
                range(certain.bytes, possible.bytes, isNothing: isNothing) { estimate.bytes($0) },
                range(
                    certain.peakGiven ?? certain.peakBytes, possible.peakGiven ?? possible.peakBytes,
                    isNothing: isNothing
                ) { estimate.bytes($0) },
                estimate.bytes(one.costAtPeak),
                range(one.netAtPeak, one.netAtPeakAtMost, isNothing: false) { estimate.bytes($0) },
                one.capacity.examples,
            ]
        }
        let values = storage.layouts.map { "\($0.rawValue) \($0.valueBytes) B with \($0.inlineCapacity) inline" }
        return [""] + table.lines(style)
            + [
                "now: \(values.joined(separator: ", "))",
                "values cost: of the strings on the heap at the peak; those inline already cost as much each",
            ].map { style.dim($0) }
    }

    private func siteLines(_ style: TextStyle) -> [String] {
        let fields = GroupingKey.site.fields
        let rows = sites.rows.filter { $0.key.site != nil && ($0.whatIf.last?.possible.allocations ?? 0) > 0 }
        if rows.isEmpty { return [] }
        var columns = SectionTable.keyColumns(fields)
        columns[0].title = "site of short strings"
        let capacities = InlineCapacity.all.dropFirst()
        var table = TextTable(
            columns + [.init(title: "strings")]
                + capacities.map { .init(title: "≤ \($0.bytes)", dropOrder: $0.bytes == 23 ? 0 : 1) })
        table.rows = rows.prefix(request.top ?? SectionTable.rows).map { row in
            SectionTable.keyCells(row.key, fields) + [estimate.count(row.sums.allocations)]
                + row.whatIf.dropFirst().map { counts($0.certain, $0.possible) }
        }
        return [""] + table.lines(style)
    }
}
