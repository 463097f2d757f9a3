// `--view temporary`: blocks freed as the next event of the thread that allocated them, by owner and by site, with the share of the allocations
// made there, their bytes, and how many a second. A site whose blocks are all temporary needs a buffer that is kept, or none.
internal import HeapAnalysis
internal import Symbolication

struct TemporarySection: ViewSection {
    private let profile: HeapProfile
    private let request: ReportRequest

    init(_ profile: HeapProfile, _ request: ReportRequest) {
        self.profile = profile
        self.request = request
    }

    private func rows(by fields: RowFields) -> [ProfileRow] {
        profile.rows(by: fields, order: .temporary, filter: request.rowFilter).filter { $0.figures.temporary > 0 }
    }

    var json: JSONValue {
        let trace = profile.trace
        let bytes = profile.rows(by: []).first.map(\.figures.temporaryBytes) ?? 0
        var members: [(String, JSONValue)] = [
            ("allocations", .integer(trace.temporary)), ("share", .share(of: trace.temporary, in: trace.allocations)),
            ("bytes", JSONValue(bytes)), ("per_second", rate(trace.temporary)),
        ]
        if let errors = trace.standardError { members.append(("standard_error", .error(errors.temporary))) }
        members.append(("rows", .array(shown(request.fields))))
        members.append(("sites", .array(shown(GroupingKey.site.fields))))
        return .object(members)
    }

    private func rate(_ count: Int) -> JSONValue {
        profile.trace.perSecond(count).map { .number(($0 * 1000).rounded() / 1000) } ?? .null
    }

    private func shown(_ fields: RowFields) -> [JSONValue] {
        rows(by: fields).prefix(request.top ?? .max).map { row in
            let figures = row.figures
            var members = row.key.members(fields)
            members += [
                ("temporary", .integer(figures.temporary)),
                ("share_of_own", .share(of: figures.temporary, in: figures.allocations)),
                ("bytes", JSONValue(figures.temporaryBytes)), ("per_second", rate(figures.temporary)),
            ]
            if let errors = row.standardError { members.append(("standard_error", .error(errors.temporary))) }
            return .object(members)
        }
    }

    func lines(_ style: TextStyle) -> [String] {
        let fields = GroupingKey.site.fields
        let sites = rows(by: fields).filter { $0.key.site != nil }
        if request.fields.contains(.site) || sites.isEmpty { return [] }
        let estimate = EstimateText(profile.trace)
        var columns = SectionTable.keyColumns(fields)
        columns[0].title = "site of temporaries"
        var table = TextTable(
            columns + [
                .init(title: "temp"), .init(title: "of own"), .init(title: "temp bytes", dropOrder: 1),
                .init(title: "a second", dropOrder: 2),
            ])
        table.rows = sites.prefix(request.top ?? SectionTable.rows).map { row in
            let figures = row.figures
            return SectionTable.keyCells(row.key, fields) + [
                estimate.count(figures.temporary),
                estimate.percent(Double(figures.temporary) / Double(max(1, figures.allocations))),
                figures.temporaryBytes.map { estimate.bytes($0) } ?? "–",
                profile.trace.rate(of: figures.temporary).map { estimate.marked($0) } ?? "–",
            ]
        }
        return [""] + table.lines(style)
    }
}
