// The blocks of a trace in the order in which they came and went, handed to whoever wants to do the same again: a replay, a simulated allocator.
// It is the ledger's own pass that tells them, so what is live at every moment is what every report says, order repair included.

public import Symbolication
public import TraceReader

/// A block that comes or goes.
@frozen public struct BlockEvent: Sendable, Equatable {
    /// What happens to it.
    public enum Kind: UInt8, Sendable {
        /// It was allocated.
        case allocation
        /// It was freed.
        case free
    }

    /// What happens to it.
    public var kind: Kind
    /// Whether this is one half of a `realloc` pair of its thread.
    public var isReallocationHalf: Bool
    /// Whether it is a free that the trace shows out of order: the thread is then the nearest known one.
    public var isRepaired: Bool
    /// Whether it is the free of the allocation told just before, whose block was never counted as live: the trace has this free first.
    public var endsUncounted: Bool
    /// The trace's code of the alignment, 0 for malloc's own; of allocations. See ``HeapEvent/alignmentBytes``.
    public var alignmentCode: UInt8
    /// Serial of the thread that calls.
    public var thread: UInt32
    /// Number of its owner, from 0 in the order of first allocations: index into ``BlockSequence/owners``.
    public var owner: UInt32
    /// Its address in the traced program. At most one block is live at an address.
    public var address: UInt64
    /// Bytes asked for.
    public var size: UInt64
    /// Ticks of the trace's clock.
    public var time: UInt64

    /// An event of the given fields.
    public init(
        kind: Kind, address: UInt64, size: UInt64, time: UInt64 = 0, thread: UInt32 = 1, owner: UInt32 = 0,
        alignmentCode: UInt8 = 0,
        isReallocationHalf: Bool = false, isRepaired: Bool = false, endsUncounted: Bool = false
    ) {
        self.kind = kind
        self.address = address
        self.size = size
        self.time = time
        self.thread = thread
        self.owner = owner
        self.alignmentCode = alignmentCode
        self.isReallocationHalf = isReallocationHalf
        self.isRepaired = isRepaired
        self.endsUncounted = endsUncounted
    }
}

/// What is known of a trace once all its blocks have been told.
public struct BlockSequence: Sendable {
    /// The analysis that the same pass made.
    public var profile: HeapProfile
    /// For each owner's number the index into ``HeapProfile/stacks`` of the profile.
    public var owners: [Int]

    /// Tells every block of an image of a trace that is not sampled, in order, and analyses it in the same pass.
    ///
    /// - Parameters:
    ///   - image: the image's number; the last one when nil.
    ///   - rules: what decides who owns an allocation.
    ///   - symbolicator: answers for addresses; asked once for each distinct one.
    ///   - progress: is told now and then which part of the work is how far, as a share from 0 to 1.
    ///   - body: takes the next events, which last for the call only. A free of an address at which nothing is known is none of them.
    /// - Returns: nil when the trace has no such image.
    /// - Complexity: O(events) time, O(live blocks + distinct stacks) memory.
    public init?(
        telling trace: Trace, image: Int? = nil, rules: RuleSet = .builtIn, symbolicator: any FrameSymbolicator,
        progress: @escaping (AnalysisStage, Double) -> Void = { _, _ in },
        _ body: @escaping (UnsafeBufferPointer<BlockEvent>) -> Void
    ) {
        guard var source = TraceSource(trace: trace, image: image) else { return nil }
        source.progress = { progress(.events, $0) }
        self.init(
            source: source, rules: rules, executablePath: source.facts.executablePath, symbolicator: symbolicator,
            progress: progress, body)
    }

    init<Source: ProfileSource>(
        source: Source, rules: RuleSet, executablePath: String?, symbolicator: any FrameSymbolicator,
        progress: @escaping (AnalysisStage, Double) -> Void = { _, _ in },
        _ body: @escaping (UnsafeBufferPointer<BlockEvent>) -> Void
    ) {
        let builder = ProfileBuilder(
            source: source, options: AnalysisOptions(), symbolicator: symbolicator, progress: progress)
        let attributor = Attributor(executablePath: executablePath, rules: rules)
        let resolver = ResolvedStacks(
            StackResolver(source: source, symbolicator: symbolicator, attributor: attributor))
        var numbers: [Int] = []
        profile = builder.build(attributor: attributor, resolver, observer: BlockTeller(body)) { teller, stacks in
            numbers = teller.owners.map { stacks[$0] ?? 0 }
            return TrackedViews()
        }
        owners = numbers
    }
}

/// Watches the pass and hands its blocks on, many at a time.
private struct BlockTeller: LedgerObserver {
    static var isActive: Bool { true }
    private static var batch: Int { 4096 }

    private let body: (UnsafeBufferPointer<BlockEvent>) -> Void
    private var events: [BlockEvent] = []
    /// Who allocates, by the number of the ledger's cell.
    private(set) var owners: [TypedStack] = []

    init(_ body: @escaping (UnsafeBufferPointer<BlockEvent>) -> Void) {
        self.body = body
        events.reserveCapacity(Self.batch)
    }

    @inline(__always)
    mutating func allocated(_ allocation: ObservedAllocation) {
        let block = allocation.block
        while owners.count <= Int(block.cell) {
            owners.append(TypedStack(stack: allocation.stack, type: allocation.type))
        }
        append(
            BlockEvent(
                kind: .allocation, address: block.address, size: block.size, time: block.time,
                thread: allocation.thread,
                owner: block.cell, alignmentCode: allocation.alignment, isReallocationHalf: allocation.isReallocation))
    }

    @inline(__always)
    mutating func freed(_ free: ObservedFree) {
        append(
            BlockEvent(
                kind: .free, address: free.block.address, size: free.block.size, time: free.time, thread: free.thread,
                owner: free.block.cell, isReallocationHalf: free.isReallocation, isRepaired: free.isRepaired,
                endsUncounted: free.wasNeverLive))
    }

    mutating func recounted(_ free: ObservedFree, in cell: UInt32) {}

    mutating func freedUnknown(address: UInt64, time: UInt64, thread: UInt32) {}

    mutating func finish() { flush() }

    @inline(__always)
    private mutating func append(_ event: BlockEvent) {
        events.append(event)
        if events.count == Self.batch { flush() }
    }

    private mutating func flush() {
        if !events.isEmpty { events.withUnsafeBufferPointer(body) }
        events.removeAll(keepingCapacity: true)
    }

    var settled: [SettledBlock] {
        @inline(__always) get { [] }
        @inline(__always) set {}
    }
    var hasSettled: Bool {
        @inline(__always) get { false }
    }
}
