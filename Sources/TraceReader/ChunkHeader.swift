// The header of a chunk (FORMAT.md §2), and the compact rows that the reader keeps of the chunks and streams it found.

/// A chunk's 64 bytes, decoded and within bounds.
struct ChunkHeader {
    let kind: UInt16
    let isSkippable: Bool
    let codec: UInt8
    let storedBytes: Int
    let rawBytes: Int
    let thread: UInt32
    let lane: UInt16
    let image: UInt16
    let firstTime: UInt64
    let lastTime: UInt64
    let allocations: UInt32
    let frees: UInt32
    let records: UInt32
    let payloadChecksum: UInt32

    /// Decodes the header that the window holds from its start.
    init(parsing window: ByteWindow) throws(TraceError) {
        let offset = window.offset
        guard try window.load(0, as: UInt32.self) == 0x3143_5448 else {
            throw .corrupt(offset: offset, what: "no chunk starts here")
        }
        let checksum = Format.checksum(UnsafeRawBufferPointer(rebasing: window.bytes[..<60]))
        guard try window.load(60, as: UInt32.self) == checksum else {
            throw .corrupt(offset: offset, what: "the chunk header's checksum does not match")
        }
        kind = try window.load(4, as: UInt16.self)
        isSkippable = try window.load(6, as: UInt8.self) & 1 != 0
        codec = try window.load(7, as: UInt8.self)
        let stored = try window.load(8, as: UInt32.self)
        let raw = try window.load(12, as: UInt32.self)
        guard stored <= Format.payloadLimit, raw <= Format.payloadLimit else {
            throw .corrupt(offset: offset + 8, what: "a payload of more than 16 MiB")
        }
        guard codec != 0 || stored == raw else {
            throw .corrupt(offset: offset + 12, what: "a raw payload of two different sizes")
        }
        guard stored <= raw else {
            throw .corrupt(offset: offset + 8, what: "a payload that takes more room packed than unpacked")
        }
        storedBytes = Int(stored)
        rawBytes = Int(raw)
        thread = try window.load(16, as: UInt32.self)
        lane = try window.load(20, as: UInt16.self)
        image = try window.load(22, as: UInt16.self)
        firstTime = try window.load(24, as: UInt64.self)
        lastTime = try window.load(32, as: UInt64.self)
        allocations = try window.load(40, as: UInt32.self)
        frees = try window.load(44, as: UInt32.self)
        records = try window.load(48, as: UInt32.self)
        payloadChecksum = try window.load(52, as: UInt32.self)
    }
}

/// Where one EVENTS chunk lies: 32 bytes a chunk is all that a trace's length costs in memory.
struct ChunkRow: Sendable {
    /// Offset of the payload in the file, a multiple of 8.
    let payload: UInt64
    let firstTime: UInt64
    /// Words of the unpacked payload.
    let words: UInt32
    /// Bytes of the payload in the file.
    let storedBytes: UInt32
    /// The stream's next chunk: its row + 1; 0 for the last.
    var next: UInt32 = 0

    let codec: UInt8

    /// Whether its words lie in the file as they are.
    var isRaw: Bool { codec == 0 }

    init(_ header: ChunkHeader, payload: UInt64) {
        self.payload = payload
        firstTime = header.firstTime
        words = UInt32(header.rawBytes / 8)
        storedBytes = UInt32(header.storedBytes)
        codec = header.codec
    }
}

/// Which stream a chunk belongs to.
struct StreamKey: Hashable {
    let image: UInt16
    let lane: UInt16
    let thread: UInt32
}

/// The chunks of one (image, thread, lane), which are in time order.
struct StreamRow: Sendable {
    let image: UInt16
    let lane: UInt16
    let thread: UInt32
    /// Row + 1 of the first chunk; 0 without one.
    var firstChunk: UInt32 = 0
    var lastChunk: UInt32 = 0
    /// When its first chunk begins and its last event is: while it is read, its largest packed chunk is in memory, unpacked.
    var firstTime: UInt64 = .max
    var lastTime: UInt64 = 0
    var unpackedBytes = 0
    /// Stacks that were defined and not yet used, whose first use is the stream's next allocation.
    var pendingStacks: [Int] = []

    init(_ key: StreamKey) {
        image = key.image
        lane = key.lane
        thread = key.thread
    }

    /// Takes another chunk, whose latest event is at `lastTime`.
    mutating func note(_ header: ChunkHeader, lastTime latest: UInt64) {
        firstTime = min(firstTime, header.firstTime)
        lastTime = max(lastTime, latest)
        if header.codec != 0 { unpackedBytes = max(unpackedBytes, header.rawBytes) }
    }
}
