// What a view adds to a report: a member of the document under the view's name, and tables under the rows of the text.
internal import HeapAnalysis
internal import Symbolication

/// What a view adds. Both forms are made from the same values.
protocol ViewSection {
    /// The member of the document.
    var json: JSONValue { get }
    /// The lines under the table of rows; the first is a blank one.
    func lines(_ style: TextStyle) -> [String]
}

extension ReportView {
    /// What this view adds to the text under the rows; nil where the rows say it all.
    func section(_ profile: HeapProfile, _ request: ReportRequest) -> (any ViewSection)? {
        switch self {
        case .totals, .leaks, .live: nil
        case .peak: PeakSection(profile, request)
        case .temporary: TemporarySection(profile, request)
        case .lifetimes: LifetimeSection(profile, request)
        case .thread: ThreadSection(profile, request)
        case .size: SizeSection(profile, request)
        case .strings: StringSection(profile, request)
        }
    }
}

/// Columns that several views share.
enum SectionTable {
    /// Rows that a section shows unless `--top` says otherwise.
    static let rows = 10

    /// The columns for the fields of a grouping, without sizes.
    static func keyColumns(_ fields: RowFields) -> [TextTable.Column] {
        var columns: [TextTable.Column] = []
        if fields.contains(.site) { columns.append(.init(title: "site", isText: true, readable: 36)) }
        if fields.contains(.type) {
            columns.append(.init(title: "owner", isText: true))
        } else if fields.contains(.family) {
            columns.append(.init(title: "family", isText: true))
        }
        if fields.contains(.cause) { columns.append(.init(title: "cause", isText: true, dropOrder: 7)) }
        if fields.contains(.thread) { columns.append(.init(title: "thread", isText: true)) }
        if fields.contains(.module) { columns.append(.init(title: "module", isText: true)) }
        return columns
    }

    /// What stands in them.
    static func keyCells(_ key: RowKey, _ fields: RowFields, threadNames: [Int: String] = [:]) -> [String] {
        var cells: [String] = []
        if fields.contains(.site) { cells.append(FrameText.printable(FrameText.short(key.site))) }
        if fields.contains(.type) {
            cells.append(FrameText.printable(RowColumns.owner(key)))
        } else if fields.contains(.family) {
            cells.append(FrameText.printable(key.family ?? ""))
        }
        if fields.contains(.cause) { cells.append(key.cause?.rawValue ?? "") }
        if fields.contains(.thread) {
            let serial = key.thread ?? 0
            cells.append(RowColumns.thread(serial, name: threadNames[serial]))
        }
        if fields.contains(.module) {
            let module = key.module ?? ""
            cells.append(FrameText.printable(module.isEmpty ? "(unknown)" : FrameText.lastComponent(module)))
        }
        return cells
    }
}

extension HeapProfile {
    /// The names of threads that have one, by serial.
    var threadNames: [Int: String] {
        Dictionary(threads.compactMap { thread in thread.name.map { (thread.serial, $0) } }) { first, _ in first }
    }
}
