// From a source of events to a profile: one pass through the ledger, then the stacks it saw are resolved, then sums become values.
internal import Symbolication
public import TraceReader

/// What the pass keeps apart.
public struct AnalysisOptions: Sendable {
    /// Keeps sizes apart, for rows grouped by size.
    public var keepsSizes = false
    /// Keeps the sizes of this family's owners apart, whatever `keepsSizes` says of the others.
    public var sizedFamily: String?
    /// Keeps allocating threads apart, for rows grouped by thread.
    public var keepsThreads = false
    /// Keeps how long live blocks have lived, for the leaks.
    public var keepsAges = false
    /// Counts the blocks that one thread allocates and another frees; needs `keepsThreads`.
    public var tracksFlows = false
    /// The analysis ends here, as if the program had; nil for the whole trace.
    public var moment: ResolvedMoment?
    /// With a moment: only what is live then, which a compacted trace tells without a replay of all that came before. Every figure of the past is
    /// then that of the live blocks: their allocations, their bytes.
    public var keepsLiveOnly = false
    /// Follows containers from block to block, and copies to their end.
    public var tracksChains = false

    /// Options for the rows of these fields.
    public init(fields: RowFields = []) {
        keepsSizes = fields.contains(.size)
        keepsThreads = fields.contains(.thread)
    }
}

/// A part of an analysis that may take a while.
public enum AnalysisStage: Sendable {
    /// The pass over the events.
    case events
    /// Frames and owners of the stacks that it saw.
    case stacks
}

struct ProfileBuilder<Source: ProfileSource> {
    let source: Source
    let options: AnalysisOptions
    let symbolicator: any FrameSymbolicator
    /// Is told how far a part of the work is.
    var progress: (AnalysisStage, Double) -> Void = { _, _ in }

    /// Runs the pass and resolves what it saw.
    /// - Complexity: O(events) time, O(live blocks + distinct cells) memory, and one symbolication per distinct address.
    func build(attributor: Attributor) -> HeapProfile {
        let resolver = ResolvedStacks(
            StackResolver(source: source, symbolicator: symbolicator, attributor: attributor))
        var options = options
        // The text dialect does not say which thread an event is of.
        if source.facts.mode == "text" { options.tracksFlows = false }
        let units: SumUnits = source.facts.isSampled ? .sampled : .whole
        if let trackers = PassTrackers(options: options, units: units, chains: chainTracker(resolver)) {
            return build(attributor: attributor, resolver, observer: trackers) { $0.views(stackNumbers: $1) }
        }
        return build(attributor: attributor, resolver, observer: NoObserver()) { _, _ in TrackedViews() }
    }

    /// What follows growth and copies: nil where nobody asks for them and no cause depends on them.
    private func chainTracker(_ resolver: ResolvedStacks<Source>) -> ChainTracker? {
        let facts = source.facts
        // What is live at a moment alone has no order of events.
        guard !facts.isSampled, !keepsLiveOnly, options.tracksChains || source.hasSwiftRuntime else { return nil }
        return ChainTracker(remaps: facts.allocator == "glibc") { resolver.attribution(of: $0, type: $1) }
    }

    func build<Observer: LedgerObserver>(
        attributor: Attributor, _ resolver: ResolvedStacks<Source>, observer: Observer,
        views: (Observer, [TypedStack: Int]) -> TrackedViews
    ) -> HeapProfile {
        let facts = source.facts
        var ledgerOptions = LedgerOptions()
        ledgerOptions.bySize = options.keepsSizes || options.sizedFamily != nil
        if !options.keepsSizes, let family = options.sizedFamily {
            ledgerOptions.sizedStacks = SizedStacks { stack, type in
                let number = resolver.number(of: stack, type: type)
                return resolver.stacks[number].attribution.owner.family == family
            }
        }
        ledgerOptions.byThread = options.keepsThreads
        ledgerOptions.isSampled = facts.isSampled
        ledgerOptions.isForkedChild = facts.isForkedChild
        if facts.lost > 0 { ledgerOptions.repairWindow = 0 }
        var ledger = HeapLedger(options: ledgerOptions, observer: observer) {
            source.usableSize(size: $0, alignmentCode: $1)
        }
        source.replay(into: &ledger)
        ledger.finish()

        var cells: [ProfileCell] = []
        let ages = options.keepsAges ? ledger.ages() : [:]
        let (lifetimes, ranges) = Self.lifetimes(of: ledger)
        let numbers = keepsLiveOnly ? ledger.cells.liveNumbers : Array(0..<ledger.cells.count)
        for number in numbers {
            let key = ledger.cells.cells[number].key
            if key.type != 0 { resolver.note(key.stack, type: key.type) }
        }
        var places = [Int?](repeating: nil, count: ledger.cells.count)
        for (done, number) in numbers.enumerated() {
            if done % 64 == 0 { progress(.stacks, Double(done) / Double(numbers.count)) }
            let cell = ledger.cells.cells[number]
            let found = ledger.freedTypes.type(of: cell.key)
            let stack = resolver.number(
                of: cell.key.stack, type: cell.key.type, found: found, order: cell.key.order)
            // Nothing is left in a cell when the order of events told the cause of all its blocks.
            if cell.allocations == 0, !facts.isSampled, !keepsLiveOnly { continue }
            var made = ProfileCell(
                stack: stack,
                figures: cell.figures(peak: ledger.peakNumber),
                lifetimes: ranges[number])
            if keepsLiveOnly { made.keepLive() }
            if options.keepsThreads { made.thread = Int(cell.key.thread) }
            if facts.isSampled { made.variance = ledger.variances[number].finished(peak: ledger.peakNumber) }
            if ledgerOptions.keepsSize(of: cell.key) {
                made.keepSize(cell.key, units: ledger.units) {
                    source.usableSize(size: UInt64($0), alignmentCode: $1).flatMap { Int(exactly: $0) }
                }
            }
            made.ages = ages[number]
            places[number] = cells.count
            cells.append(made)
        }
        var trace = Self.summary(of: ledger, facts: facts)
        if facts.isSampled { complete(&trace, of: ledger, cells) }
        if let moment = options.moment { trace.end(at: moment, keepsLiveOnly: keepsLiveOnly) }
        var views = views(ledger.observer, resolver.numbers)
        views.flows?.add(to: &cells, places: places)
        return HeapProfile(
            trace: trace, frames: resolver.frames, stacks: resolver.stacks, cells: cells,
            threads: threads(of: ledger),
            counters: counters, units: ledger.units, lifetimes: lifetimes,
            views: views, disagreements: resolver.disagreements, attributor: attributor)
    }

    private var keepsLiveOnly: Bool { options.moment != nil && options.keepsLiveOnly }

    /// The counters by name; libraries that count under the same name count together.
    private var counters: [CounterTotal] {
        var totals: [String: Int] = [:]
        for counter in source.counters { totals[counter.name, default: 0] &+= counter.total }
        return totals.sorted { $0.key < $1.key }.map { CounterTotal(name: $0.key, total: $0.value) }
    }

    private static func lifetimes(
        of ledger: borrowing HeapLedger<some LedgerObserver>
    ) -> (flat: [(bucket: Int, count: Int)], ranges: [Range<Int>]) {
        var counted: [(cell: Int, bucket: Int, count: Int)] = []
        ledger.lifetimes.forEach { counted.append(($0, $1, $2)) }
        counted.sort { ($0.cell, $0.bucket) < ($1.cell, $1.bucket) }
        var ranges: [Range<Int>] = []
        var position = 0
        for cell in 0..<ledger.cells.count {
            let start = position
            while position < counted.count, counted[position].cell == cell { position += 1 }
            ranges.append(start..<position)
        }
        return (counted.map { ($0.bucket, $0.count) }, ranges)
    }

    private static func summary(of ledger: borrowing HeapLedger<some LedgerObserver>, facts: TraceFacts) -> TraceSummary
    {
        let blocks = ledger.units.blocks
        let bytes = ledger.units.bytes
        var summary = TraceSummary(facts: facts)
        summary.events = Int(clamping: ledger.events)
        summary.allocations = HeapFigures.rounded(ledger.allocations, blocks)
        summary.frees = HeapFigures.rounded(ledger.frees, blocks)
        summary.reallocations = HeapFigures.rounded(ledger.reallocations, blocks)
        summary.bytesAllocated = HeapFigures.rounded(ledger.bytes, bytes)
        summary.peakBytes = HeapFigures.rounded(ledger.peakBytes, bytes)
        summary.liveBytes = HeapFigures.rounded(ledger.liveBytes, bytes)
        var live = 0
        for number in 0..<ledger.cells.count { live &+= ledger.cells.cells[number].liveBlocks }
        summary.liveBlocks = HeapFigures.rounded(live, blocks)
        summary.temporary = HeapFigures.rounded(ledger.temporary, blocks)
        summary.unmatchedFrees = ledger.unmatchedFrees
        summary.inheritedFrees = ledger.inheritedFrees
        summary.missingFrees = ledger.repair.missing
        summary.threads = ledger.threads.count
        if let first = ledger.firstTime, let tick = facts.nanosecondsPerTick {
            summary.durationNanoseconds = nanoseconds(ledger.lastTime &- first, tick)
            if ledger.peakBytes > 0, ledger.peakTime >= first {
                summary.peakAfterNanoseconds = nanoseconds(ledger.peakTime &- first, tick)
            }
        }
        return summary
    }

    /// Adds what only a sampled trace has: the size of the sample, standard errors, and exact totals in the place of estimates.
    private func complete(
        _ summary: inout TraceSummary, of ledger: borrowing HeapLedger<some LedgerObserver>, _ cells: [ProfileCell]
    ) {
        summary.samples = ledger.samples
        let variance = cells.compactMap(\.variance).reduce(into: SampleVariance()) { $0.add($1) }
        var errors = variance.standardError
        // Those of a trace that was cut are older than its last samples.
        if let exact = source.exactTotals, summary.facts.isComplete {
            summary.events = exact.allocations &+ exact.frees
            summary.allocations = exact.allocations
            summary.frees = exact.frees
            summary.bytesAllocated = exact.bytes
            (errors.allocations, errors.frees, errors.bytes) = (0, 0, 0)
            if let reallocations = exact.reallocations { summary.reallocations = reallocations }
            summary.hasExactTotals = exact.reallocations != nil
            // Where every free was of a block made here, what they left is known.
            summary.hasExactLiveBlocks = !summary.facts.isAttached && !summary.facts.isForkedChild
            if summary.hasExactLiveBlocks {
                summary.liveBlocks = max(0, exact.allocations &- exact.frees)
                errors.liveBlocks = 0
            }
            let quiet = source.threadNames.filter { thread in
                guard let totals = thread.exactTotals, totals.allocations &+ totals.frees > 0 else { return false }
                return true
            }
            var serials = Set(quiet.map(\.serial))
            for index in 0..<ledger.threads.count { serials.insert(Int(ledger.threads.states[index].serial)) }
            summary.threads = serials.count
        } else {
            summary.events = summary.allocations &+ summary.frees
            summary.hasExactTotals = false
            summary.hasExactLiveBlocks = false
        }
        summary.standardError = errors
    }

    private static func nanoseconds(_ ticks: UInt64, _ tick: Double) -> Int? {
        Int(exactly: (Double(ticks) * tick).rounded())
    }

    private func threads(of ledger: borrowing HeapLedger<some LedgerObserver>) -> [ThreadSummary] {
        var names: [Int: ThreadName] = [:]
        for thread in source.threadNames { names[thread.serial] = thread }
        var threads: [ThreadSummary] = []
        let units = ledger.units
        for index in 0..<ledger.threads.count {
            let counts = ledger.threads.states[index]
            let serial = Int(counts.serial)
            let name = names.removeValue(forKey: serial)
            let exact = name?.exactTotals
            threads.append(
                ThreadSummary(
                    serial: serial, threadID: name?.threadID, name: name?.name,
                    allocations: exact?.allocations ?? HeapFigures.rounded(counts.allocations, units.blocks),
                    frees: exact?.frees ?? HeapFigures.rounded(counts.frees, units.blocks),
                    bytes: exact?.bytes ?? HeapFigures.rounded(counts.bytes, units.bytes),
                    isExact: exact != nil || units == .whole))
        }
        // Threads of which a sampled trace has totals alone.
        for (serial, name) in names {
            guard let exact = name.exactTotals, exact.allocations &+ exact.frees > 0 else { continue }
            threads.append(
                ThreadSummary(
                    serial: serial, threadID: name.threadID, name: name.name, allocations: exact.allocations,
                    frees: exact.frees, bytes: exact.bytes))
        }
        return threads.sorted { $0.serial < $1.serial }
    }
}
