// The trackers of a pass: those views that sums per cell cannot answer, for they need the order of events. Each is one optional member here,
// made when the options ask for it, and lives in a file of its own; what it found goes into `TrackedViews` when the pass has ended.
//
// To add one: a flag in `AnalysisOptions`, an optional member and its line in `init`, `allocated`, `freed`, `freedUnknown` and `finish`, and an
// optional member of `TrackedViews`.

struct PassTrackers: LedgerObserver {
    static var isActive: Bool { true }

    private var chains: ChainTracker?

    /// The trackers that the options ask for; nil when there are none, and the pass is then specialised for nobody watching.
    /// - Parameter chains: follows growth and copies, where they are asked for or causes depend on them.
    init?(options: AnalysisOptions, chains: ChainTracker? = nil) {
        if chains == nil { return nil }
        self.chains = chains
    }

    mutating func allocated(_ allocation: ObservedAllocation) {
        chains?.allocated(allocation)
    }

    mutating func freed(_ free: ObservedFree) {
        chains?.freed(free)
    }

    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {}

    /// The pass has come to its end; more may be settled.
    mutating func finish() {
        chains?.finish()
    }

    var settled: [SettledBlock] {
        get { chains?.settled ?? [] }
        _modify {
            var none: [SettledBlock] = []
            if chains != nil { yield &chains!.settled } else { yield &none }
        }
    }

    /// What they found, once the pass has ended.
    /// - Parameter stacks: the index into ``HeapProfile/stacks`` of each stack's id.
    consuming func views(stacks: StackNumbers) -> TrackedViews {
        var views = TrackedViews()
        views.chains = chains.map { ChainFindings($0, stacks: stacks) }
        return views
    }
}

/// The indexes into ``HeapProfile/stacks`` by the stacks' ids.
struct StackNumbers {
    private struct Key: Hashable {
        var stack: UInt32
        var order: OrderCause
    }

    private var numbers: [Key: Int] = [:]

    /// The index of a stack, or of those of its blocks of which the order of events told more; nil where no cell is of it.
    subscript(stack: UInt32, order: OrderCause = .none) -> Int? {
        get { numbers[Key(stack: stack, order: order)] }
        set { numbers[Key(stack: stack, order: order)] = newValue }
    }
}

/// What the trackers of a pass found; a member is nil when it was not asked for.
public struct TrackedViews: Sendable {
    /// How containers grew and what was copied; nil also in sampled traces, where blocks cannot be followed.
    public internal(set) var chains: ChainFindings?

    /// Nothing was tracked.
    public init() {}
}
