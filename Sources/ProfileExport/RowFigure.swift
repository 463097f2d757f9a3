// The figures a table of rows can show, and which of them each view does: the one that the view orders by stays however narrow the terminal is.
internal import HeapAnalysis

/// A column of figures.
enum RowFigure {
    case allocations, bytes, error, share, peak, live, temporary, slack
    /// The peak, in the view about it, and the blocks that it was.
    case atPeak, peakBlocks
    /// Blocks live at the end.
    case liveBlocks
    /// The row's temporaries as a share of its allocations, in bytes, and a second.
    case ofOwn, temporaryBytes, temporaryRate
    /// Blocks freed, and those freed by another thread.
    case freed, elsewhere, elsewhereShare, elsewhereBytes
    /// Lifetimes.
    case median, p99, decades

    /// What a view shows, in order.
    static func shown(in view: ReportView) -> [RowFigure] {
        switch view {
        case .leaks: [.live, .share, .liveBlocks, .error, .allocations, .bytes, .temporary]
        case .totals, .live, .size, .strings, .growth, .copies:
            [.allocations, .bytes, .error, .share, .peak, .live, .temporary, .slack]
        case .peak: [.atPeak, .share, .peakBlocks, .error, .allocations, .bytes, .live]
        case .temporary: [.temporary, .share, .ofOwn, .temporaryBytes, .temporaryRate, .error, .allocations, .bytes]
        case .lifetimes: [.allocations, .error, .share, .median, .p99, .decades, .liveBlocks, .elsewhereShare]
        case .thread: [.allocations, .bytes, .error, .share, .peak, .live, .freed, .elsewhere, .elsewhereBytes]
        }
    }

    var title: String {
        switch self {
        case .allocations: "allocs"
        case .bytes: "bytes"
        case .error: "error"
        case .share: "share"
        case .peak: "peak"
        case .atPeak: "at peak"
        case .peakBlocks: "blocks"
        case .live: "live"
        case .liveBlocks: "live"
        case .temporary: "temp"
        case .ofOwn: "of own"
        case .temporaryBytes: "temp bytes"
        case .temporaryRate: "a second"
        case .slack: "slack"
        case .freed: "freed"
        case .elsewhere: "by others"
        case .elsewhereShare: "by others"
        case .elsewhereBytes: "their bytes"
        case .median: "median"
        case .p99: "p99"
        case .decades: BarText.decadesTitle
        }
    }

    /// Columns with the highest number are left out first; 0 stays.
    func dropOrder(_ view: ReportView) -> Int {
        switch (view, self) {
        case (.peak, .atPeak), (.leaks, .live), (.live, .live), (.temporary, .temporary), (.lifetimes, .decades): 0
        case (.peak, .peakBlocks), (.leaks, .liveBlocks), (.temporary, .ofOwn), (.lifetimes, .median),
            (.thread, .elsewhere):
            1
        case (.temporary, .temporaryBytes), (.lifetimes, .p99), (.lifetimes, .liveBlocks), (.thread, .elsewhereBytes): 2
        case (.peak, .allocations), (.peak, .bytes), (.leaks, .allocations), (.leaks, .bytes),
            (.temporary, .allocations), (.temporary, .bytes):
            5
        case (.lifetimes, .share): 6
        case (_, .allocations), (_, .bytes): 0
        case (_, .peak): 1
        case (_, .live), (_, .liveBlocks): 2
        case (_, .share): 3
        case (_, .error), (_, .temporaryRate), (_, .elsewhereShare): 4
        case (_, .temporary), (_, .freed): 5
        case (_, .slack): 6
        default: 1
        }
    }
}

extension TraceSummary {
    /// So many a second of the trace's duration; nil when its times are no times, or it has none.
    func perSecond(_ count: Int) -> Double? {
        guard let duration = durationNanoseconds, duration > 0 else { return nil }
        return Double(count) * 1e9 / Double(duration)
    }

    /// The same as text.
    func rate(of count: Int) -> String? {
        perSecond(count).map { $0 < 10 ? NumberText.fixed($0, 1) : NumberText.count(Int($0.rounded())) }
    }
}
