// Writing a trace anew, small: the chunks of each stream are joined, so that the codec sees far, and packed. Nothing is left out but what can be
// made again from the rest (rounds, index, checkpoints), and every record is carried word for word.
// Streams: memory is bounded by what waits to be joined, whatever the length of the trace. No file is opened here.
internal import CTraceFormat
package import TraceReader

/// Writes a trace so that it takes little room.
package struct TraceCompactor {
    /// How hard to try.
    package struct Options: Sendable {
        /// zstd's compression level, 1 to 19.
        package var level = 9
        /// Events between two checkpoints of an image, at least.
        package var checkpointInterval: UInt64 = 4_000_000
        /// And for each block that is live.
        package var checkpointEventsPerBlock: UInt64 = 64
        /// The default.
        package init() {}
    }

    /// What came of it.
    package struct Outcome: Sendable {
        /// Bytes written.
        package var bytes: UInt64 = 0
    }

    /// Bytes of records that wait, all streams together.
    private static let waitingLimit = 64 << 20
    /// Raw bytes of the largest chunk made here: beyond it, packing gains a hundredth.
    private static let largestChunk = 8 << 20
    private static let smallestChunk = 32 << 10
    /// Half of what a reader may need for all streams of an image at once.
    private static let readerShare = 128 << 20

    private static let indexEnding: UInt64 = 0x5845_444E_4952_5448  // "HTRINDEX"

    private let trace: Trace
    private let options: Options
    private let writer: ChunkWriter
    private let concurrentStreams: Int
    private var streams: [StreamBuffer] = []
    private var rows: [StreamKey: Int] = [:]
    private var waitingBytes = 0
    private var readBytes = 0
    private var hasEnd = false
    private var progress: (Double) -> Void = { _ in }

    private struct StreamKey: Hashable {
        var image: UInt16
        var thread: UInt32
        var lane: UInt16
    }

    /// Writes a binary trace that is not corrupt; one that was cut stays cut.
    /// - Parameters:
    ///   - progress: told now and then what share of the file is read, from 0 to 1.
    ///   - sink: takes the bytes in order.
    /// - Throws: what `sink` throws, and ``TraceError`` when the file changes meanwhile. O(events).
    package static func write(
        _ trace: Trace, options: Options = Options(), progress: @escaping (Double) -> Void = { _ in },
        to sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Outcome {
        var compactor = TraceCompactor(trace, options, sink)
        compactor.progress = progress
        try compactor.putHeader()
        try compactor.putChunks()
        return Outcome(bytes: compactor.writer.offset)
    }

    private init(_ trace: Trace, _ options: Options, _ sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.trace = trace
        self.options = options
        writer = ChunkWriter(level: options.level, sink: sink)
        concurrentStreams = max(1, trace.concurrentStreams)
    }

    /// The file header with the version whose codecs are used.
    private func putHeader() throws {
        var header = trace.fileHeader
        withUnsafeBytes(of: UInt16(HT_VERSION_MINOR).littleEndian) { header.replaceSubrange(10..<12, with: $0) }
        let checksum = header.withUnsafeBytes { ht_crc32c(0, $0.baseAddress, 60) }
        withUnsafeBytes(of: checksum.littleEndian) { header.replaceSubrange(60..<64, with: $0) }
        try header.withUnsafeBytes { try writer.write($0) }
    }

    private mutating func putChunks() throws {
        try trace.forEachChunk { try take($0) }
        if !hasEnd {
            try flushAll()
            try putCheckpoints()
        }
    }

    private func putCheckpoints() throws {
        for image in trace.images {
            let checkpoints = CheckpointWriter(
                writer: writer, image: image.number, interval: options.checkpointInterval,
                eventsPerBlock: options.checkpointEventsPerBlock)
            try checkpoints.write(trace)
        }
    }

    /// The index, behind the end; none where it would be larger than a chunk.
    private func putIndex() throws {
        var payload = writer.rows
        for word in [writer.offset, Self.indexEnding] {
            withUnsafeBytes(of: word.littleEndian) { payload += $0 }
        }
        if payload.count > Int(HT_CHUNK_PAYLOAD_MAX) { return }
        var fields = ChunkFields(kind: HT_CHUNK_INDEX)
        fields.isSkippable = true
        try payload.withUnsafeBytes { try writer.put(fields, $0, packing: .none) }
    }

    private mutating func take(_ chunk: TraceChunk) throws {
        switch UInt32(chunk.kind) {
        case HT_CHUNK_EVENTS.rawValue: try takeEvents(chunk)
        case HT_CHUNK_ROUND.rawValue, HT_CHUNK_INDEX.rawValue, HT_CHUNK_CHECKPOINT.rawValue: break
        case HT_CHUNK_DEFINITIONS.rawValue:
            // Of a thread's names the last one counts: what it said before goes first.
            try flush { $0.image == chunk.image && $0.thread == chunk.thread }
            try writer.put(ChunkFields(chunk), chunk.payload, packing: .bytes)
        case HT_CHUNK_INFO.rawValue: try writer.put(ChunkFields(chunk), chunk.payload, packing: .bytes)
        case HT_CHUNK_END.rawValue:
            hasEnd = true
            try flushAll()
            try putCheckpoints()
            try writer.put(ChunkFields(chunk), chunk.payload, packing: .none)
            try putIndex()
        default:
            try writer.put(
                ChunkFields(chunk), chunk.payload,
                packing: chunk.codec == 0 ? .none : .done(codec: chunk.codec, rawBytes: chunk.rawBytes))
        }
    }

    private mutating func takeEvents(_ chunk: TraceChunk) throws {
        let key = StreamKey(image: chunk.image, thread: chunk.thread, lane: chunk.lane)
        let row = rows[key] ?? streams.count
        if row == streams.count {
            rows[key] = row
            streams.append(StreamBuffer())
        }
        let largest = min(
            Self.largestChunk, max(Self.smallestChunk, Self.readerShare / concurrentStreams))
        if !streams[row].canTake(chunk) || streams[row].bytes + chunk.payload.count > largest { try flush(row) }
        if waitingBytes + chunk.payload.count > Self.waitingLimit { try flushAll() }
        streams[row].take(chunk)
        waitingBytes += chunk.payload.count
        readBytes += chunk.storedBytes
    }

    private mutating func flushAll() throws { try flush { _ in true } }

    private mutating func flush(_ isMeant: (ChunkFields) -> Bool) throws {
        for row in streams.indices where streams[row].bytes > 0 && isMeant(streams[row].fields) { try flush(row) }
    }

    private mutating func flush(_ row: Int) throws {
        let bytes = streams[row].bytes
        if bytes == 0 { return }
        // A reader unpacks one chunk of each stream at a time: where all of them together would take too much, they stay raw.
        let (needed, isOver) = bytes.multipliedReportingOverflow(by: concurrentStreams)
        let packing = isOver || needed > 4 * Self.readerShare ? ChunkWriter.Packing.none : .events
        let fields = streams[row].fields
        try streams[row].words.withUnsafeBytes { try writer.put(fields, $0, packing: packing) }
        streams[row].clear()
        waitingBytes -= bytes
        progress(Double(readBytes) / Double(max(1, trace.fileBytesCount)))
    }
}
