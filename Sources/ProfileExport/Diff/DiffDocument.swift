// The difference as JSON, schema "heaptrail.diff/1". A key that does not apply to the grouping is absent; a figure that was not measured is null.
public import HeapAnalysis

/// The JSON form of a difference.
public struct DiffDocument: Sendable {
    private let diff: ProfileDiff
    private let request: DiffRequest

    /// The document on `diff` that `request` asks for.
    public init(diff: ProfileDiff, request: DiffRequest) {
        self.diff = diff
        self.request = request
    }

    /// The document. O(cells + rows log rows).
    public func json() -> String {
        let rows = diff.rows(by: request.fields)
        let programs = diff.caveats.contains { if case .programs = $0 { true } else { false } }
        let allocators = [diff.old, diff.new].compactMap(\.trace.facts.allocator)
        var members: [(String, JSONValue)] = [
            ("schema", .string("heaptrail.diff/1")),
            ("old", trace(diff.old, named: request.names.old)),
            ("new", trace(diff.new, named: request.names.new)),
            ("verdict", .string(diff.verdict.rawValue)),
            ("verdict_text", .string(diff.verdictText(request))),
            ("same_program", .bool(!programs)),
            ("same_allocator", allocators.count == 2 ? .bool(allocators[0] == allocators[1]) : .null),
            ("remarks", .array(diff.remarks(request).map(\.json))),
            ("total", diff.total.map { row($0, []) } ?? .null),
            ("unchanged", .integer(rows.count { !$0.isChanged && !diff.hasOtherSlack($0) })),
            ("rows", list(rows, request.fields)),
        ]
        if request.keys == nil {
            members.append(("causes", list(diff.rows(by: .cause), .cause)))
            members.append(("sites", list(diff.rows(by: GroupingKey.site.fields), GroupingKey.site.fields)))
        }
        if diff.hasOtherAllocator { members.append(("slack", SlackDiffSection(diff, request).json)) }
        return JSONValue.object(members).document()
    }

    private func trace(_ profile: HeapProfile, named name: String) -> JSONValue {
        guard case .object(let members) = ReportDocument(profile: profile, request: ReportRequest()).trace else {
            return .null
        }
        return .object([("file", .string(name))] + members)
    }

    private func list(_ rows: [DiffRow], _ fields: RowFields) -> JSONValue {
        .array(rows.prefix(request.top ?? rows.count).map { row($0, fields) })
    }

    private func row(_ row: DiffRow, _ fields: RowFields) -> JSONValue {
        var members = row.key.members(fields)
        if let former = row.formerSite { members.append(("former_site", .string(former.description))) }
        members += [
            ("in", .string(row.old == nil ? "new" : row.new == nil ? "old" : "both")),
            ("changed", .bool(row.isChanged)),
            ("old", side(row.old)), ("new", side(row.new)),
            ("delta", figures { row.change($0) }),
        ]
        if diff.isSampled {
            members.append(("noise", .bool(diff.isNoise(row))))
            let errors = DiffFigure.allCases.map { ($0.rawValue, JSONValue.error(diff.error(row, $0))) }
            members.append(("delta_standard_error", .object(errors)))
        }
        return .object(members)
    }

    private func side(_ side: DiffSide?) -> JSONValue {
        guard let side else { return .null }
        return figures { $0.value(side.figures) }
    }

    private func figures(_ value: (DiffFigure) -> Int?) -> JSONValue {
        .object(DiffFigure.allCases.map { ($0.rawValue, JSONValue(value($0))) })
    }
}

extension DiffKey {
    /// The members for the fields of a grouping; what is not known is null.
    func members(_ fields: RowFields) -> [(String, JSONValue)] {
        row.members(fields.subtracting(.thread)) + (fields.contains(.thread) ? [("thread", JSONValue(thread))] : [])
    }
}
