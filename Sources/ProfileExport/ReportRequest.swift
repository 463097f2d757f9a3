// What a report is asked to show: grouping, view, cut, filter. Both forms of the report, text and JSON, are made from the same request.
public import HeapAnalysis

/// A point of view on a trace.
public enum ReportView: String, CaseIterable, Sendable {
    /// Everything allocated, by bytes.
    case totals
    /// What was live when the trace's live bytes were highest.
    case peak
    /// What is live at the end.
    case leaks
    /// What is live: at the end, or at the moment at which the analysis ended.
    case live
    /// What was freed as the next event of its thread.
    case temporary
    /// By size asked for.
    case size
    /// By thread: who allocates, who frees, what crosses.
    case thread
    /// How long blocks lived.
    case lifetimes
    /// How long strings are, and what room inside would change.
    case strings
    /// How containers grew.
    case growth
    /// What was cloned, and what was copied because it was shared.
    case copies

    /// The keys rows are grouped by when none are named.
    public var defaultKeys: [GroupingKey] {
        switch self {
        case .totals, .peak, .leaks, .live, .temporary, .lifetimes, .strings: [.owner]
        case .size: [.size]
        case .thread: [.thread]
        case .growth, .copies: [.site]
        }
    }

    var order: RowOrder {
        switch self {
        case .totals, .size, .thread, .growth, .copies: .bytes
        case .peak: .peak
        case .leaks, .live: .live
        case .temporary: .temporary
        case .lifetimes, .strings: .allocations
        }
    }
}

/// What a report is asked to show.
public struct ReportRequest: Sendable {
    /// The keys rows are grouped by; nil for those of the view.
    public var keys: [GroupingKey]?
    /// The point of view; the rows are this one's.
    public var view = ReportView.totals
    /// Further ones, of which each adds what it adds alone.
    public var moreViews: [ReportView] = []
    /// Rows to show at most; nil for all in JSON and 20 in text.
    public var top: Int?
    /// Which allocations to show.
    public var filter = RowFilter()
    /// Whether every row names its rule and a stack.
    public var explains = false

    /// What the view of leaks leaves out.
    public var suppressions = LeakSuppressions.builtIn

    /// Families whose rows come before all others, in this order.
    public var leadingFamilies: [String] = []

    /// A request for the totals by owner.
    public init() {}

    /// The fields of the rows.
    public var fields: RowFields { RowFields(keys ?? view.defaultKeys) }

    /// All points of view, each once.
    public var views: [ReportView] {
        get { [view] + moreViews }
        set {
            var seen: Set<ReportView> = []
            let distinct = newValue.filter { seen.insert($0).inserted }
            view = distinct.first ?? .totals
            moreViews = Array(distinct.dropFirst())
        }
    }

    /// The same request for one of the views alone.
    func alone(_ view: ReportView) -> ReportRequest {
        var request = self
        request.view = view
        request.moreViews = []
        return request
    }

    /// What the analysis must keep apart for this report.
    public var analysis: AnalysisOptions {
        var options = AnalysisOptions()
        for view in views {
            let fields = alone(view).fields
            if fields.contains(.size) { options.keepsSizes = true }
            if fields.contains(.thread) { options.keepsThreads = true }
            switch view {
            case .size, .temporary: options.keepsSizes = true
            case .thread, .lifetimes:
                options.keepsThreads = true
                options.tracksFlows = true
            case .strings: options.sizedFamily = StringStorage.family
            case .leaks: options.keepsAges = true
            case .growth, .copies: options.tracksChains = true
            case .totals, .peak, .live: break
            }
        }
        return options
    }

    /// The filter of the rows: of the view about strings, strings alone.
    var rowFilter: RowFilter {
        var filter = filter
        if view == .strings { filter.viewFamily = StringStorage.family }
        return filter
    }

    /// The leaks of a profile; nil in other views.
    func leaks(of profile: HeapProfile) -> LeakReport? {
        view == .leaks ? LeakReport(profile, suppressions: suppressions, filter: filter) : nil
    }

    func rows(of profile: HeapProfile, leaks: LeakReport? = nil) -> [ProfileRow] {
        let rows = (leaks?.profile ?? profile).rows(by: fields, order: view.order, filter: rowFilter)
        if leadingFamilies.isEmpty { return rows }
        let leading = leadingFamilies.flatMap { family in rows.filter { $0.key.family == family } }
        return leading + rows.filter { !leadingFamilies.contains($0.key.family ?? "") }
    }
}
