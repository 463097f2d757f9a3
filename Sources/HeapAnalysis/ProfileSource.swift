// The seam between the analysis and what it reads: a trace in production, a hand-built list of events in tests.
internal import Symbolication
internal import TraceReader

/// A module as it was loaded when a stack was first used.
struct LoadedModule: Hashable {
    var description: ModuleDescription
    /// What was added to the file's own addresses.
    var bias: UInt64
}

/// Something that can be analysed.
protocol ProfileSource {
    var facts: TraceFacts { get }
    var threadNames: [ThreadName] { get }
    var counters: [CounterTotal] { get }
    /// What a sampled recording counted of all events, of all threads; nil where it did not.
    var exactTotals: ExactTotals? { get }

    /// Feeds every event, in time order, to the ledger.
    func replay<Observer>(into ledger: inout HeapLedger<Observer>)
    /// The usable size of a block, nil when it is not known.
    func usableSize(size: UInt64, alignmentCode: UInt8) -> UInt64?
    /// Whether Swift's runtime was in the program, whose containers' frames do not always tell a copy from growth.
    var hasSwiftRuntime: Bool { get }
    /// The stack of an id; nil for 0 and ids that were never defined.
    func stack(_ id: UInt32) -> SourceStack?
    /// The row of the module that held an address at a time, nil where none is known.
    func moduleRow(for address: UInt64, at time: UInt64) -> Int?
    /// Whether the address alone tells that row.
    var modulesAreFixed: Bool { get }
    /// The module in a row.
    func module(row: Int) -> LoadedModule
    /// What the recorder copied of a type of the Swift runtime; nil for an id of which it copied nothing.
    func runtimeType(_ id: UInt64) -> MetadataRecord?
    /// The name that the trace itself gives a type; nil where it gives none.
    func typeName(_ id: UInt64) -> String?
}

extension ProfileSource {
    var modulesAreFixed: Bool { false }
}

/// A stack as the trace holds it.
struct SourceStack {
    /// Return addresses, innermost first.
    var addresses: [UInt64]
    /// The owner tag that was pushed, if any.
    var tag: TagEvidence?
    /// Ticks of its first use.
    var firstUse: UInt64
    var isTruncated: Bool
}

/// What the trace says of a thread.
struct ThreadName {
    var serial: Int
    var threadID: Int?
    var name: String?
    /// What a sampled recording counted of its events.
    var exactTotals: ExactTotals?
}
