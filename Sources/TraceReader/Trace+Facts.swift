// What a trace says of itself: who ran, on what, how it was recorded, how it ended and what is missing. Texts are of the last image where
// it has its own, else of the whole trace; empty where the trace does not say.

extension Trace {
    private var imageFacts: InfoEntries { contents.images.last?.facts ?? InfoEntries() }

    private func fact(_ key: InfoEntries.Key) -> String { imageFacts.texts[key] ?? contents.facts.texts[key] ?? "" }

    /// A fact about what was executed: of the last image by INFO, else by IMAGE, else of the whole trace. An image that was executed in the place
    /// of another (`env PROGRAM`) is thus not called by the first one's name.
    private func executed(_ key: InfoEntries.Key, _ ofImage: (ImageInfo) -> String?) -> String {
        let whole = contents.facts.texts[key] ?? ""
        if let own = imageFacts.texts[key] { return own }
        guard let image = contents.images.last?.info, let own = ofImage(image), !own.isEmpty else { return whole }
        return whole.isEmpty || contents.images.count > 1 ? own : whole
    }

    /// The program as named on the command line, else its executable.
    public var program: String {
        let named = executed(.program) { $0.arguments.first }
        return named.isEmpty ? executablePath : named
    }
    /// The program's arguments, `argv[0]` first.
    public var arguments: [String] {
        let ofImage = contents.images.last?.info.arguments ?? []
        if let own = imageFacts.arguments { return own }
        if contents.images.count > 1, !ofImage.isEmpty { return ofImage }
        return contents.facts.arguments ?? ofImage
    }
    /// Path of the executable.
    public var executablePath: String { executed(.executable) { $0.executable } }
    /// The working directory at the start.
    public var workingDirectory: String { executed(.directory) { $0.workingDirectory } }
    /// Name of the allocator that the program ran on.
    public var allocator: String { fact(.allocator) }
    /// Name of the allocator that one image ran on.
    public func allocator(ofImage number: Int) -> String {
        let own = contents.images.first { $0.info.number == number }?.facts.texts[.allocator]
        return own ?? contents.facts.texts[.allocator] ?? ""
    }
    /// Path of that allocator's library.
    public var allocatorPath: String { fact(.allocatorPath) }
    /// Name of the machine.
    public var host: String { fact(.host) }
    /// Release of its kernel.
    public var kernel: String { fact(.kernel) }
    /// Version of the recorder.
    public var recorderVersion: String { fact(.recorder) }
    /// The options it was started with.
    public var options: String { fact(.options) }
    /// What the recorder wants the reader to know, in its order; the whole trace's first, then each image's.
    public var warnings: [String] { contents.facts.warnings + contents.images.flatMap(\.facts.warnings) }

    /// How the trace came about.
    public var mode: Mode {
        if isText { return .text }
        return switch contents.header.mode {
        case 1: .collector
        case 2: .thread
        case 3: .converted
        case let number: .other(Int(number))
        }
    }
    /// The process id; 0 for text.
    public var processID: Int { contents.header.processID }
    /// The processor architecture.
    public var architecture: Architecture { contents.header.architecture }
    /// The page size in bytes; 0 for text.
    public var pageSize: Int { contents.header.pageSize }
    /// Whether call stacks were recorded.
    public var hasStacks: Bool { !isText && contents.header.flags & 1 == 0 }
    /// Whether events are samples that stand for ``HeapEvent/weight`` allocations each.
    public var isSampled: Bool { contents.header.flags & 2 != 0 }
    /// Whether the process is a forked child, which frees blocks it inherited.
    public var isForkedChild: Bool { contents.header.flags & 4 != 0 }
    /// Whether full rings dropped events rather than wait.
    public var dropsWhenFull: Bool { contents.header.flags & 8 != 0 }
    /// Whether the recorder was attached to a process that ran already, which frees blocks from before.
    public var isAttached: Bool { contents.header.flags & 16 != 0 }
    /// Mean bytes between samples; 0 when every event is recorded.
    public var sampleBytes: UInt64 { contents.header.sampleBytes }

    /// The clock's ticks at the start.
    public var startTicks: UInt64 { contents.header.startTicks }
    /// Nanoseconds since 1970 at the start.
    public var startNanoseconds: UInt64 { contents.header.startNanoseconds }
    /// Nanoseconds since 1970 at the last reading of the clocks; `nil` when the trace has none.
    public var endNanoseconds: UInt64? { contents.lastClock?.realtime }
    /// Ticks of the last thing known: the end, else the last event of any image, else the start.
    public var lastTicks: UInt64 {
        max(contents.end?.ticks ?? 0, contents.images.compactMap(\.lastTime).max() ?? 0, startTicks)
    }
    /// The length of a tick; 1 where the trace does not tell (see ``isClockCalibrated``).
    public var nanosecondsPerTick: Double { contents.nanosecondsPerTick ?? 1 }
    /// Whether the trace tells how long a tick is. In the text dialect a tick is a line.
    public var isClockCalibrated: Bool { contents.nanosecondsPerTick != nil }

    /// How the process ended; `nil` in a trace that was cut, and in text.
    public var end: TraceEnd? { contents.end }
    /// Whether the trace reaches its end: not cut, not corrupt.
    public var isComplete: Bool {
        (isText || contents.end != nil) && contents.cutOffset == nil && contents.corruption == nil
    }
    /// Where the file was cut: the offset of the first chunk (or line) that is not whole, or its size when no end follows; `nil` otherwise.
    public var cutOffset: UInt64? {
        if let offset = contents.cutOffset { return offset }
        return isText || contents.end != nil || contents.corruption != nil ? nil : UInt64(fileBytes.count)
    }
    /// The fault that ended the reading; everything before its offset stands.
    public var corruption: TraceError? { contents.corruption }
    /// What the recorder could not keep.
    public var losses: TraceLosses { contents.losses }
    /// Lines of a text trace that hold something else than an event.
    public var foreignLines: UInt64 { contents.foreignLines }
    /// Allocations in all images.
    public var allocations: UInt64 { contents.allocations }
    /// Frees in all images.
    public var frees: UInt64 { contents.frees }
}
