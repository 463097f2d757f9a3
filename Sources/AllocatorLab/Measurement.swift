// What is measured of one run, and what several runs come to. Plain values and arithmetic.

/// How a run ended.
public enum RunOutcome: Hashable, Sendable {
    /// With an exit status.
    case exited(Int32)
    /// By a signal.
    case signaled(Int32)
    /// It came to nothing for another reason, told as a clause: `the server ended before it was ready`.
    case broken(String)

    /// Whether it ended by itself, with an exit status.
    public var isExit: Bool { if case .exited = self { true } else { false } }
}

/// The figures of one run of a program, the children it waited for included.
public struct RunMeasurement: Equatable, Sendable {
    /// How it ended.
    public var outcome: RunOutcome
    /// Nanoseconds from the start until it was reaped; of a server, those of the command that drove it.
    public var wallNanoseconds: UInt64
    /// Nanoseconds of processor time in user mode.
    public var userNanoseconds: UInt64
    /// Nanoseconds of processor time in the kernel.
    public var systemNanoseconds: UInt64
    /// The largest resident set of any one of its processes, in bytes, as the kernel kept it.
    public var peakResidentBytes: UInt64
    /// Page faults that needed no disk.
    public var minorFaults: UInt64
    /// Page faults that waited for a disk.
    public var majorFaults: UInt64
    /// Context switches because it waited.
    public var voluntarySwitches: UInt64
    /// Context switches because its time was up or another came first.
    public var involuntarySwitches: UInt64
    /// The resident set of all its processes together, read from outside.
    public var resident: TimeSeries
    /// What a server still held when the command that drove it had ended, in bytes; nil for other programs.
    public var residentAfterDrive: UInt64?
    /// Nanoseconds of processor time that reading the resident set took.
    public var readingNanoseconds: UInt64

    /// Puts the figures of a run together.
    public init(
        outcome: RunOutcome, wallNanoseconds: UInt64, userNanoseconds: UInt64, systemNanoseconds: UInt64 = 0,
        peakResidentBytes: UInt64, minorFaults: UInt64, majorFaults: UInt64 = 0, voluntarySwitches: UInt64 = 0,
        involuntarySwitches: UInt64 = 0, resident: TimeSeries = TimeSeries(), residentAfterDrive: UInt64? = nil,
        readingNanoseconds: UInt64 = 0
    ) {
        self.outcome = outcome
        self.wallNanoseconds = wallNanoseconds
        self.userNanoseconds = userNanoseconds
        self.systemNanoseconds = systemNanoseconds
        self.peakResidentBytes = peakResidentBytes
        self.minorFaults = minorFaults
        self.majorFaults = majorFaults
        self.voluntarySwitches = voluntarySwitches
        self.involuntarySwitches = involuntarySwitches
        self.resident = resident
        self.residentAfterDrive = residentAfterDrive
        self.readingNanoseconds = readingNanoseconds
    }

    /// Nanoseconds of processor time, user and system.
    public var cpuNanoseconds: UInt64 { userNanoseconds + systemNanoseconds }

    /// The mean resident set over the run, in bytes; nil where it was read fewer than `fewestReadings` times.
    public var meanResidentBytes: Double? {
        resident.readings >= Self.fewestReadings ? resident.mean : nil
    }

    /// Fewer readings than this say nothing about a run.
    static let fewestReadings = 5
}

/// Median, spread and range of a figure over several runs, in the figure's own unit.
public struct Spread: Equatable, Sendable {
    /// The middle value, or the mean of the two middle ones.
    public let median: Double
    /// The least value.
    public let min: Double
    /// The greatest value.
    public let max: Double
    /// How far the values lie from the median: 1.4826 times the median of the absolute deviations from it, which for
    /// normally distributed values is their standard deviation and which single outliers leave alone (Rousseeuw and
    /// Croux, "Alternatives to the Median Absolute Deviation", 1993).
    public let deviation: Double

    /// Summarises `values`; nil where there are none.
    ///
    /// - Complexity: O(n log n).
    public init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        let middle = Self.middle(of: sorted)
        median = middle
        min = sorted[0]
        max = sorted[sorted.count - 1]
        deviation = 1.4826 * Self.middle(of: sorted.map { abs($0 - middle) }.sorted())
    }

    private static func middle(of sorted: [Double]) -> Double {
        let index = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[index] : (sorted[index - 1] + sorted[index]) / 2
    }
}
