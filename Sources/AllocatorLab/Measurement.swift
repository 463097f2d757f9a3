// What is measured of one run, and what several runs come to. Plain values and arithmetic.

/// How a run ended.
public enum RunOutcome: Hashable, Sendable {
    /// With an exit status.
    case exited(Int32)
    /// By a signal.
    case signaled(Int32)
}

/// The figures of one run of a program, the children it waited for included.
public struct RunMeasurement: Equatable, Sendable {
    /// How it ended.
    public var outcome: RunOutcome
    /// Nanoseconds from the start until it was reaped.
    public var wallNanoseconds: UInt64
    /// Nanoseconds of processor time, user and system.
    public var cpuNanoseconds: UInt64
    /// The largest resident set of any one of its processes, in bytes.
    public var peakResidentBytes: UInt64
    /// Page faults that needed no disk.
    public var minorFaults: UInt64

    /// Puts the figures of a run together.
    public init(
        outcome: RunOutcome, wallNanoseconds: UInt64, cpuNanoseconds: UInt64, peakResidentBytes: UInt64,
        minorFaults: UInt64
    ) {
        self.outcome = outcome
        self.wallNanoseconds = wallNanoseconds
        self.cpuNanoseconds = cpuNanoseconds
        self.peakResidentBytes = peakResidentBytes
        self.minorFaults = minorFaults
    }
}

/// Median, least and greatest of a figure over several runs, in the figure's own unit.
public struct Spread: Equatable, Sendable {
    /// The middle value, or the mean of the two middle ones.
    public let median: Double
    /// The least value.
    public let min: Double
    /// The greatest value.
    public let max: Double

    /// Summarises `values`; nil where there are none.
    ///
    /// - Complexity: O(n log n).
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}
