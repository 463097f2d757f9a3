// What is live as a plan's events go by: the curve that every replay must come to, and when the program was where.

/// Live bytes over the events of a plan: their peak, and points at even distances.
struct PlanCurve {
    /// Points, about.
    static let wantedPoints: UInt64 = 512

    /// Events between two points.
    let step: UInt64
    /// Events so far.
    private(set) var events: UInt64 = 0
    /// Bytes live now.
    private(set) var live: UInt64 = 0
    /// The most bytes that were live at once.
    private(set) var peakBytes: UInt64 = 0
    /// Events that were over when they were for the first time.
    private(set) var peakEvent: UInt64 = 0
    /// Live bytes at each point.
    private(set) var points: [UInt64] = []
    /// Ticks from the first event to each point.
    private(set) var times: [UInt64] = []

    private var nextPoint: UInt64
    private var firstTime: UInt64?
    /// The latest so far: repaired events may go back.
    private var time: UInt64 = 0

    /// A curve of about ``wantedPoints`` over so many events.
    init(expectedEvents: UInt64) {
        step = max(1, expectedEvents / Self.wantedPoints)
        nextPoint = step
    }

    /// Notes when the next events were, in ticks of the trace's clock.
    @inline(__always)
    mutating func note(time ticks: UInt64) {
        time = max(time, ticks)
        if firstTime == nil { firstTime = ticks }
    }

    /// A block comes. Sums of impossible sizes run over rather than trap; the ledger's do, too.
    @inline(__always)
    mutating func add(_ size: UInt64) { live &+= size }

    /// A block goes.
    @inline(__always)
    mutating func remove(_ size: UInt64) { live &-= size }

    /// So many events are over, and their blocks have come and gone.
    @inline(__always)
    mutating func advance(_ count: UInt64) {
        events += count
        if live > peakBytes {
            peakBytes = live
            peakEvent = events
        }
        if events >= nextPoint { addPoint() }
    }

    /// Ends the curve with a point.
    mutating func finish() { addPoint() }

    private mutating func addPoint() {
        points.append(live)
        times.append(time - (firstTime ?? time))
        nextPoint += step
    }
}
