// Chunks on their way out: header, payload by the codec that makes it smallest, checksums, padding. Hands bytes to a sink; it opens no file.
// What it packs it unpacks again and compares, so that a fault of the codec costs room and never an event.
internal import CTraceFormat
internal import TraceReader

/// What a chunk's header says beside its payload (FORMAT.md §2).
struct ChunkFields {
    var kind: UInt16
    var isSkippable = false
    var thread: UInt32 = 0
    var lane: UInt16 = 0
    var image: UInt16 = 0
    var firstTime: UInt64 = 0
    var lastTime: UInt64 = 0
    var allocations: UInt32 = 0
    var frees: UInt32 = 0
    var records: UInt32 = 0

    init(kind: ht_chunk_kind) { self.kind = UInt16(kind.rawValue) }

    init(_ chunk: TraceChunk) {
        kind = chunk.kind
        isSkippable = chunk.isSkippable
        thread = chunk.thread
        lane = chunk.lane
        image = chunk.image
        firstTime = chunk.firstTime
        lastTime = chunk.lastTime
        allocations = chunk.allocations
        frees = chunk.frees
        records = chunk.records
    }
}

/// Writes a trace's chunks one after the other.
final class ChunkWriter {
    /// How a payload may be packed.
    enum Packing {
        /// It stays as it is.
        case none
        /// It is packed already, with this codec, from so many bytes.
        case done(codec: UInt8, rawBytes: Int)
        /// Any bytes.
        case bytes
        /// The records of an EVENTS chunk.
        case events
    }

    private let level: Int
    private let sink: (UnsafeRawBufferPointer) throws -> Void
    private let codec = PayloadCodec()
    private var stored: [UInt8] = []
    private var spare: [UInt8] = []
    private var unpacked: [UInt64] = []
    /// Bytes written so far: where the next chunk starts.
    private(set) var offset: UInt64 = 0
    /// For the index: the offset and the header of every chunk.
    private(set) var rows: [UInt8] = []

    init(level: Int, sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
        self.level = level
        self.sink = sink
    }

    /// Writes bytes as they are.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if bytes.isEmpty { return }
        try sink(bytes)
        offset += UInt64(bytes.count)
    }

    /// Writes a chunk. `payload` is aligned to 8 bytes.
    func put(_ fields: ChunkFields, _ payload: UnsafeRawBufferPointer, packing: Packing) throws {
        switch packing {
        case .none: try put(fields, payload, codec: 0, rawBytes: payload.count)
        case .done(let codec, let rawBytes): try put(fields, payload, codec: codec, rawBytes: rawBytes)
        case .bytes, .events:
            guard let (kind, count) = packSmallest(fields, payload, packing) else {
                return try put(fields, payload, codec: 0, rawBytes: payload.count)
            }
            try stored.withUnsafeBytes {
                try put(
                    fields, UnsafeRawBufferPointer(rebasing: $0[..<count]), codec: kind.rawValue,
                    rawBytes: payload.count)
            }
        }
    }

    /// Packs into `stored`; nil when no codec makes the payload smaller. Small payloads are tried with both, for the columns have a directory.
    private func packSmallest(
        _ fields: ChunkFields, _ payload: UnsafeRawBufferPointer, _ packing: Packing
    ) -> (PayloadCodec.Kind, Int)? {
        var best: (PayloadCodec.Kind, Int)?
        if case .events = packing, let count = pack(.columns, fields, payload), count < payload.count {
            best = (.columns, count)
        }
        if best == nil || payload.count < 4096 {
            swap(&stored, &spare)
            if let count = pack(.zstd, fields, payload), count < best?.1 ?? payload.count {
                return (.zstd, count)
            }
            swap(&stored, &spare)
        }
        return best
    }

    private func pack(_ kind: PayloadCodec.Kind, _ fields: ChunkFields, _ payload: UnsafeRawBufferPointer) -> Int? {
        let bound = PayloadCodec.bound(payload.count)
        if stored.count < bound { stored = Array(repeating: 0, count: bound) }
        let words = (payload.count + 7) / 8
        if unpacked.count < words { unpacked = Array(repeating: 0, count: words) }
        return stored.withUnsafeMutableBytes { stored in
            unpacked.withUnsafeMutableBytes { unpacked in
                codec.packVerified(
                    kind, level: level, firstTime: fields.firstTime, payload, into: stored,
                    checking: UnsafeMutableRawBufferPointer(rebasing: unpacked[..<payload.count]))
            }
        }
    }

    private func put(
        _ fields: ChunkFields, _ payload: UnsafeRawBufferPointer, codec: UInt8, rawBytes: Int
    ) throws {
        var header = ht_chunk_header()
        header.magic = UInt32(HT_CHUNK_MAGIC)
        header.kind = fields.kind
        header.flags = fields.isSkippable ? UInt8(HT_CHUNK_SKIPPABLE) : 0
        header.codec = codec
        header.stored_bytes = UInt32(payload.count)
        header.raw_bytes = UInt32(rawBytes)
        header.thread = fields.thread
        header.lane = fields.lane
        header.image = fields.image
        header.first_time = fields.firstTime
        header.last_time = fields.lastTime
        header.allocations = fields.allocations
        header.frees = fields.frees
        header.records = fields.records
        header.payload_checksum = ht_crc32c(0, payload.baseAddress, payload.count)
        let start = offset
        try withUnsafeMutableBytes(of: &header) { bytes in
            let checksum = ht_crc32c(0, bytes.baseAddress, bytes.count - 4)
            bytes.storeBytes(of: checksum.littleEndian, toByteOffset: bytes.count - 4, as: UInt32.self)
            withUnsafeBytes(of: start.littleEndian) { rows += $0 }
            rows += bytes
            try write(UnsafeRawBufferPointer(bytes))
        }
        try write(payload)
        try withUnsafeBytes(of: UInt64(0)) {
            try write(UnsafeRawBufferPointer(rebasing: $0[..<(-payload.count & 7)]))
        }
    }
}
