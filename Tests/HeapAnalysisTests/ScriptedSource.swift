// A source of events written by hand, and a symbolicator that answers from a list: what the engine's tests feed it with.
@testable import HeapAnalysis
import Symbolication
import TraceReader

/// One event of a script.
enum ScriptedEvent {
    case allocate(
        UInt64, size: UInt64, stack: UInt32 = 1, thread: UInt32 = 1, at: UInt64, weight: Float = 1, type: UInt64 = 0)
    case free(UInt64, thread: UInt32 = 1, at: UInt64)
    /// A free of a block that says its type.
    case freeTyped(UInt64, type: UInt64, at: UInt64)
    /// A free that a sampled trace says came next.
    case freeNext(UInt64, at: UInt64)
    /// A `realloc` pair.
    case move(UInt64, to: UInt64, size: UInt64, stack: UInt32 = 1, thread: UInt32 = 1, freed: UInt64, at: UInt64)

    func feed<Observer>(_ ledger: inout HeapLedger<Observer>) {
        switch self {
        case .allocate(let address, let size, let stack, let thread, let time, let weight, let type):
            ledger.allocate(
                address: address, size: size, stack: stack, thread: thread, time: time, type: type, weight: weight)
        case .free(let address, let thread, let time):
            ledger.free(address: address, thread: thread, time: time)
        case .freeTyped(let address, let type, let time):
            ledger.noteType(ofFreed: address, type)
            ledger.free(address: address, thread: 1, time: time)
        case .freeNext(let address, let time):
            ledger.free(address: address, thread: 1, time: time, isFreedNext: true)
        case .move(let old, let new, let size, let stack, let thread, let freed, let time):
            ledger.free(address: old, thread: thread, time: freed, isReallocation: true)
            ledger.allocate(
                address: new, size: size, stack: stack, thread: thread, time: time, isReallocation: true)
        }
    }
}

struct ScriptedSource: ProfileSource {
    var facts = TraceFacts()
    var threadNames: [ThreadName] = []
    var counters: [CounterTotal] = []
    var exactTotals: ExactTotals?
    var events: [ScriptedEvent] = []
    /// Return addresses by stack id, innermost first; each stack may carry a tag.
    var stacks: [UInt32: SourceStack] = [:]
    var modules: [(range: Range<UInt64>, module: LoadedModule)] = []
    var usable: [UInt64: UInt64] = [:]
    var runtimeTypes: [UInt64: MetadataRecord] = [:]
    var typeNames: [UInt64: String] = [:]

    func replay<Observer>(into ledger: inout HeapLedger<Observer>) {
        for event in events { event.feed(&ledger) }
    }
    func usableSize(size: UInt64, alignmentCode: UInt8) -> UInt64? { usable[size] }
    var hasSwiftRuntime = false
    func stack(_ id: UInt32) -> SourceStack? { stacks[id] }
    func moduleRow(for address: UInt64, at time: UInt64) -> Int? {
        modules.firstIndex { $0.range.contains(address) }
    }
    func module(row: Int) -> LoadedModule { modules[row].module }
    func runtimeType(_ id: UInt64) -> MetadataRecord? { runtimeTypes[id] }
    func typeName(_ id: UInt64) -> String? { typeNames[id] }

    /// Gives stack `id` an owner by a tag, and these frames.
    mutating func own(_ id: UInt32, family: String, type: String, cause: String, addresses: [UInt64] = []) {
        stacks[id] = SourceStack(
            addresses: addresses,
            tag: TagEvidence(family: family, type: type, cause: cause, language: "swift"), firstUse: 0,
            isTruncated: false)
    }

    func profile(
        fields: RowFields = [.family, .type, .language], symbolicator: any FrameSymbolicator = ListedSymbols(),
        tracksChains: Bool = false, tracksFlows: Bool = false
    ) -> HeapProfile {
        var options = AnalysisOptions(fields: fields)
        options.tracksChains = tracksChains
        options.tracksFlows = tracksFlows
        return ProfileBuilder(source: self, options: options, symbolicator: symbolicator)
            .build(attributor: Attributor(executablePath: nil))
    }
}

/// Answers from a list, and counts how often each address was asked for.
final class ListedSymbols: FrameSymbolicator {
    var frames: [UInt64: [SymbolicatedFrame]]
    private(set) var asked: [UInt64: Int] = [:]

    init(_ frames: [UInt64: [SymbolicatedFrame]] = [:]) { self.frames = frames }

    func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
        asked[offset, default: 0] += 1
        return frames[offset] ?? [SymbolicatedFrame(function: "f\(offset)", modulePath: module.path)]
    }
}

/// Runs a script through a ledger and hands it over.
func withLedger(
    _ events: [ScriptedEvent], options: LedgerOptions = LedgerOptions(),
    usable: @escaping UsableSizes.Lookup = { _, _ in nil }, _ check: (borrowing HeapLedger<NoObserver>) throws -> Void
) rethrows {
    var ledger = HeapLedger(options: options, observer: NoObserver(), usable: usable)
    for event in events { event.feed(&ledger) }
    ledger.finish()
    try check(ledger)
}

extension HeapLedger {
    /// The sums of the cell of a stack (and size or thread); zeros when there is none.
    func figures(stack: UInt32, thread: UInt32 = 0, size: UInt64 = 0) -> HeapFigures {
        for number in 0..<cells.count {
            let cell = cells.cells[number]
            if cell.key == CellKey(stack: stack, thread: thread, size: size, type: 0) {
                return cell.figures(peak: peakNumber)
            }
        }
        return HeapFigures()
    }
}

/// A reproducible source of numbers.
struct NumberSequence {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(_ bound: UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state >> 33) % bound
    }
}
