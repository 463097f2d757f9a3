// The first pass over a binary trace, front to back, once: every header, bound and checksum is verified here, every definition is
// collected, and the events are counted against their chunk's header. What it finds sound, the event loop reads without asking again.
// The first fault ends the scan; what came before stands.

/// Scans the chunks of a binary trace. `Self.scan` is the whole use.
struct TraceScanner {
    var contents = TraceContents()
    private var streamRows: [StreamKey: Int] = [:]
    private var imageRows: [Int: Int] = [:]
    var streamLosses = TraceLosses()
    private var chunkLosses = TraceLosses()
    private let unpacker = ChunkUnpacker()
    private var indexCheck = IndexCheck()

    /// Reads a whole file that starts with the magic.
    /// - Throws: when not even the file header can be read.
    static func scan(
        _ file: borrowing MappedFile, progress: (Double) -> Void = { _ in }
    ) throws(TraceError) -> TraceContents {
        var scanner = TraceScanner()
        scanner.contents.header = try TraceHeader(parsing: file.bytes)
        do throws(TraceError) {
            try scanner.scanChunks(file, progress)
        } catch {
            scanner.contents.corruption = error
        }
        try scanner.contents.checkUnpackedBytes()
        return scanner.finish()
    }

    private mutating func scanChunks(
        _ file: borrowing MappedFile, _ progress: (Double) -> Void
    ) throws(TraceError) {
        let whole = ByteWindow(file.bytes, offset: 0)
        var offset = Format.fileHeaderBytes
        var released = 0
        while offset < whole.count {
            guard whole.count - offset >= Format.chunkHeaderBytes else { return contents.cutOffset = UInt64(offset) }
            let header = try ChunkHeader(parsing: whole.slice(offset, Format.chunkHeaderBytes))
            let padded = (header.storedBytes + 7) & ~7
            let payloadOffset = offset + Format.chunkHeaderBytes
            guard whole.count - payloadOffset >= padded else { return contents.cutOffset = UInt64(offset) }
            let payload = try whole.slice(payloadOffset, header.storedBytes)
            guard Format.checksum(payload.bytes) == header.payloadChecksum else {
                throw .corrupt(offset: UInt64(payloadOffset), what: "the payload's checksum does not match")
            }
            for position in payloadOffset + header.storedBytes..<payloadOffset + padded {
                guard file.bytes[position] == 0 else {
                    throw .corrupt(offset: UInt64(position), what: "padding that is not zero")
                }
            }
            if contents.end != nil, header.kind != ChunkKind.index.rawValue {
                throw .corrupt(offset: UInt64(offset), what: "a chunk after the end")
            }
            try scanChunk(header, payload, at: UInt64(offset))
            indexCheck.note(whole.bytes, chunkAt: offset)
            offset = payloadOffset + padded
            if offset - released >= Trace.releaseStride {
                released = offset
                file.releasePages()
                progress(Double(offset) / Double(whole.count))
            }
        }
    }

    private mutating func scanChunk(
        _ header: ChunkHeader, _ stored: ByteWindow, at offset: UInt64
    ) throws(TraceError) {
        guard let kind = ChunkKind(rawValue: header.kind) else {
            if header.isSkippable { return }
            throw .unsupported(offset: offset + 4, what: "unknown chunk kind \(header.kind)")
        }
        guard header.codec <= Format.lastCodec else {
            throw .unsupported(offset: offset + 7, what: "unknown codec \(header.codec)")
        }
        let payload = header.codec == 0 ? stored : try unpacker.unpack(header, stored)
        switch kind {
        case .info:
            if header.image == 0 {
                try contents.facts.add(parsing: payload)
            } else {
                let image = imageRow(Int(header.image))
                try contents.images[image].facts.add(parsing: payload)
            }
        case .events, .definitions:
            try scanRecords(header, payload, isDefinitions: kind == .definitions)
        case .clock:
            let reading = try TraceContents.ClockReading(
                ticks: payload.load(0, as: UInt64.self), monotonic: payload.load(8, as: UInt64.self),
                realtime: payload.load(16, as: UInt64.self))
            if contents.firstClock == nil { contents.firstClock = reading }
            contents.lastClock = reading
        case .losses:
            chunkLosses.allocations = try payload.load(0, as: UInt64.self)
            chunkLosses.frees = try payload.load(8, as: UInt64.self)
            chunkLosses.bytes = try payload.load(16, as: UInt64.self)
            chunkLosses.reason = try TraceLosses.Reason(rawValue: payload.load(24, as: UInt32.self)) ?? .none
        case .end: try scanEnd(payload, at: offset)
        case .round: break
        case .index: try indexCheck.check(payload, at: offset)
        case .checkpoint: try takeCheckpoint(header, payload, at: offset)
        }
    }

    private mutating func scanEnd(_ payload: ByteWindow, at offset: UInt64) throws(TraceError) {
        let allocations = try payload.load(0, as: UInt64.self)
        let frees = try payload.load(8, as: UInt64.self)
        contents.end = try TraceEnd(
            how: TraceEnd.How(rawValue: payload.load(16, as: UInt32.self)) ?? .unknown,
            status: Int(payload.load(20, as: UInt32.self)), ticks: payload.load(24, as: UInt64.self))
        guard allocations == contents.allocations, frees == contents.frees else {
            throw .corrupt(
                offset: offset,
                what: "the end counts \(allocations) allocations and \(frees) frees, the chunks before it hold "
                    + "\(contents.allocations) and \(contents.frees)")
        }
    }

    /// The row of an image's tables, made when the image is first seen.
    mutating func imageRow(_ number: Int) -> Int {
        if let row = imageRows[number] { return row }
        contents.images.append(ImageTables(number: number))
        imageRows[number] = contents.images.count - 1
        return contents.images.count - 1
    }

    /// The row of the chunk's stream, made when the stream is first seen.
    mutating func streamRow(_ header: ChunkHeader) -> Int {
        let key = StreamKey(image: header.image, lane: header.lane, thread: header.thread)
        if let row = streamRows[key] { return row }
        contents.streams.append(StreamRow(key))
        streamRows[key] = contents.streams.count - 1
        return contents.streams.count - 1
    }

    /// Appends a chunk that was found sound to its stream.
    mutating func append(_ chunk: ChunkRow, to stream: Int) throws(TraceError) {
        guard contents.chunks.count < UInt32.max else {
            throw .unsupported(offset: chunk.payload, what: "more than four thousand million chunks")
        }
        contents.chunks.append(chunk)
        let number = UInt32(contents.chunks.count)
        let last = contents.streams[stream].lastChunk
        if last == 0 {
            contents.streams[stream].firstChunk = number
        } else {
            contents.chunks[Int(last) - 1].next = number
        }
        contents.streams[stream].lastChunk = number
    }

    private consuming func finish() -> TraceContents {
        // The LOSSES chunks are totals of the trace and the LOSS records those of streams; where both speak they speak of the same events.
        contents.losses.allocations = max(chunkLosses.allocations, streamLosses.allocations)
        contents.losses.frees = max(chunkLosses.frees, streamLosses.frees)
        contents.losses.bytes = max(chunkLosses.bytes, streamLosses.bytes)
        contents.losses.reason = chunkLosses.reason
        for row in contents.images.indices { contents.images[row].modules.sortForLookup() }
        for row in contents.streams.indices { contents.streams[row].pendingStacks = [] }
        return contents
    }
}
