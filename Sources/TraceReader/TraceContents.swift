// What one scan of a file found: the facts, the definitions, and where the events lie. Filled by the binary or the text scanner, then
// owned, unchanging, by the trace.

/// How a traced process ended.
public struct TraceEnd: Sendable, Equatable {
    /// The way of the end.
    public enum How: UInt32, Sendable {
        /// Not known.
        case unknown = 0
        /// It exited; the status is its exit status.
        case exited = 1
        /// A signal killed it; the status is the signal.
        case signalled = 2
        /// The recorder turned itself off.
        case turnedOff = 3
        /// The recorder was detached and the program went on.
        case detached = 4
    }

    /// The way of the end.
    public let how: How
    /// Exit status or signal, by ``how``.
    public let status: Int
    /// Ticks of the end.
    public let ticks: UInt64
}

/// What the recorder could not keep.
public struct TraceLosses: Sendable, Equatable {
    /// Why the recorder lost events.
    public enum Reason: UInt32, Sendable {
        /// Nothing was lost, or the recorder did not say why.
        case none = 0
        /// A ring was full and the recorder was told to drop.
        case ringFull = 1
        /// No ring could be had for a thread.
        case noRing = 2
        /// Nested too deep in signal handlers.
        case nested = 3
        /// The collector died or was silent.
        case collectorGone = 4
        /// The trace could not be written.
        case writeFailed = 5
    }

    /// Allocations that are not in the trace.
    public internal(set) var allocations: UInt64 = 0
    /// Frees that are not in the trace.
    public internal(set) var frees: UInt64 = 0
    /// Bytes of the lost allocations.
    public internal(set) var bytes: UInt64 = 0
    /// Why.
    public internal(set) var reason = Reason.none

    /// All events that are not in the trace.
    public var events: UInt64 { allocations &+ frees }
}

/// The sum of a scan.
struct TraceContents: Sendable {
    /// One reading of the trace's clocks.
    struct ClockReading: Sendable {
        var ticks: UInt64
        var monotonic: UInt64
        var realtime: UInt64
    }

    var header = TraceHeader()
    var images: [ImageTables] = []
    var facts = InfoEntries()
    var chunks: [ChunkRow] = []
    var streams: [StreamRow] = []
    var checkpoints: [CheckpointParts] = []
    var firstClock: ClockReading?
    var lastClock: ClockReading?
    var losses = TraceLosses()
    var end: TraceEnd?
    var cutOffset: UInt64?
    var corruption: TraceError?
    var allocations: UInt64 = 0
    var frees: UInt64 = 0
    var foreignLines: UInt64 = 0

    /// The length of a tick by the first and the last reading, else by the start and one reading; `nil` when the trace does not tell.
    var nanosecondsPerTick: Double? {
        if header.clock == 2 { return 1 }
        guard let first = firstClock, let last = lastClock else { return nil }
        if last.ticks > first.ticks, last.monotonic > first.monotonic {
            return Double(last.monotonic - first.monotonic) / Double(last.ticks - first.ticks)
        }
        if last.ticks > header.startTicks, last.realtime > header.startNanoseconds, header.startNanoseconds > 0 {
            return Double(last.realtime - header.startNanoseconds) / Double(last.ticks - header.startTicks)
        }
        return nil
    }
}
