// `--view peak`: who owned the heap at its high-water mark, when that was, and the call sites that had asked for it.
internal import HeapAnalysis
internal import Symbolication

struct PeakSection: ViewSection {
    private let profile: HeapProfile
    private let request: ReportRequest

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
    }

    private func rows(by fields: RowFields) -> [ProfileRow] {
        profile.rows(by: fields, order: .peak, filter: request.rowFilter).filter { $0.figures.peakBlocks != 0 }
    }

    var json: JSONValue {
        let trace = profile.trace
        let blocks = profile.rows(by: []).reduce(0) { $0 + $1.figures.peakBlocks }
        var members: [(String, JSONValue)] = [
            ("bytes", .integer(trace.peakBytes)), ("blocks", .integer(blocks)),
            ("after_ns", JSONValue(trace.peakAfterNanoseconds)),
        ]
        if let errors = trace.standardError { members.append(("standard_error", .error(errors.peakBytes))) }
        members.append(("rows", .array(shown(request.fields))))
        members.append(("sites", .array(shown(GroupingKey.site.fields))))
        return .object(members)
    }

    private func shown(_ fields: RowFields) -> [JSONValue] {
        rows(by: fields).prefix(request.top ?? .max).map { row in
            var members = row.key.members(fields)
            members += [
                ("bytes", .integer(row.figures.peakBytes)), ("blocks", .integer(row.figures.peakBlocks)),
                ("share", .share(of: row.figures.peakBytes, in: profile.trace.peakBytes)),
            ]
            if let errors = row.standardError { members.append(("standard_error", .error(errors.peakBytes))) }
            return .object(members)
        }
    }

    func lines(_ style: TextStyle) -> [String] {
        let fields = GroupingKey.site.fields
        let sites = rows(by: fields).filter { $0.key.site != nil }
        if request.fields.contains(.site) || sites.isEmpty { return [] }
        let estimate = EstimateText(profile.trace)
        var columns = SectionTable.keyColumns(fields)
        columns[0].title = "site at the peak"
        var table = TextTable(columns + [.init(title: "at peak"), .init(title: "share"), .init(title: "blocks")])
        table.rows = sites.prefix(request.top ?? SectionTable.rows).map { row in
            SectionTable.keyCells(row.key, fields) + [
                estimate.bytes(row.figures.peakBytes),
                estimate.percent(Double(row.figures.peakBytes) / Double(max(1, profile.trace.peakBytes))),
                estimate.count(row.figures.peakBlocks),
            ]
        }
        return [""] + table.lines(style)
    }
}
