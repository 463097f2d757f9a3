// The result of a replay: one row an allocator, and what was replayed. No I/O; rendered by Replay+Text.swift and Replay+JSON.swift.

/// A trace's calls on several allocators.
public struct Replay: Sendable {
    /// One moment of a row's curve.
    public struct Moment: Equatable, Sendable {
        /// Events that are over.
        public var events: UInt64
        /// Nanoseconds after the first event in the traced program; nil where the trace's times are no times.
        public var nanoseconds: UInt64?
        /// Bytes asked for by the live blocks.
        public var live: UInt64
        /// Bytes held from the system: resident and anonymous, without those of the replay itself; a simulated allocator's footprint.
        public var held: UInt64
    }

    /// Sums of the blocks of similar sizes.
    public struct SizeClass: Equatable, Sendable {
        /// Sizes of its blocks.
        public var sizes: ClosedRange<UInt64>
        /// Allocations.
        public var allocations: UInt64
        /// Bytes live at the trace's peak.
        public var peakBytes: UInt64
        /// Bytes given beyond those.
        public var peakSlackBytes: UInt64
        /// Bytes given beyond what was asked for, over all allocations.
        public var slackBytes: UInt64
    }

    /// How long calls of one kind took, the clock's own time taken off.
    public struct Latency: Equatable, Sendable {
        /// Nanoseconds that half of the calls stayed below; the medians of all runs.
        public var median: Double
        /// Nanoseconds that 99 % of them did.
        public var p99: Double
        /// The longest.
        public var max: Double
    }

    /// The figures on one allocator; nil where they were not measured.
    public struct Row: Sendable {
        /// What it was asked for by.
        public var allocator: String
        /// Whether it exists as a model alone.
        public var isSimulated = false
        /// Nanoseconds of processor time an event, the replay's own taken off; 0 where they are no more than that.
        public var nanosecondsPerEvent: Spread?
        /// Whether the runs took no longer, in the middle, than on no allocator at all.
        public var isBelowOwnCost = false
        /// Events a second of time, all threads together, the replay's own cost included.
        public var eventsPerSecond: Spread?
        /// Of allocations, frees and reallocations.
        public var latencies: [Latency?] = []
        /// What that clock takes itself, which is taken off.
        public var clockNanoseconds: Double?
        /// The least difference of the latencies' clock.
        public var clockStepNanoseconds: Double?
        /// The most bytes held.
        public var peakHeldBytes: UInt64?
        /// Bytes given beyond what was asked for, at the trace's peak of live bytes.
        public var peakSlackBytes: UInt64?
        /// Bytes held at the trace's peak of live bytes.
        public var heldBytesAtPeak: UInt64?
        /// Bytes held after the last event.
        public var endHeldBytes: UInt64?
        /// Bytes held once every block that was left has been freed, too.
        public var freedHeldBytes: UInt64?
        /// Page faults, without those of the replay itself.
        public var minorFaults: UInt64?
        /// The curve.
        public var curve: [Moment] = []
        /// By owner, the largest slack first.
        public internal(set) var owners: [OwnerSums] = []
        /// By size, ascending; only sizes that there were.
        public var sizeClasses: [SizeClass] = []
        /// Why the row is not whole, as a clause that goes on from the allocator's name.
        public var failure: String?

        /// A row without figures.
        public init(allocator: String) { self.allocator = allocator }
    }

    /// What was replayed.
    public var plan: ReplayPlan
    /// Timed runs of each allocator.
    public var runs: Int
    /// What was written to new blocks.
    public var touch: ReplayTouch
    /// Nanoseconds an event that the replay itself takes: on an allocator that does nothing.
    public var ownNanosecondsPerEvent: Spread?
    /// One row an allocator, in the order asked for.
    public var rows: [Row]

    /// Whether the replay failed on some allocator.
    public var hasFailures: Bool { rows.contains { $0.failure != nil } }

    /// Internal fragmentation: the share of the usable bytes at the trace's peak of live bytes that nobody asked for.
    public func internalFragmentation(_ row: Row) -> Double? {
        guard let slack = row.peakSlackBytes, plan.peakBytes + slack > 0 else { return nil }
        return Double(slack) / Double(plan.peakBytes + slack)
    }

    /// External fragmentation: the share of the most bytes held that blocks could not use even when the live bytes were highest; what was not
    /// touched is not held.
    public func externalFragmentation(_ row: Row) -> Double? {
        guard let held = row.peakHeldBytes, let slack = row.peakSlackBytes, held > 0, touch != .none || row.isSimulated
        else { return nil }
        return max(0, Double(held) - Double(plan.peakBytes + slack)) / Double(held)
    }
}
