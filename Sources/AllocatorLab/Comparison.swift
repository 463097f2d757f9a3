// The result of a comparison: one row an allocator, and what went wrong. No I/O; rendered by Comparison+Table.swift and
// Comparison+JSON.swift.

/// One program's figures on several allocators.
public struct Comparison: Equatable, Sendable {
    /// The figures on one allocator.
    public struct Row: Equatable, Sendable {
        /// The allocator's name.
        public let allocator: String
        /// Wall-clock seconds; nil, as all the figures, when no run counted.
        public let wallSeconds: Spread?
        /// Seconds of processor time.
        public let cpuSeconds: Spread?
        /// Peak resident set in bytes.
        public let peakResidentBytes: Spread?
        /// Minor page faults.
        public let minorFaults: Spread?

        /// Summarises the runs that count.
        public init(allocator: String, runs: [RunMeasurement]) {
            self.allocator = allocator
            wallSeconds = Spread(runs.map { Double($0.wallNanoseconds) / 1e9 })
            cpuSeconds = Spread(runs.map { Double($0.cpuNanoseconds) / 1e9 })
            peakResidentBytes = Spread(runs.map { Double($0.peakResidentBytes) })
            minorFaults = Spread(runs.map { Double($0.minorFaults) })
        }
    }

    /// Something a reader has to know about a comparison.
    public struct Remark: Equatable, Sendable, CustomStringConvertible {
        /// What it is, in one line.
        public let description: String
        /// Whether it makes the comparison a failed one.
        public let isFailure: Bool
    }

    /// Timed runs of each allocator.
    public let runs: Int
    /// One row an allocator, in the order asked for.
    public let rows: [Row]
    /// What a reader has to know besides, in the order of the rows.
    public let remarks: [Remark]

    /// Puts a result together.
    public init(runs: Int, rows: [Row], remarks: [Remark] = []) {
        self.runs = runs
        self.rows = rows
        self.remarks = remarks
    }

    /// Whether the program failed, or did otherwise, under some allocator.
    public var hasFailures: Bool { remarks.contains(where: \.isFailure) }

    /// The median of a figure as a multiple of the first row's; nil where either is missing or the first is zero.
    public func ratioToFirst(_ row: Row, _ figure: KeyPath<Row, Spread?>) -> Double? {
        guard let base = rows.first?[keyPath: figure]?.median, base > 0, let own = row[keyPath: figure]?.median else {
            return nil
        }
        return own / base
    }
}
