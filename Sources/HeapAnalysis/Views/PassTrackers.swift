// The trackers of a pass: those views that sums per cell cannot answer, for they need the order of events. Each is one optional member here,
// made when the options ask for it, and lives in a file of its own; what it found goes into `TrackedViews` when the pass has ended.
//
// To add one: a flag in `AnalysisOptions`, an optional member and its line in `init`, `allocated`, `freed`, `freedUnknown` and `finish`, and an
// optional member of `TrackedViews`.

struct PassTrackers: LedgerObserver {
    static var isActive: Bool { true }

    private var flows: ThreadFlowTable?

    /// The trackers that the options ask for; nil when there are none, and the pass is then specialised for nobody watching.
    init?(options: AnalysisOptions, units: SumUnits) {
        if options.tracksFlows { flows = ThreadFlowTable(units: units) }
        if flows == nil { return nil }
    }

    mutating func allocated(_ allocation: ObservedAllocation) {}

    mutating func freed(_ free: ObservedFree) {
        flows?.freed(free)
    }

    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {}

    /// What they found, once the pass has ended.
    /// - Parameter stackNumbers: the index into ``HeapProfile/stacks`` of each stack's id and type.
    consuming func finish(stackNumbers: [TypedStack: Int]) -> TrackedViews {
        var views = TrackedViews()
        views.flows = flows?.finish()
        return views
    }
}

/// What the trackers of a pass found; a member is nil when it was not asked for.
public struct TrackedViews: Sendable {
    var flows: CountedFlows?

    /// Nothing was tracked.
    public init() {}
}
