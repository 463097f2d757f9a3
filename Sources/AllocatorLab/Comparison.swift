// The result of a comparison: one row an allocator, and what went wrong. No I/O; rendered by Comparison+Table.swift and
// Comparison+JSON.swift.

/// One program's figures on several allocators.
public struct Comparison: Equatable, Sendable {
    /// The figures on one allocator. All are nil when no run counted.
    public struct Row: Equatable, Sendable {
        /// The allocator's name.
        public let allocator: String
        /// The run of each round, nil where it did not count.
        public let rounds: [RunMeasurement?]
        /// What is wrong with it, nil for nothing.
        public let failure: String?
        /// Wall-clock seconds.
        public let wallSeconds: Spread?
        /// Seconds of processor time, user and system.
        public let cpuSeconds: Spread?
        /// Seconds of processor time in user mode.
        public let userSeconds: Spread?
        /// Seconds of processor time in the kernel.
        public let systemSeconds: Spread?
        /// Peak resident set of the largest process, in bytes.
        public let peakResidentBytes: Spread?
        /// Mean resident set of all processes over the run, in bytes; nil where the runs were too short to read it.
        public let meanResidentBytes: Spread?
        /// Resident set of a server when the command that drove it had ended, in bytes; nil for other programs.
        public let residentAfterDriveBytes: Spread?
        /// Minor page faults.
        public let minorFaults: Spread?
        /// Major page faults.
        public let majorFaults: Spread?
        /// Voluntary context switches.
        public let voluntarySwitches: Spread?
        /// Involuntary context switches.
        public let involuntarySwitches: Spread?

        /// Summarises the runs that count.
        ///
        /// - Parameters:
        ///   - allocator: the row's name.
        ///   - rounds: the run of each round, nil where it does not count.
        ///   - failure: what is wrong with it, in one line.
        public init(allocator: String, rounds: [RunMeasurement?], failure: String? = nil) {
            self.allocator = allocator
            self.rounds = rounds
            self.failure = failure
            let runs = rounds.compactMap { $0 }
            wallSeconds = Spread(runs.map(Figure.wall.value))
            cpuSeconds = Spread(runs.map(Figure.cpu.value))
            userSeconds = Spread(runs.map { Double($0.userNanoseconds) / 1e9 })
            systemSeconds = Spread(runs.map { Double($0.systemNanoseconds) / 1e9 })
            peakResidentBytes = Spread(runs.map(Figure.peakResident.value))
            meanResidentBytes = Spread(runs.compactMap(\.meanResidentBytes))
            residentAfterDriveBytes = Spread(runs.compactMap { $0.residentAfterDrive.map { Double($0) } })
            minorFaults = Spread(runs.map { Double($0.minorFaults) })
            majorFaults = Spread(runs.map { Double($0.majorFaults) })
            voluntarySwitches = Spread(runs.map { Double($0.voluntarySwitches) })
            involuntarySwitches = Spread(runs.map { Double($0.involuntarySwitches) })
        }

        /// Summarises runs that all count.
        public init(allocator: String, runs: [RunMeasurement]) {
            self.init(allocator: allocator, rounds: runs)
        }

        /// The resident set over time of a typical run: the one whose wall time is the median, or the lower of the two
        /// middle ones; nil where it was read too rarely.
        public var typicalResident: TimeSeries? {
            let runs = rounds.compactMap { $0 }.sorted { $0.wallNanoseconds < $1.wallNanoseconds }
            guard !runs.isEmpty else { return nil }
            let series = runs[(runs.count - 1) / 2].resident
            return series.readings >= RunMeasurement.fewestReadings ? series : nil
        }
    }

    /// A figure on which a verdict is passed.
    public enum Figure: CaseIterable, Sendable {
        /// Wall-clock seconds.
        case wall
        /// Seconds of processor time.
        case cpu
        /// Peak resident set in bytes.
        case peakResident

        /// The figure of one run.
        public func value(of run: RunMeasurement) -> Double {
            switch self {
            case .wall: Double(run.wallNanoseconds) / 1e9
            case .cpu: Double(run.cpuNanoseconds) / 1e9
            case .peakResident: Double(run.peakResidentBytes)
            }
        }
    }

    /// Something a reader has to know about a comparison.
    public struct Remark: Equatable, Sendable, CustomStringConvertible {
        /// What it is, in one line.
        public let description: String
        /// Whether it makes the comparison a failed one.
        public let isFailure: Bool

        var failureText: String? { isFailure ? description : nil }
    }

    /// Timed runs of each allocator.
    public let runs: Int
    /// Runs of each allocator before those.
    public let warmUps: Int
    /// One row an allocator, in the order asked for.
    public let rows: [Row]
    /// What a reader has to know besides, in the order of the rows.
    public let remarks: [Remark]

    /// Puts a result together.
    public init(runs: Int, warmUps: Int = 1, rows: [Row], remarks: [Remark] = []) {
        self.runs = runs
        self.warmUps = warmUps
        self.rows = rows
        self.remarks = remarks
    }

    /// The same with a row, last, for an allocator that could not be had.
    public func adding(missing allocator: String, because reason: String) -> Comparison {
        Comparison(
            runs: runs, warmUps: warmUps, rows: rows + [Row(allocator: allocator, rounds: [], failure: reason)],
            remarks: remarks)
    }

    /// The same with something, first, that a reader has to know and that is no failure.
    public func adding(note description: String) -> Comparison {
        let note = Remark(description: description, isFailure: false)
        return Comparison(runs: runs, warmUps: warmUps, rows: rows, remarks: [note] + remarks)
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

    /// The ratio of a figure to the first row's over the rounds in which both counted; nil where there are none, and for
    /// the first row itself.
    public func pairedRatio(ofRow index: Int, _ figure: Figure) -> PairedRatio? {
        guard index > 0, rows.indices.contains(index), let first = rows.first else { return nil }
        let pairs = zip(rows[index].rounds, first.rounds).compactMap { own, base in
            own.flatMap { own in base.map { (own: figure.value(of: own), base: figure.value(of: $0)) } }
        }
        return PairedRatio(pairs)
    }

    /// What the runs say of a figure beside the first row's; nil where there is no paired ratio.
    public func verdict(ofRow index: Int, _ figure: Figure) -> Verdict? {
        pairedRatio(ofRow: index, figure).map(Verdict.init)
    }

    /// The share of one processor that reading the resident set took while the programs ran; nil without runs.
    public var readingShare: Double? {
        let runs = rows.flatMap(\.rounds).compactMap { $0 }
        let wall = runs.reduce(0) { $0 + Double($1.wallNanoseconds) }
        return wall > 0 ? runs.reduce(0) { $0 + Double($1.readingNanoseconds) } / wall : nil
    }

    /// Rows by their median wall time, the fastest first, those without figures last; ties as asked for.
    var ranking: [Int] {
        rows.indices.sorted { one, other in
            let (left, right) = (rows[one].wallSeconds?.median, rows[other].wallSeconds?.median)
            let (first, second) = (left ?? .infinity, right ?? .infinity)
            return first == second ? one < other : first < second
        }
    }
}
