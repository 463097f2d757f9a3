// Which columns a table of rows has, and what stands in them: the grouping's keys first, then the figures.
internal import HeapAnalysis
internal import Symbolication

struct RowColumns {
    private let fields: RowFields
    private let view: ReportView
    private let profile: HeapProfile
    private let estimate: EstimateText
    private let showsCauses: Bool
    private let threadNames: [Int: String]
    /// The owners' texts that stand for several families, and those that do for several languages.
    private let ofSeveralFamilies: Set<String>
    private let ofSeveralLanguages: Set<String>

    /// The columns for `rows`, the part of the report that is shown together.
    init(request: ReportRequest, profile: HeapProfile, rows: [ProfileRow]) {
        fields = request.fields
        view = request.view
        self.profile = profile
        estimate = EstimateText(profile.trace)
        showsCauses = fields.contains(.type) && !fields.contains(.cause)
        let named = profile.threads.compactMap { thread in thread.name.map { (thread.serial, $0) } }
        threadNames = Dictionary(named, uniquingKeysWith: { first, _ in first })
        ofSeveralFamilies = Self.ownersOfSeveral(\.family, in: rows)
        ofSeveralLanguages = Self.ownersOfSeveral(\.language, in: rows)
    }

    /// The owners' texts in rows that differ by `part` of their keys. O(rows).
    private static func ownersOfSeveral(_ part: (RowKey) -> String?, in rows: [ProfileRow]) -> Set<String> {
        var parts: [String: Set<String>] = [:]
        for row in rows { parts[owner(row.key), default: []].insert(part(row.key) ?? "") }
        return Set(parts.filter { $0.value.count > 1 }.keys)
    }

    /// The owner as this table shows it: with its family or language where another row's owner reads alike.
    private func distinctOwner(_ key: RowKey) -> String {
        let text = Self.owner(key)
        var marks: [String] = []
        if ofSeveralFamilies.contains(text), let family = key.family { marks.append(family) }
        if ofSeveralLanguages.contains(text), let language = key.language { marks.append(language) }
        return marks.isEmpty ? text : "\(text) (\(marks.joined(separator: ", ")))"
    }

    /// Whether the figures are of what is live at a moment alone.
    private var isLiveOnly: Bool { profile.trace.isLiveOnly }

    var columns: [TextTable.Column] {
        var columns: [TextTable.Column] = []
        if fields.contains(.type) {
            columns.append(.init(title: "owner", isText: true, readable: 32))
        } else if fields.contains(.family) {
            columns.append(.init(title: "family", isText: true))
            columns.append(.init(title: "language", isText: true, dropOrder: 7))
        }
        if fields.contains(.cause) { columns.append(.init(title: "cause", isText: true)) }
        if showsCauses { columns.append(.init(title: "cause", isText: true, dropOrder: 4)) }
        if fields.contains(.site) { columns.append(.init(title: "site", isText: true, readable: 36)) }
        if fields.contains(.module) { columns.append(.init(title: "module", isText: true)) }
        if fields.contains(.size) { columns.append(.init(title: "size")) }
        if fields.contains(.thread) { columns.append(.init(title: "thread", isText: true)) }
        for figure in shownFigures {
            columns.append(.init(title: title(of: figure), dropOrder: figure.dropOrder(view)))
        }
        return columns
    }

    /// A column's title. Where only what is live was kept, allocations and bytes are those of the live blocks.
    private func title(of figure: RowFigure) -> String {
        switch figure {
        case .allocations where isLiveOnly: "blocks"
        case .bytes where isLiveOnly: "live"
        case .liveBlocks where view == .leaks: "blocks"
        default: figure.title
        }
    }

    private var shownFigures: [RowFigure] {
        let figures = isLiveOnly ? [.allocations, .bytes, .error, .share] : RowFigure.shown(in: view)
        return figures.filter { estimate.isEstimated || $0 != .error }
    }

    func cells(of row: ProfileRow) -> [String] {
        var cells: [String] = []
        if fields.contains(.type) {
            cells.append(FrameText.printable(distinctOwner(row.key)))
        } else if fields.contains(.family) {
            cells.append(FrameText.printable(row.key.family ?? ""))
            cells.append(FrameText.printable(row.key.language ?? ""))
        }
        if fields.contains(.cause) { cells.append(row.key.cause?.rawValue ?? "") }
        if showsCauses { cells.append(causes(row)) }
        if fields.contains(.site) { cells.append(FrameText.printable(FrameText.short(row.key.site))) }
        if fields.contains(.module) {
            let module = row.key.module ?? ""
            cells.append(FrameText.printable(module.isEmpty ? "(unknown)" : FrameText.lastComponent(module)))
        }
        if fields.contains(.size) { cells.append(row.key.size.map { NumberText.count($0) } ?? "–") }
        if fields.contains(.thread) { cells.append(thread(row.key.thread ?? 0)) }
        for figure in shownFigures { cells.append(text(of: figure, row)) }
        return cells
    }

    private func text(of figure: RowFigure, _ row: ProfileRow) -> String {
        let figures = row.figures
        switch figure {
        case .allocations: return estimate.count(figures.allocations)
        case .bytes: return estimate.bytes(figures.bytes)
        case .error:
            let measured = view.measured(row)
            return EstimateText.relative(measured.error, of: measured.value)
        case .share: return share(figures)
        case .peak, .atPeak: return estimate.bytes(figures.peakBytes)
        case .peakBlocks: return estimate.count(figures.peakBlocks)
        case .live: return estimate.bytes(figures.liveBytes)
        case .liveBlocks: return estimate.count(figures.liveBlocks)
        case .temporary: return estimate.count(figures.temporary)
        case .ofOwn:
            return estimate.percent(
                figures.allocations == 0 ? nil : Double(figures.temporary) / Double(figures.allocations))
        case .temporaryBytes: return figures.temporaryBytes.map { estimate.bytes($0) } ?? "–"
        case .temporaryRate: return profile.trace.rate(of: figures.temporary).map { estimate.marked($0) } ?? "–"
        case .slack: return figures.slackBytes.map { estimate.bytes($0) } ?? "–"
        case .freed: return estimate.count(figures.frees)
        case .elsewhere: return figures.elsewhere.map { estimate.count($0) } ?? "–"
        case .elsewhereShare:
            guard let elsewhere = figures.elsewhere, figures.frees > 0 else { return "–" }
            return estimate.percent(Double(elsewhere) / Double(figures.frees))
        case .elsewhereBytes: return figures.elsewhereBytes.map { estimate.bytes($0) } ?? "–"
        case .median: return row.lifetime.map { estimate.marked(NumberText.duration($0.median)) } ?? "–"
        case .p99: return row.lifetime.map { estimate.marked(NumberText.duration($0.p99)) } ?? "–"
        case .decades: return row.lifetimes.map { BarText.spark($0.counts) } ?? "–"
        }
    }

    /// The row's share of what the view measures.
    private func share(_ figures: HeapFigures) -> String {
        let trace = profile.trace
        let (part, whole) =
            switch view {
            case .totals, .size, .thread, .strings, .growth, .copies: (figures.bytes, trace.bytesAllocated)
            case .peak: (figures.peakBytes, trace.peakBytes)
            case .leaks, .live: (figures.liveBytes, trace.liveBytes)
            case .temporary: (figures.temporary, trace.temporary)
            case .lifetimes: (figures.allocations, trace.allocations)
            }
        return estimate.percent(whole == 0 ? nil : Double(part) / Double(whole))
    }

    /// The cause of most of the row's bytes, and how many others there are.
    private func causes(_ row: ProfileRow) -> String {
        guard let first = row.causes.first else { return "" }
        return first.rawValue + (row.causes.count > 1 ? " +\(row.causes.count - 1)" : "")
    }

    /// The owner's type; its family where that says more.
    static func owner(_ key: RowKey) -> String {
        let type = key.type ?? ""
        let family = key.family ?? ""
        if type.isEmpty { return family.isEmpty ? "Unattributed" : family }
        // What little is known of it stands behind the word: "Unattributed: hash table in main".
        if family == "Unattributed" { return type == "unknown" ? family : family + ": " + type }
        return needsFamily(type, family, language: key.language) ? family + " " + type : type
    }

    /// Whether a type alone does not say what a block of it is: `Runtime metadata`, `Box Int`, but `closure in f`, `Array<Int>`.
    private static func needsFamily(_ type: String, _ family: String, language: String?) -> Bool {
        if type == family { return false }
        switch family {
        case "Runtime": return true
        case "Class": return !type.hasPrefix("new in ")
        case "Closure": return !type.hasPrefix("closure") && !type.hasPrefix("std::")
        case "Task":
            return !["task", "continuation", "async frames", "coroutine "].contains(where: type.hasPrefix)
        // Other languages' boxes are types of their own.
        case "Box":
            return language == "swift" && !type.hasPrefix("Box<") && !type.hasPrefix("any Error")
                && !type.hasPrefix("captured ") && !type.contains(", captured or boxed")
        default: return false
        }
    }

    /// A thread by its serial, and its name where there is one.
    private func thread(_ serial: Int) -> String { Self.thread(serial, name: threadNames[serial]) }

    /// A thread by its serial and the name it has, if any.
    static func thread(_ serial: Int, name: String?) -> String {
        FrameText.printable("\(serial)" + (name.map { " " + $0 } ?? ""))
    }
}
