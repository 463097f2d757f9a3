// The chunks of one stream that wait to be written as one. Raw words, appended as they come; the owner decides when they are enough.
internal import CTraceFormat
internal import TraceReader

/// Records of one (image, thread, lane) that were read and not yet written.
struct StreamBuffer {
    private(set) var fields = ChunkFields(kind: HT_CHUNK_EVENTS)
    private(set) var words: [UInt64] = []
    private var endTime: UInt64 = 0

    var bytes: Int { words.count * 8 }
    private var hasEvents: Bool { fields.allocations > 0 || fields.frees > 0 }

    /// Whether the records of a chunk can follow in one payload without changing: its time goes on where ours ends. Chunks without events, which
    /// do not count for when an image's first and last event were, stay by themselves.
    func canTake(_ chunk: TraceChunk) -> Bool {
        let (allocations, isOver) = fields.allocations.addingReportingOverflow(chunk.allocations)
        return words.isEmpty
            || (chunk.firstTime == endTime && hasEvents && (chunk.allocations > 0 || chunk.frees > 0) && !isOver
                && allocations < UInt32.max / 2)
    }

    /// Appends the records of a chunk that it can take.
    mutating func take(_ chunk: TraceChunk) {
        if words.isEmpty {
            fields = ChunkFields(chunk)
        } else {
            fields.lastTime = chunk.lastTime
            fields.allocations += chunk.allocations
            fields.frees += chunk.frees
            fields.records &+= chunk.records
        }
        words += chunk.payload.bindMemory(to: UInt64.self)
        endTime = chunk.endTime
    }

    /// Forgets what was written, and gives the room back: there may be any number of streams.
    mutating func clear() { words = [] }
}
