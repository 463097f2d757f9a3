// The trackers of a pass: those views that sums per cell cannot answer, for they need the order of events. Each is one optional member here,
// made when the options ask for it, and lives in a file of its own; what it found goes into `TrackedViews` when the pass has ended.
//
// To add one: a flag in `AnalysisOptions`, an optional member and its line in `init`, `allocated`, `freed`, `freedUnknown` and `finish`, and an
// optional member of `TrackedViews`.

struct PassTrackers: LedgerObserver {
    static var isActive: Bool { true }

    private var flows: ThreadFlowTable?
    private var chains: ChainTracker?

    /// The trackers that the options ask for; nil when there are none, and the pass is then specialised for nobody watching.
    /// - Parameter chains: follows growth and copies, where they are asked for or causes depend on them.
    init?(options: AnalysisOptions, units: SumUnits, chains: ChainTracker? = nil) {
        if options.tracksFlows { flows = ThreadFlowTable(units: units) }
        if flows == nil, chains == nil { return nil }
        self.chains = chains
    }

    mutating func allocated(_ allocation: ObservedAllocation) {
        chains?.allocated(allocation)
    }

    mutating func freed(_ free: ObservedFree) {
        flows?.freed(free)
        chains?.freed(free)
    }

    mutating func recounted(_ free: ObservedFree, in cell: UInt32) {
        flows?.recounted(free, in: cell)
    }

    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {}

    /// The pass has come to its end; more may be settled.
    mutating func finish() {
        chains?.finish()
    }

    var hasSettled: Bool {
        @inline(__always) get { chains?.hasSettled ?? false }
    }

    var settled: [SettledBlock] {
        get { chains?.settled ?? [] }
        _modify {
            var none: [SettledBlock] = []
            if chains != nil { yield &chains!.settled } else { yield &none }
        }
    }

    /// What they found, once the pass has ended.
    /// - Parameter stackNumbers: the index into ``HeapProfile/stacks`` of each stack's id and type.
    consuming func views(stackNumbers: [TypedStack: Int]) -> TrackedViews {
        var views = TrackedViews()
        views.flows = flows?.finish()
        views.chains = chains.map { ChainFindings($0, stacks: stackNumbers) }
        return views
    }
}

/// What the trackers of a pass found; a member is nil when it was not asked for.
public struct TrackedViews: Sendable {
    var flows: CountedFlows?
    /// How containers grew and what was copied; nil also in sampled traces, where blocks cannot be followed.
    public internal(set) var chains: ChainFindings?

    /// Nothing was tracked.
    public init() {}
}
