// One heap event as the analysis sees it, and the visitor that receives them in time order.
// The struct is trivial (no reference, no allocation): tens of millions pass by value every second.

/// One allocation or one free.
@frozen public struct HeapEvent: Sendable, Equatable {
    /// What happened.
    public enum Kind: UInt8, Sendable {
        /// A block was given back. At equal times frees are delivered before allocations.
        case free = 0
        /// A block was handed out.
        case allocation = 1
    }

    /// Ticks of the trace's clock; see ``Trace/nanosecondsPerTick``. The line number in the text dialect.
    public var time: UInt64
    /// Address of the block.
    public var address: UInt64
    /// Bytes asked for. 0 for a free, save in the text dialect, which may know it.
    public var size: UInt64
    /// How many allocations this event stands for: 1 unless the trace is sampled.
    public var weight: Double
    /// The address of the runtime's metadata that describes the type, 0 when not known; see ``ImageTables/typeNames`` and
    /// ``ImageTables/metadata``. 0 also where the stack tells it (``StackInfo/typeID``). Of a free it is what the block itself said, where the recorder looked.
    public var typeID: UInt64
    /// The thread that called.
    public var thread: ThreadSerial
    /// The call stack; ``StackID/none`` for frees and where none was recorded.
    public var stack: StackID
    /// Allocation or free.
    public var kind: Kind
    /// 0 for what malloc gives, 1 to 15 for 2^(code + 2) bytes, 16 + n for 2^n bytes beyond those; see ``alignmentBytes``.
    public var alignmentCode: UInt8
    /// Whether the event is one half (the free, or the allocation) of a `realloc` that succeeded.
    public var isReallocationHalf: Bool
    /// Whether the event is a free that a sampled trace says was the next event of the thread that allocated the block. Always `false` in
    /// other traces, whose order of events tells.
    public var isFreedNext: Bool

    /// An event of the given fields; those left out are those of a plain free.
    @inlinable public init(
        kind: Kind, time: UInt64, thread: ThreadSerial, address: UInt64, size: UInt64 = 0, stack: StackID = .none,
        alignmentCode: UInt8 = 0, isReallocationHalf: Bool = false, weight: Double = 1, typeID: UInt64 = 0,
        isFreedNext: Bool = false
    ) {
        self.time = time
        self.address = address
        self.size = size
        self.weight = weight
        self.typeID = typeID
        self.thread = thread
        self.stack = stack
        self.kind = kind
        self.alignmentCode = alignmentCode
        self.isReallocationHalf = isReallocationHalf
        self.isFreedNext = isFreedNext
    }

    /// The alignment asked for, in bytes; `nil` for what malloc gives.
    public var alignmentBytes: UInt64? {
        switch alignmentCode {
        case 0: nil
        case 1...15: 1 << (UInt64(alignmentCode) + 2)
        default: alignmentCode - 16 < 64 ? 1 << UInt64(alignmentCode - 16) : nil
        }
    }
}

/// Receives the events of a trace, one after the other, in time order.
///
/// A concrete visitor is specialised into the merge loop; it is the fast way to read a trace.
public protocol EventVisitor {
    /// What `visit` throws to stop the walk; `Never` for a visitor that reads to the end.
    associatedtype Failure: Error = Never
    /// Takes the next event. Throwing ends the walk with that error.
    mutating func visit(_ event: HeapEvent) throws(Failure)
    /// Takes the next events, at least one, which last for the call only. For visitors that look ahead, as one that fetches the memory it will
    /// need does; by default each is visited.
    mutating func visit(batch events: UnsafeBufferPointer<HeapEvent>) throws(Failure)
}

extension EventVisitor {
    /// Visits one event after the other.
    @inlinable
    public mutating func visit(batch events: UnsafeBufferPointer<HeapEvent>) throws(Failure) {
        for event in events { try visit(event) }
    }
}
