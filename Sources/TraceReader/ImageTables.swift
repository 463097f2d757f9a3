// Everything a trace defines for one executed image. A process that executes another program starts a new image, whose ids begin anew;
// most traces have one.

/// A program that the traced process executed.
public struct ImageInfo: Sendable, Equatable {
    /// Its number, from 1; 0 for what came before any.
    public let number: Int
    /// Path of the executable.
    public internal(set) var executable = ""
    /// Working directory when it started.
    public internal(set) var workingDirectory = ""
    /// Its arguments, `argv[0]` first.
    public internal(set) var arguments: [String] = []
}

/// The definitions of one image, complete as soon as the trace is open.
public struct ImageTables: Sendable {
    /// Which image.
    public internal(set) var info: ImageInfo
    /// Its call stacks.
    public internal(set) var stacks = StackTable()
    /// Its modules.
    public internal(set) var modules = ModuleTable()
    /// Owner tags by id.
    public internal(set) var tags: [TagID: OwnerTagInfo] = [:]
    /// Names of types by the address of their metadata (``HeapEvent/typeID``).
    public internal(set) var typeNames: [UInt64: String] = [:]
    /// What the Swift runtime's metadata says of types, by its address (``HeapEvent/typeID``).
    public internal(set) var metadata: [UInt64: MetadataRecord] = [:]
    /// Names of language-level tasks by the id in ``StackInfo/task``.
    public internal(set) var taskNames: [UInt32: String] = [:]
    /// Usable sizes.
    public internal(set) var usableSizes = UsableSizeTable()
    /// Exact totals of threads that had no stream in a sampled trace; `nil` when there were none.
    public internal(set) var unplacedTotals: AllocationTotals?
    /// Allocations recorded in this image.
    public internal(set) var allocations: UInt64 = 0
    /// Frees recorded in this image.
    public internal(set) var frees: UInt64 = 0
    /// First tick of any event, `nil` without events.
    public internal(set) var firstTime: UInt64?
    /// Last tick of any event, `nil` without events.
    public internal(set) var lastTime: UInt64?

    /// Whether frees say of what type their blocks were (``HeapEvent/typeID``).
    public internal(set) var hasFreedTypes = false

    var threadsBySerial: [ThreadSerial: ThreadInfo] = [:]
    var countersByID: [CounterID: CounterInfo] = [:]
    var facts = InfoEntries()

    init(number: Int) { info = ImageInfo(number: number) }

    /// Its threads by serial. O(n log n).
    public var threads: [ThreadInfo] { threadsBySerial.values.sorted { $0.serial < $1.serial } }
    /// Its counters by id. O(n log n).
    public var counters: [CounterInfo] { countersByID.values.sorted { $0.id < $1.id } }
    /// The row of a thread. O(1).
    public func thread(_ serial: ThreadSerial) -> ThreadInfo? { threadsBySerial[serial] }
    /// The type of an event's block: what the event itself tells, or else its stack; 0 when neither does. O(1).
    public func typeID(of event: HeapEvent) -> UInt64 {
        event.typeID != 0 ? event.typeID : stacks[event.stack]?.typeID ?? 0
    }
}
