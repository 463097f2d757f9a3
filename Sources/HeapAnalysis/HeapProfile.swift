// The result of an analysis: what one pass over a trace measured, each stack with its frames and its attribution.
// A value without I/O; every report, view and export is computed from it. Same trace, same profile, in every order it lists.
public import Symbolication

/// A call stack that allocated, resolved.
public struct ProfileStack: Sendable {
    /// Indexes into ``HeapProfile/frames``, innermost first.
    public var frames: [Int32]
    /// Who owns what it allocated, why, and by which rule.
    public var attribution: Attribution
    /// Path of the module that allocated: the innermost one that is no language runtime or C library; empty when not known.
    public var module: String
    /// Whether frames further out were dropped at the recorder's depth limit.
    public var isTruncated: Bool
    /// What the Swift runtime's metadata says that its blocks are, as the runtime calls it (`Swift._SetStorage<Int>`); nil where it says nothing.
    public var runtimeType: String?
    /// Index into ``HeapProfile/disagreements`` where two rules would name different owners.
    public var disagreement: Int32?
}

/// Sums of the allocations of one stack, or of one size or thread of it.
public struct ProfileCell: Sendable {
    /// Index into ``HeapProfile/stacks``.
    public var stack: Int
    /// Bytes asked for by each; nil unless sizes were kept apart.
    public var size: Int?
    /// The trace's code of the alignment that each asked for, 0 for malloc's own; of cells with a size.
    public var alignmentCode: UInt8 = 0
    /// Usable bytes of each of its blocks; nil unless sizes were kept apart and the trace tells.
    public var usable: Int?
    /// Serial of the thread that allocated; nil unless threads were kept apart.
    public var thread: Int?
    /// The sums, in ``HeapProfile/units``.
    var figures: HeapFigures
    /// Of a sampled trace: their variances.
    var variance: SampleVariance?
    /// Its part of ``HeapProfile/lifetimes``.
    var lifetimes: Range<Int>
    /// How long its live blocks have lived; nil without any, and where nobody asked.
    var ages: AgeHistogram?

    init(stack: Int, figures: HeapFigures, lifetimes: Range<Int>) {
        self.stack = stack
        self.figures = figures
        self.lifetimes = lifetimes
    }

    /// Takes over the size that the cell's key tells, and what follows from it.
    mutating func keepSize(_ key: CellKey, units: SumUnits, usable: (_ size: Int, _ alignmentCode: UInt8) -> Int?) {
        let bytes = key.bytesAsked
        size = bytes
        alignmentCode = key.alignmentCode
        self.usable = usable(bytes, alignmentCode).flatMap { $0 < bytes ? nil : $0 }
        let perBlock = Double(bytes) * Double(units.bytes) / Double(units.blocks)
        figures.temporaryBytes =
            units == .whole
            ? figures.temporary &* bytes : Int(exactly: (Double(figures.temporary) * perBlock).rounded())
    }
}

/// What one pass over a trace measured.
public struct HeapProfile: Sendable {
    /// The facts and totals of the trace.
    public var trace: TraceSummary
    /// Every distinct frame that a stack names.
    public var frames: [SymbolicatedFrame]
    /// Stacks that allocated, in the order of their first allocation.
    public var stacks: [ProfileStack]
    /// Sums by stack, and by size and thread where those were kept apart.
    public var cells: [ProfileCell]
    /// Events by thread, by serial.
    public var threads: [ThreadSummary]
    /// What the program counted itself, by name.
    public var counters: [CounterTotal]
    /// Every distinct pair of rules that name different owners for the same stack.
    public var disagreements: [Disagreement]
    /// What decided, and can be asked again for its reasons.
    let attributor: Attributor
    /// What the trackers that the options asked for found.
    public var views: TrackedViews

    /// What the sums in `cells` are counted in.
    let units: SumUnits
    /// (bucket, count) of every cell's lifetimes.
    let lifetimes: [(bucket: Int, count: Int)]

    init(
        trace: TraceSummary, frames: [SymbolicatedFrame], stacks: [ProfileStack], cells: [ProfileCell],
        threads: [ThreadSummary], counters: [CounterTotal], units: SumUnits,
        lifetimes: [(bucket: Int, count: Int)], views: TrackedViews = TrackedViews(),
        disagreements: [Disagreement], attributor: Attributor
    ) {
        self.trace = trace
        self.frames = frames
        self.stacks = stacks
        self.cells = cells
        self.threads = threads
        self.counters = counters
        self.units = units
        self.lifetimes = lifetimes
        self.views = views
        self.disagreements = disagreements
        self.attributor = attributor
    }

    /// The sums of a cell in whole blocks and bytes.
    public func figures(of cell: ProfileCell) -> HeapFigures { cell.figures.divided(by: units) }

    /// The share of allocations and of bytes whose owner is known: 1 less the share of `Unattributed`; nil without allocations. O(cells).
    public var attributed: (allocations: Double?, bytes: Double?) {
        var all = HeapFigures()
        var unknown = HeapFigures()
        for cell in cells {
            all.add(cell.figures)
            if stacks[cell.stack].attribution.owner.family == "Unattributed" { unknown.add(cell.figures) }
        }
        return (
            all.allocations == 0 ? nil : 1 - Double(unknown.allocations) / Double(all.allocations),
            all.bytes == 0 ? nil : 1 - Double(unknown.bytes) / Double(all.bytes)
        )
    }
}
