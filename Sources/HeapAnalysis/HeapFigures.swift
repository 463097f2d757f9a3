// The sums a row of any report is made of, and how they add up.

/// Sums over a set of allocations.
public struct HeapFigures: Hashable, Sendable {
    /// Allocations.
    public var allocations = 0
    /// Frees of these allocations' blocks.
    public var frees = 0
    /// Bytes asked for, over all allocations.
    public var bytes = 0
    /// Blocks live at the end.
    public var liveBlocks = 0
    /// Bytes live at the end.
    public var liveBytes = 0
    /// Bytes live when the trace's live bytes were highest.
    public var peakBytes = 0
    /// Blocks live when the trace's live bytes were highest.
    public var peakBlocks = 0
    /// Blocks freed as the next event of the thread that allocated them.
    public var temporary = 0
    /// Usable bytes less bytes asked for, over all allocations; nil when any of them has no known usable size.
    public var slackBytes: Int? = 0
    /// Bytes of the temporary blocks; nil unless sizes were kept apart.
    public var temporaryBytes: Int? = 0
    /// Blocks freed by another thread than the one that allocated them; nil unless the flows between threads were tracked.
    public var elsewhere: Int? = 0
    /// Their bytes.
    public var elsewhereBytes: Int? = 0

    /// All sums zero.
    public init() {}

    /// Adds `other` to every sum; where one of two is not known, their sum is not. O(1).
    public mutating func add(_ other: HeapFigures) {
        allocations &+= other.allocations
        frees &+= other.frees
        bytes &+= other.bytes
        liveBlocks &+= other.liveBlocks
        liveBytes &+= other.liveBytes
        peakBytes &+= other.peakBytes
        peakBlocks &+= other.peakBlocks
        temporary &+= other.temporary
        slackBytes = Self.sum(slackBytes, other.slackBytes)
        temporaryBytes = Self.sum(temporaryBytes, other.temporaryBytes)
        elsewhere = Self.sum(elsewhere, other.elsewhere)
        elsewhereBytes = Self.sum(elsewhereBytes, other.elsewhereBytes)
    }

    private static func sum(_ one: Int?, _ other: Int?) -> Int? {
        guard let one, let other else { return nil }
        return one &+ other
    }

    /// The figures in whole blocks and bytes, from sums in `units`.
    func divided(by units: SumUnits) -> HeapFigures {
        if units == .whole { return self }
        var result = HeapFigures()
        result.allocations = Self.rounded(allocations, units.blocks)
        result.frees = Self.rounded(frees, units.blocks)
        result.bytes = Self.rounded(bytes, units.bytes)
        result.liveBlocks = Self.rounded(liveBlocks, units.blocks)
        result.liveBytes = Self.rounded(liveBytes, units.bytes)
        result.peakBytes = Self.rounded(peakBytes, units.bytes)
        result.peakBlocks = Self.rounded(peakBlocks, units.blocks)
        result.temporary = Self.rounded(temporary, units.blocks)
        result.slackBytes = slackBytes.map { Self.rounded($0, units.bytes) }
        result.temporaryBytes = temporaryBytes.map { Self.rounded($0, units.bytes) }
        result.elsewhere = elsewhere.map { Self.rounded($0, units.blocks) }
        result.elsewhereBytes = elsewhereBytes.map { Self.rounded($0, units.bytes) }
        return result
    }

    static func rounded(_ value: Int, _ units: Int) -> Int {
        units == 1 ? value : Int((Double(value) / Double(units)).rounded())
    }
}

extension Cell {
    /// The cell's sums, with the value the peak numbered `peak` saw, in the ledger's units.
    func figures(peak: Int) -> HeapFigures {
        var figures = HeapFigures()
        figures.allocations = allocations
        figures.frees = frees
        figures.bytes = bytes
        figures.liveBlocks = liveBlocks
        figures.liveBytes = liveBytes
        figures.peakBytes = peakNumber == peak ? bytesAtPeak : liveBytes
        figures.peakBlocks = peakNumber == peak ? blocksAtPeak : liveBlocks
        figures.temporary = temporary
        figures.slackBytes = withoutSlack == 0 ? slackBytes : nil
        figures.temporaryBytes = nil
        figures.elsewhere = nil
        figures.elsewhereBytes = nil
        return figures
    }
}
