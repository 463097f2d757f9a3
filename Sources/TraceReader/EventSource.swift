// The chunks that the event loop reads: raw ones in the file, packed ones unpacked into a buffer of their stream, which lives while the stream
// is read. What stands in those buffers at once was bounded by the scan.

/// Gives the words of chunks to the cursors of one walk over an image.
final class EventSource {
    let chunks: [ChunkRow]
    let file: UnsafeRawBufferPointer
    private let codec = PayloadCodec()
    private var buffers: [UnsafeMutableRawBufferPointer]
    private var bufferedBytes = 0

    /// For a walk of so many cursors.
    init(_ trace: Trace, cursors: Int) {
        chunks = trace.chunkRows
        file = trace.fileBytes
        buffers = Array(repeating: UnsafeMutableRawBufferPointer(start: nil, count: 0), count: cursors)
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
    }

    /// The words of a chunk; they last until the cursor's next. The file was verified, but another process may write to it meanwhile: a chunk
    /// that is no longer what it was has no words.
    func words(of chunk: ChunkRow, cursor: Int) -> UnsafeBufferPointer<UInt64> {
        let start = Int(chunk.payload)
        if chunk.isRaw {
            let words = (file.baseAddress! + start).assumingMemoryBound(to: UInt64.self)
            return UnsafeBufferPointer(start: words, count: Int(chunk.words))
        }
        let bytes = Int(chunk.words) * 8
        if buffers[cursor].count < bytes {
            close(cursor)
            guard bufferedBytes + bytes <= Format.unpackedLimit else {
                return UnsafeBufferPointer(start: nil, count: 0)
            }
            buffers[cursor] = .allocate(byteCount: bytes, alignment: 16)
            bufferedBytes += bytes
        }
        let raw = UnsafeMutableRawBufferPointer(rebasing: buffers[cursor][..<bytes])
        let stored = UnsafeRawBufferPointer(rebasing: file[start..<start + Int(chunk.storedBytes)])
        guard codec.unpack(codec: chunk.codec, firstTime: chunk.firstTime, stored, into: raw) else {
            return UnsafeBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(raw).assumingMemoryBound(to: UInt64.self)
    }

    /// Frees the buffer of a cursor that is behind its last event.
    func close(_ cursor: Int) {
        bufferedBytes -= buffers[cursor].count
        buffers[cursor].deallocate()
        buffers[cursor] = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
}

extension TraceContents {
    /// Refuses a trace whose packed chunks that are read at the same time need more memory than the format allows. O(streams log streams).
    func checkUnpackedBytes() throws(TraceError) {
        for (image, bytes) in peakOfStreams(\.unpackedBytes) where bytes > Format.unpackedLimit {
            throw .unsupported(
                offset: UInt64(Format.fileHeaderBytes),
                what: "reading image \(image) would take \(bytes >> 20) MiB for the packed chunks of its threads")
        }
    }

    /// For each image the most of something that its streams hold at the same time.
    func peakOfStreams(_ amount: (StreamRow) -> Int) -> [UInt16: Int] {
        var changes: [(image: UInt16, time: UInt64, isEnd: Bool, amount: Int)] = []
        for stream in streams where stream.firstChunk != 0 && amount(stream) > 0 {
            changes.append((stream.image, stream.firstTime, false, amount(stream)))
            changes.append((stream.image, max(stream.firstTime, stream.lastTime), true, -amount(stream)))
        }
        changes.sort { ($0.image, $0.time, $0.isEnd ? 1 : 0) < ($1.image, $1.time, $1.isEnd ? 1 : 0) }
        var peaks: [UInt16: Int] = [:]
        var current = 0
        for change in changes {
            current += change.amount
            peaks[change.image] = max(peaks[change.image] ?? 0, current)
        }
        return peaks
    }
}
