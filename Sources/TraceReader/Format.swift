// The format's numbers on the Swift side (CShims/CTraceFormat/FORMAT.md is the specification; its header the C side).
// Those of the records are inlinable, for the event loop is specialised into the caller's module, which must not see the C module;
// the tests hold each of them, and the structures' layouts, against the header.

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
@usableFromInline
enum RecordWord {
    @inlinable static var kindMask: UInt64 { 7 }
    @inlinable static var free: UInt64 { 1 }
    @inlinable static var allocation: UInt64 { 2 }
    @inlinable static var reallocation: UInt64 { 3 }
    @inlinable static var typedAllocation: UInt64 { 4 }
    @inlinable static var sampledAllocation: UInt64 { 5 }
    @inlinable static var extended: UInt64 { 7 }

    @inlinable @inline(__always)
    static func delta(_ word: UInt64) -> UInt64 { (word >> 3) & 0x1FFFF }
    @inlinable @inline(__always)
    static func address(_ word: UInt64) -> UInt64 { (word >> 20) << 3 }
    @inlinable @inline(__always)
    static func size(_ word: UInt64) -> UInt64 { word & 0xFFFF_FFFF }
    @inlinable @inline(__always)
    static func stack(_ word: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: word >> 32) & 0xFFF_FFFF }
    @inlinable @inline(__always)
    static func alignment(_ word: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> 60) }
    @inlinable @inline(__always)
    static func sub(_ word: UInt64) -> UInt64 { (word >> 3) & 31 }
    /// Words that follow an EXTENDED record's first.
    @inlinable @inline(__always)
    static func followers(_ word: UInt64) -> Int { Int(truncatingIfNeeded: (word >> 8) & 0xFFFF) }
    @inlinable @inline(__always)
    static func argument(_ word: UInt64) -> UInt64 { word >> 24 }

    /// The words that a record of this first word has at least, by its kind.
    @inlinable @inline(__always)
    static func least(_ word: UInt64) -> Int {
        switch word & kindMask {
        case allocation: 2
        case reallocation, typedAllocation, sampledAllocation: 3
        default: 1
        }
    }

    /// The alignment code of a WIDE record's argument (log2 + 1 of the bytes, or 0).
    @inlinable
    static func alignmentCode(wide argument: UInt64) -> UInt8 {
        if argument == 0 { return 0 }
        let log2 = UInt8(truncatingIfNeeded: min(argument - 1, 63))
        return log2 >= 3 && log2 <= 17 ? log2 - 2 : 16 + log2
    }
}

/// Sub-kinds of EXTENDED that the event loop must know.
@usableFromInline
enum ExtendedSub {
    @inlinable static var time: UInt64 { 1 }
    @inlinable static var wideFree: UInt64 { 2 }
    @inlinable static var wideAllocation: UInt64 { 3 }
    @inlinable static var wideReallocation: UInt64 { 4 }
    @inlinable static var stack: UInt64 { 5 }
    @inlinable static var module: UInt64 { 6 }
    @inlinable static var moduleGone: UInt64 { 7 }
    @inlinable static var usable: UInt64 { 8 }
    @inlinable static var tag: UInt64 { 9 }
    @inlinable static var counter: UInt64 { 10 }
    @inlinable static var count: UInt64 { 11 }
    @inlinable static var thread: UInt64 { 12 }
    @inlinable static var type: UInt64 { 13 }
    @inlinable static var loss: UInt64 { 14 }
    @inlinable static var totals: UInt64 { 15 }
    @inlinable static var task: UInt64 { 16 }
    @inlinable static var image: UInt64 { 17 }
    @inlinable static var metadata: UInt64 { 18 }
    @inlinable static var freedType: UInt64 { 19 }

    /// The bit of WIDE_FREE's argument that says the block was freed as the next event of the thread that allocated it.
    @inlinable static var freedNext: UInt64 { 1 }
}
