// A trace as the source of an analysis: its events into the ledger, its tables behind the seam.
public import Symbolication
public import TraceReader

/// One image of a trace.
struct TraceSource: ProfileSource {
    let trace: Trace
    let tables: ImageTables
    /// Ticks at which the analysis ends; nil for the whole image.
    let end: UInt64?
    /// Whether the past may be taken from a checkpoint.
    let seeks: Bool
    /// Is told the share of the events that the pass has taken.
    var progress: (Double) -> Void = { _ in }

    /// The image of a trace, nil for a number that the trace does not have.
    init?(trace: Trace, image: Int?, options: AnalysisOptions = AnalysisOptions()) {
        guard let tables = trace.tables(image: image) else { return nil }
        self.trace = trace
        self.tables = tables
        end = options.moment?.ticks
        // What samples live is summed up in an order that rounding shows, and types that frees tell are of the past.
        seeks = end != nil && options.keepsLiveOnly && !trace.isSampled && !tables.hasFreedTypes
    }

    var facts: TraceFacts {
        var facts = TraceFacts()
        let isLast = tables.info.number == trace.lastImage
        facts.program = isLast ? trace.program : tables.info.arguments.first ?? tables.info.executable
        let executable = isLast ? trace.executablePath : tables.info.executable
        facts.executablePath = executable.isEmpty ? nil : tables.modules.path(ofExecutable: executable)
        facts.pid = trace.processID == 0 ? nil : trace.processID
        let allocator = trace.allocator(ofImage: tables.info.number)
        facts.allocator = allocator.isEmpty ? nil : allocator
        facts.mode =
            switch trace.mode {
            case .collector: "collector"
            case .thread: "thread"
            case .converted: "converted"
            case .text: "text"
            case .other(let number): "mode \(number)"
            }
        facts.nanosecondsPerTick = trace.isClockCalibrated ? trace.nanosecondsPerTick : nil
        facts.lost = Int(clamping: trace.losses.events)
        facts.isComplete = trace.isComplete
        facts.isSampled = trace.isSampled
        facts.sampleBytes = Int(clamping: trace.sampleBytes)
        facts.isForkedChild = trace.isForkedChild
        facts.isAttached = trace.isAttached
        facts.ending = isLast ? ending : .replaced
        let images = trace.images
        facts.image = tables.info.number
        facts.imageCount = images.count
        facts.imageNames = images.map { $0.arguments.first ?? $0.executable }
        facts.warnings = trace.warnings
        return facts
    }

    private var ending: TraceFacts.Ending {
        guard let end = trace.end else { return .unknown }
        return switch end.how {
        case .unknown: .unknown
        case .exited: .exited(end.status)
        case .signalled: .killed(end.status)
        case .turnedOff, .detached: .wentOn
        }
    }

    var threadNames: [ThreadName] {
        tables.threads.map { thread in
            ThreadName(
                serial: Int(thread.serial.rawValue),
                threadID: thread.threadID == 0 ? nil : Int(clamping: thread.threadID),
                name: thread.name.isEmpty ? nil : thread.name,
                exactTotals: end == nil ? thread.exactTotals.map { ExactTotals($0) } : nil)
        }
    }

    var exactTotals: ExactTotals? {
        guard trace.isSampled, end == nil else { return nil }
        let known = tables.threads.compactMap(\.exactTotals) + (tables.unplacedTotals.map { [$0] } ?? [])
        guard var sum = known.first.map({ ExactTotals($0) }) else { return nil }
        for totals in known.dropFirst() { sum.add(ExactTotals(totals)) }
        return sum
    }

    var counters: [CounterTotal] {
        // Counts carry no time that could be compared.
        if end != nil { return [] }
        return tables.counters.map { counter in
            CounterTotal(
                name: counter.name.isEmpty ? "counter \(counter.id)" : counter.name,
                total: Int(clamping: counter.total))
        }
    }

    func replay<Observer>(into ledger: inout HeapLedger<Observer>) {
        withUnsafeMutablePointer(to: &ledger) { ledger in
            let types = StackTypes(tables.stacks)
            var span = EventSpan(through: end ?? .max)
            if let start = checkpoint {
                ledger.pointee.begin(with: start.blocks, of: start.checkpoint, types: types)
                span.after = start.checkpoint.time
            }
            var feed = LedgerFeed(
                ledger: ledger, types: types, all: tables.allocations &+ tables.frees, progress: progress)
            trace.forEachEvent(image: tables.info.number, span: span, &feed)
        }
    }

    /// The last checkpoint before the end, with its blocks.
    private var checkpoint: (checkpoint: TraceCheckpoint, blocks: [CheckpointBlock])? {
        guard seeks, let end,
            let last = trace.checkpoints(image: tables.info.number).last(where: { $0.time <= end }),
            let blocks = try? trace.blocks(of: last)
        else { return nil }
        return (last, blocks)
    }

    func usableSize(size: UInt64, alignmentCode: UInt8) -> UInt64? {
        tables.usableSizes.usableSize(size: size, alignmentCode: alignmentCode)
    }

    var hasSwiftRuntime: Bool {
        !tables.typeNames.isEmpty || !tables.metadata.isEmpty
            || tables.modules.all.contains { $0.path.contains("/libswiftCore.so") }
    }

    func stack(_ id: UInt32) -> SourceStack? {
        guard let row = tables.stacks.row(of: StackID(id)) else { return nil }
        let info = tables.stacks[row]
        let tag = tables.tags[info.tag].map { tag in
            TagEvidence(
                family: tag.family.isEmpty ? OwnerFamily.family(ofType: tag.type) : tag.family, type: tag.type,
                cause: tag.cause, language: tag.language)
        }
        return SourceStack(
            addresses: tables.stacks.frames(row: row), tag: tag, firstUse: info.firstUse, isTruncated: info.isTruncated)
    }

    func moduleRow(for address: UInt64, at time: UInt64) -> Int? { tables.modules.row(for: address, at: time) }

    var modulesAreFixed: Bool { tables.modules.isFixed }

    func module(row: Int) -> LoadedModule {
        let module = tables.modules.all[row]
        return LoadedModule(
            description: ModuleDescription(path: module.path, buildID: module.buildID), bias: module.bias)
    }
}

extension ModuleTable {
    /// The path under which the loader knows an executable, which may have been started by a relative path or a symbolic link: that of the module
    /// of the same file name, else of the first that is no shared library.
    fileprivate func path(ofExecutable path: String) -> String {
        func name(_ path: String) -> Substring {
            path[(path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex)...]
        }
        if all.contains(where: { $0.path == path }) { return path }
        let programs = all.filter { $0.path.hasPrefix("/") && !name($0.path).contains(".so") }
        return (programs.first { name($0.path) == name(path) } ?? programs.first)?.path ?? path
    }
}

extension TraceSource {
    func runtimeType(_ id: UInt64) -> MetadataRecord? { tables.metadata[id] }

    func typeName(_ id: UInt64) -> String? { tables.typeNames[id] }
}

/// The visitor that hands a trace's events to a ledger, which outlives it.
private struct LedgerFeed<Observer: LedgerObserver>: EventVisitor {
    let ledger: UnsafeMutablePointer<HeapLedger<Observer>>
    let types: StackTypes
    /// Events of the image.
    let all: UInt64
    let progress: (Double) -> Void
    private var taken: UInt64 = 0
    private var nextReport = LedgerFeed.reportStride

    /// Events between two reports of progress: a few hundredths of a second.
    private static var reportStride: UInt64 { 1 << 20 }

    init(
        ledger: UnsafeMutablePointer<HeapLedger<Observer>>, types: StackTypes, all: UInt64,
        progress: @escaping (Double) -> Void
    ) {
        self.ledger = ledger
        self.types = types
        self.all = all
        self.progress = progress
    }

    /// How many events ahead the tags of a block are asked for, then its slot, then its cell: each as long as memory takes.
    private static var tagLead: Int { 40 }
    private static var slotLead: Int { 24 }
    private static var cellLead: Int { 10 }

    @inline(__always)
    mutating func visit(batch events: UnsafeBufferPointer<HeapEvent>) {
        taken &+= UInt64(events.count)
        if taken >= nextReport {
            nextReport = taken &+ Self.reportStride
            progress(Double(taken) / Double(max(all, 1)))
        }
        for index in 0..<min(Self.tagLead, events.count) { ledger.pointee.prefetchTags(events[index].address) }
        for index in 0..<min(Self.slotLead, events.count) { ledger.pointee.prefetchBlock(events[index].address) }
        for index in 0..<events.count {
            if index &+ Self.tagLead < events.count {
                ledger.pointee.prefetchTags(events[index &+ Self.tagLead].address)
            }
            if index &+ Self.slotLead < events.count {
                ledger.pointee.prefetchBlock(events[index &+ Self.slotLead].address)
            }
            if index &+ Self.cellLead < events.count {
                let ahead = events[index &+ Self.cellLead]
                switch ahead.kind {
                case .allocation: ledger.pointee.prefetchCell(stack: ahead.stack.rawValue)
                case .free: ledger.pointee.prefetchCell(ofBlockAt: ahead.address)
                }
            }
            visit(events[index])
        }
    }

    @inline(__always)
    mutating func visit(_ event: HeapEvent) {
        switch event.kind {
        case .allocation:
            ledger.pointee.allocate(
                address: event.address, size: event.size, stack: event.stack.rawValue, thread: event.thread.rawValue,
                time: event.time, alignment: event.alignmentCode, type: types.type(of: event),
                weight: Float(event.weight),
                isReallocation: event.isReallocationHalf)
        case .free:
            if event.typeID != 0 { ledger.pointee.noteType(ofFreed: event.address, event.typeID) }
            ledger.pointee.free(
                address: event.address, thread: event.thread.rawValue, time: event.time, isFreedNext: event.isFreedNext,
                isReallocation: event.isReallocationHalf)
        }
    }
}

extension ExactTotals {
    fileprivate init(_ totals: AllocationTotals) {
        self.init(
            allocations: Int(clamping: totals.allocations), frees: Int(clamping: totals.frees),
            bytes: Int(clamping: totals.bytes), reallocations: totals.reallocations.map { Int(clamping: $0) })
    }
}

extension HeapProfile {
    /// Analyses one image of a trace: a single pass over its events, then frames and owners of the stacks that allocated.
    ///
    /// - Parameters:
    ///   - image: the image's number; the last one when nil.
    ///   - options: what the pass keeps apart.
    ///   - rules: what decides who owns an allocation.
    ///   - symbolicator: answers for addresses; asked once for each distinct one.
    ///   - progress: is told now and then which part of the work is how far, as a share from 0 to 1.
    /// - Returns: nil when the trace has no such image.
    /// - Complexity: O(events) time, O(live blocks + distinct stacks) memory.
    public init?(
        analysing trace: Trace, image: Int? = nil, options: AnalysisOptions = AnalysisOptions(),
        rules: RuleSet = .builtIn, symbolicator: any FrameSymbolicator,
        progress: @escaping (AnalysisStage, Double) -> Void = { _, _ in }
    ) {
        guard var source = TraceSource(trace: trace, image: image, options: options) else { return nil }
        source.progress = { progress(.events, $0) }
        var builder = ProfileBuilder(source: source, options: options, symbolicator: symbolicator)
        builder.progress = progress
        self = builder.build(attributor: Attributor(executablePath: source.facts.executablePath, rules: rules))
    }
}
