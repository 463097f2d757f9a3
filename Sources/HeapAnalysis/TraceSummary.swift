// What is said of a trace as a whole: the facts its recorder wrote down and the totals of the pass.

/// What a trace's recorder says about it.
public struct TraceFacts: Sendable, Equatable {
    /// The program as it was named on the command line.
    public var program = ""
    /// Path of the executable of the image, nil when not recorded.
    public var executablePath: String?
    /// Process id; nil when the trace does not carry one.
    public var pid: Int?
    /// Name of the allocator the program ran on; nil when not recorded.
    public var allocator: String?
    /// How the trace was made: `collector`, `thread`, `converted` or `text`.
    public var mode = ""
    /// Length of the clock's tick; nil when the trace's times are no times.
    public var nanosecondsPerTick: Double?
    /// Events the recorder lost.
    public var lost = 0
    /// Whether the trace was written to its end.
    public var isComplete = true
    /// How the process ended, as far as the trace tells.
    public var ending = Ending.unknown
    /// Whether events stand for more than themselves.
    public var isSampled = false
    /// Mean bytes between samples; 0 when every event was recorded.
    public var sampleBytes = 0
    /// Whether the process is a forked child, whose frees may be of inherited blocks.
    public var isForkedChild = false
    /// Whether the recorder was attached to a process that ran already: frees may be of blocks from before, and figures
    /// of live blocks are of those made since.
    public var isAttached = false
    /// The image these facts are of, from 1, and how many the trace has.
    public var image = 1
    /// How many images the trace has.
    public var imageCount = 1
    /// Programs of all images, in order.
    public var imageNames: [String] = []
    /// What the recorder and the reader warn about.
    public var warnings: [String] = []

    /// How a process ended.
    public enum Ending: Sendable, Equatable {
        /// The trace does not tell: it was cut, or read from text.
        case unknown
        /// It exited with this status.
        case exited(Int)
        /// This signal killed it.
        case killed(Int)
        /// The recorder stopped, and the program went on.
        case wentOn
        /// It became another program, by `exec`.
        case replaced
    }

    /// Facts of a trace that says nothing.
    public init() {}
}

/// The totals of one pass over a trace.
public struct TraceSummary: Sendable, Equatable {
    /// What the recorder says.
    public var facts: TraceFacts
    /// ALLOC and FREE events.
    public var events = 0
    /// Allocations.
    public var allocations = 0
    /// Frees, of whatever block.
    public var frees = 0
    /// `realloc` pairs.
    public var reallocations = 0
    /// Bytes asked for, over all allocations.
    public var bytesAllocated = 0
    /// The most bytes that were live at once.
    public var peakBytes = 0
    /// Nanoseconds from the first event to the peak; nil when the trace's times are no times.
    public var peakAfterNanoseconds: Int?
    /// Bytes live at the end.
    public var liveBytes = 0
    /// Blocks live at the end.
    public var liveBlocks = 0
    /// Blocks freed as the next event of the thread that allocated them.
    public var temporary = 0
    /// Frees of addresses at which no block was known.
    public var unmatchedFrees = 0
    /// Frees, in a forked child, of blocks its parent allocated.
    public var inheritedFrees = 0
    /// Blocks whose address was allocated again although their free was never seen; they count as freed.
    public var missingFrees = 0
    /// Threads that allocated or freed.
    public var threads = 0
    /// Nanoseconds from the first event to the last; nil when the trace's times are no times.
    public var durationNanoseconds: Int?
    /// Of a sampled trace: allocations in the sample. Nil for others.
    public var samples: Int?
    /// Of a sampled trace: how far the figures may be off; 0 for those that are exact. Nil for others.
    public var standardError: StandardError?
    /// Whether events, allocations, frees, reallocations and bytes are exact: always, unless a sampled trace lacks its totals.
    public var hasExactTotals = true
    /// Whether `liveBlocks` is exact; an estimate in sampled traces that also count frees of blocks from before.
    public var hasExactLiveBlocks = true

    /// Whether the analysis ended at a moment, as if the program had. The duration is the whole trace's all the same.
    public var endsAtMoment = false
    /// Nanoseconds from the first event to that moment; nil without one, and when the trace's times are no times.
    public var momentNanoseconds: Int?
    /// Whether only what is live at the moment was kept: figures of the past are then not measured, but for events, allocations and frees. Bytes
    /// allocated are those of the live blocks.
    public var isLiveOnly = false

    /// Totals of a trace without events.
    public init(facts: TraceFacts) { self.facts = facts }
}

/// Events of one thread.
public struct ThreadSummary: Sendable, Equatable {
    /// The recorder's serial of the thread, from 1.
    public var serial: Int
    /// The system's thread id; nil when not recorded.
    public var threadID: Int?
    /// The thread's name; nil when not recorded.
    public var name: String?
    /// Allocations by this thread.
    public var allocations: Int
    /// Frees by this thread, whoever had allocated the blocks.
    public var frees: Int
    /// Bytes asked for by this thread.
    public var bytes: Int
    /// Whether the figures are exact; in a sampled trace those of a thread without totals are estimates.
    public var isExact = true
}

/// The sum of something the program counted that is no event, such as `Cow.borrowed`.
public struct CounterTotal: Sendable, Equatable {
    /// The counter's name.
    public var name: String
    /// The sum of all counts.
    public var total: Int

    /// A counter and its sum.
    public init(name: String, total: Int) {
        self.name = name
        self.total = total
    }
}
