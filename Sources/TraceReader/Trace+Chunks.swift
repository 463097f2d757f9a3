// The chunks of a binary trace as they lie in the file, for whoever writes them anew. The scan has verified them; a pass over them reads the
// file once more, front to back.

/// A chunk of a trace.
package struct TraceChunk {
    /// What it holds (FORMAT.md §2).
    package let kind: UInt16
    /// Whether a reader that does not know the kind may skip it.
    package let isSkippable: Bool
    /// How `payload` is packed: 0, and unpacked, for every kind that this version knows.
    package let codec: UInt8
    /// The payload's size once it is unpacked.
    package let rawBytes: Int
    /// Bytes of it in the file, its header left out.
    package let storedBytes: Int
    /// Serial of the thread.
    package let thread: UInt32
    /// Lane of the thread's streams.
    package let lane: UInt16
    /// Number of the image.
    package let image: UInt16
    /// The chunk's first time.
    package let firstTime: UInt64
    /// Its last.
    package let lastTime: UInt64
    /// ALLOC events.
    package let allocations: UInt32
    /// FREE events.
    package let frees: UInt32
    /// Records.
    package let records: UInt32
    /// The payload, aligned to 8 bytes; it lasts until the next chunk.
    package let payload: UnsafeRawBufferPointer

    init(_ header: ChunkHeader, codec: UInt8, payload: UnsafeRawBufferPointer) {
        kind = header.kind
        isSkippable = header.isSkippable
        self.codec = codec
        rawBytes = header.rawBytes
        storedBytes = header.storedBytes
        thread = header.thread
        lane = header.lane
        image = header.image
        firstTime = header.firstTime
        lastTime = header.lastTime
        allocations = header.allocations
        frees = header.frees
        records = header.records
        self.payload = payload
    }

    /// The stream's time behind the last record, which is where the stream's next chunk goes on. O(records).
    package var endTime: UInt64 {
        let words = payload.bindMemory(to: UInt64.self)
        var time = firstTime
        var at = 0
        while at < words.count {
            let word = words[at]
            switch word & RecordWord.kindMask {
            case RecordWord.extended:
                let followers = RecordWord.followers(word)
                let sub = RecordWord.sub(word)
                if sub == ExtendedSub.time, followers >= 1, at + 1 < words.count { time = words[at + 1] }
                if sub == ExtendedSub.wideReallocation, followers >= 2, at + 2 < words.count { time = words[at + 2] }
                at += 1 + followers
            case RecordWord.reallocation:
                time &+= RecordWord.delta(word)
                if at + 1 < words.count { time &+= RecordWord.delta(words[at + 1]) }
                at += 3
            case 0: at += 1
            default:
                time &+= RecordWord.delta(word)
                at += RecordWord.least(word)
            }
        }
        return time
    }
}

extension Trace {
    /// The 64 bytes in front of the chunks; none of a text trace.
    package var fileHeader: [UInt8] { isText ? [] : Array(fileBytes.prefix(Format.fileHeaderBytes)) }

    /// Bytes of the file.
    package var fileBytesCount: Int { fileBytes.count }

    /// The most streams of one image whose time spans overlap. O(streams log streams).
    package var concurrentStreams: Int { contents.peakOfStreams { _ in 1 }.values.max() ?? 0 }

    /// Delivers the whole chunks of a binary trace in the order of the file, up to where it is cut or corrupt.
    /// - Throws: what `body` throws, and ``TraceError`` when the file is no longer what it was when the trace was opened. O(file).
    package func forEachChunk(_ body: (TraceChunk) throws -> Void) throws {
        if isText { return }
        let whole = ByteWindow(fileBytes, offset: 0)
        let end = min(contents.cutOffset ?? .max, contents.corruption?.offset ?? .max)
        let unpacker = ChunkUnpacker()
        var offset = Format.fileHeaderBytes
        var released = 0
        while whole.count - offset >= Format.chunkHeaderBytes, UInt64(offset) < end {
            let header = try ChunkHeader(parsing: whole.slice(offset, Format.chunkHeaderBytes))
            let stored = try whole.slice(offset + Format.chunkHeaderBytes, header.storedBytes)
            guard Format.checksum(stored.bytes) == header.payloadChecksum else {
                throw TraceError.corrupt(offset: stored.offset, what: "the file changed while it was read")
            }
            if header.codec == 0 || ChunkKind(rawValue: header.kind) == nil {
                try body(TraceChunk(header, codec: header.codec, payload: stored.bytes))
            } else {
                try body(TraceChunk(header, codec: 0, payload: unpacker.unpack(header, stored).bytes))
            }
            offset += Format.chunkHeaderBytes + (header.storedBytes + 7) & ~7
            if offset - released >= Trace.releaseStride {
                released = offset
                releasePages()
            }
        }
    }
}
