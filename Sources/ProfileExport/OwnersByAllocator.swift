// The same program recorded on several allocators, side by side: what each owner had at the peak, and what rounding its sizes up cost.
public import HeapAnalysis

/// Owners of one program's heap on several allocators.
public struct OwnersByAllocator: Sendable {
    /// One recording.
    public struct Column: Sendable {
        /// The allocator's name.
        public var allocator: String
        /// The recording on it.
        public var profile: HeapProfile

        /// A recording on `allocator`.
        public init(allocator: String, profile: HeapProfile) {
            self.allocator = allocator
            self.profile = profile
        }
    }

    private let columns: [Column]
    private let request: ReportRequest

    /// Compares `columns`; the first decides which owners are shown and in what order, `request` how many (`top`) and which come first.
    public init(columns: [Column], request: ReportRequest) {
        self.columns = columns
        self.request = request
    }

    /// The table: for each owner its allocations and bytes, then peak and slack on each allocator. An owner that a recording lacks, and a slack that
    /// is not known, are dashes. O(rows log rows) for each recording.
    public func text(style: TextStyle = TextStyle()) -> String {
        guard let first = columns.first else { return "" }
        let figures = columns.map { column in
            Dictionary(
                column.profile.rows(by: GroupingKey.owner.fields).map { ($0.key, $0.figures) },
                uniquingKeysWith: { first, _ in first })
        }
        var table = TextTable(
            [.init(title: "owner", isText: true), .init(title: "allocs"), .init(title: "bytes", dropOrder: 1)]
                + columns.flatMap { column in
                    [.init(title: "peak " + column.allocator), .init(title: "slack " + column.allocator)]
                })
        let rows = request.rows(of: first.profile)
        for row in rows.prefix(request.top ?? rows.count) {
            var cells = [
                FrameText.printable(RowColumns.owner(row.key)), NumberText.count(row.figures.allocations),
                NumberText.bytes(row.figures.bytes),
            ]
            for figures in figures {
                let here = figures[row.key]
                cells.append(here.map { NumberText.bytes($0.peakBytes) } ?? "–")
                cells.append(here?.slackBytes.map { NumberText.bytes($0) } ?? "–")
            }
            table.rows.append(cells)
        }
        return table.lines(style).joined(separator: "\n") + "\n"
    }
}
