// What is live at a moment of the trace, as a profile of its own: the blocks that are live are all there is. Where a compacted trace has a checkpoint
// before the moment, the pass begins there; both ways give the same profile, for nothing that only the past can tell is in it.
internal import TraceReader

extension CellTable {
    /// The cells that hold live blocks, in an order that does not depend on how they came to be.
    var liveNumbers: [Int] {
        (0..<count).filter { cells[$0].liveBlocks != 0 }
            .sorted { cells[$0].key.rank < cells[$1].key.rank }
    }
}

extension CellKey {
    fileprivate var rank: (UInt32, UInt64, UInt64, UInt32, UInt8) { (stack, type, size, thread, order.rawValue) }
}

extension ProfileCell {
    /// Leaves what is live: allocations and bytes are those of the live blocks.
    mutating func keepLive() {
        var live = HeapFigures()
        live.allocations = figures.liveBlocks
        live.bytes = figures.liveBytes
        live.liveBlocks = figures.liveBlocks
        live.liveBytes = figures.liveBytes
        live.slackBytes = nil
        figures = live
        lifetimes = 0..<0
        guard let past = variance else { return }
        var kept = SampleVariance()
        kept.allocations = past.liveBlocks
        kept.bytes = past.liveBytes
        kept.liveBlocks = past.liveBlocks
        kept.liveBytes = past.liveBytes
        variance = kept
    }
}

extension TraceSummary {
    /// Notes that the analysis ended at a moment, and leaves of it what is live when nothing else was kept.
    mutating func end(at moment: ResolvedMoment, keepsLiveOnly: Bool) {
        endsAtMoment = true
        momentNanoseconds = moment.nanoseconds
        durationNanoseconds = moment.durationNanoseconds
        guard keepsLiveOnly else { return }
        isLiveOnly = true
        bytesAllocated = liveBytes
        reallocations = 0
        peakBytes = 0
        peakAfterNanoseconds = nil
        temporary = 0
        threads = 0
        unmatchedFrees = 0
        inheritedFrees = 0
        missingFrees = 0
        guard var errors = standardError else { return }
        errors.bytes = errors.liveBytes
        (errors.frees, errors.peakBytes, errors.temporary) = (0, 0, 0)
        standardError = errors
    }
}

extension HeapLedger {
    /// Begins with the blocks of a checkpoint instead of the events before it. O(blocks).
    mutating func begin(with blocks: [CheckpointBlock], of checkpoint: TraceCheckpoint, types: StackTypes) {
        for block in blocks {
            allocate(
                address: block.address, size: block.size, stack: block.stack.rawValue, thread: block.thread.rawValue,
                time: block.time, alignment: block.alignmentCode,
                type: block.typeID != 0 ? block.typeID : types[block.stack.rawValue],
                weight: Float(block.weight))
        }
        setPast(allocations: Int(clamping: checkpoint.allocations), frees: Int(clamping: checkpoint.frees))
    }
}
