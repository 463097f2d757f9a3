// The format's numbers on the Swift side (CShims/CTraceFormat/FORMAT.md is the specification; its header the C side).
// The tests hold each of them, and the structures' layouts, against the header.

internal import CTraceFormat

/// Sizes, versions and bounds of the file and its chunks.
enum Format {
    static var majorVersion: Int { Int(HT_VERSION_MAJOR) }
    static var minorVersion: Int { Int(HT_VERSION_MINOR) }
    static var fileHeaderBytes: Int { Int(HT_FILE_HEADER_BYTES) }
    static var chunkHeaderBytes: Int { Int(HT_CHUNK_HEADER_BYTES) }
    /// Bytes that the packed chunks of one image which are read at the same time may need in memory, unpacked (FORMAT.md §8).
    static var unpackedLimit: Int { 1 << 30 }
    static var payloadLimit: UInt32 { UInt32(HT_CHUNK_PAYLOAD_MAX) }
    static let magic: [UInt8] = [0x89, 0x48, 0x54, 0x52, 0x0D, 0x0A, 0x1A, 0x0A]
    /// Frames of the deepest call stack that a definition may build upon a base.
    static let depthLimit: UInt64 = 65535

    static var lastCodec: UInt8 { UInt8(HT_CODEC_COLUMNS.rawValue) }

    static let indexEnding: UInt64 = 0x5845_444E_4952_5448  // "HTRINDEX"

    static func checksum(_ bytes: UnsafeRawBufferPointer, after seed: UInt32 = 0) -> UInt32 {
        ht_crc32c(seed, bytes.baseAddress, bytes.count)
    }
}

/// The payload of a chunk (FORMAT.md §2).
enum ChunkKind: UInt16 {
    case info = 1
    case events = 2
    case definitions = 3
    case round = 4
    case clock = 5
    case losses = 6
    case end = 7
    case index = 8
    case checkpoint = 9
}

/// Bit fields of a record's words (FORMAT.md §4).
enum RecordWord {
    static var kindMask: UInt64 { 7 }
    static var free: UInt64 { 1 }
    static var allocation: UInt64 { 2 }
    static var reallocation: UInt64 { 3 }
    static var typedAllocation: UInt64 { 4 }
    static var sampledAllocation: UInt64 { 5 }
    static var extended: UInt64 { 7 }

    @inline(__always)
    static func delta(_ word: UInt64) -> UInt64 { (word >> 3) & 0x1FFFF }
    @inline(__always)
    static func address(_ word: UInt64) -> UInt64 { (word >> 20) << 3 }
    @inline(__always)
    static func size(_ word: UInt64) -> UInt64 { word & 0xFFFF_FFFF }
    @inline(__always)
    static func stack(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> 32) & 0xFFF_FFFF }
    @inline(__always)
    static func alignment(_ word: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> 60) }
    @inline(__always)
    static func sub(_ word: UInt64) -> UInt64 { (word >> 3) & 31 }
    /// Words that follow an EXTENDED record's first.
    @inline(__always)
    static func followers(_ word: UInt64) -> Int { Int(truncatingIfNeeded: (word >> 8) & 0xFFFF) }
    @inline(__always)
    static func argument(_ word: UInt64) -> UInt64 { word >> 24 }

    /// The words that a record of this first word has at least, by its kind.
    @inline(__always)
    static func least(_ word: UInt64) -> Int {
        switch word & kindMask {
        case allocation: 2
        case reallocation, typedAllocation, sampledAllocation: 3
        default: 1
        }
    }

    /// The alignment code of a WIDE record's argument (log2 + 1 of the bytes, or 0).
    static func alignmentCode(wide argument: UInt64) -> UInt8 {
        if argument == 0 { return 0 }
        let log2 = UInt8(truncatingIfNeeded: min(argument - 1, 63))
        return log2 >= 3 && log2 <= 17 ? log2 - 2 : 16 + log2
    }
}

/// Sub-kinds of EXTENDED that the event loop must know.
enum ExtendedSub {
    static var time: UInt64 { 1 }
    static var wideFree: UInt64 { 2 }
    static var wideAllocation: UInt64 { 3 }
    static var wideReallocation: UInt64 { 4 }
    static var stack: UInt64 { 5 }
    static var module: UInt64 { 6 }
    static var moduleGone: UInt64 { 7 }
    static var usable: UInt64 { 8 }
    static var tag: UInt64 { 9 }
    static var counter: UInt64 { 10 }
    static var count: UInt64 { 11 }
    static var thread: UInt64 { 12 }
    static var type: UInt64 { 13 }
    static var loss: UInt64 { 14 }
    static var totals: UInt64 { 15 }
    static var task: UInt64 { 16 }
    static var image: UInt64 { 17 }
    static var metadata: UInt64 { 18 }
    static var freedType: UInt64 { 19 }
    static var stackType: UInt64 { 20 }

    /// The bit of WIDE_FREE's argument that says the block was freed as the next event of the thread that allocated it.
    static var freedNext: UInt64 { 1 }
}
