// The one file of the reader that talks to the codecs in C (CTraceCodec). A codec keeps tables and buffers from chunk to chunk; it is of one
// owner, who uses it from one thread at a time.

internal import CTraceCodec
internal import Glibc

/// Packs and unpacks the payloads of chunks (FORMAT.md §8).
package final class PayloadCodec {
    /// The codecs by their number in a chunk's header.
    package enum Kind: UInt8, Sendable {
        /// zstd over the payload as it is.
        case zstd = 1
        /// Events taken apart into columns, each compressed with zstd.
        case columns = 2
    }

    /// Made by the first payload: a trace as it was recorded holds none.
    private var made: OpaquePointer?
    private var codec: OpaquePointer {
        if let made { return made }
        guard let new = ht_codec_create() else { fatalError("out of memory") }
        made = new
        return new
    }

    /// A codec whose buffers are still empty.
    package init() {}

    deinit { if let made { ht_codec_destroy(made) } }

    /// The most bytes that packing so many can need.
    package static func bound(_ rawBytes: Int) -> Int { ht_codec_bound(rawBytes) }

    /// Packs a payload.
    /// - Parameters:
    ///   - level: zstd's.
    ///   - firstTime: the chunk's.
    ///   - raw: the payload, aligned to 8 bytes.
    ///   - stored: where it goes; see ``bound(_:)``.
    /// - Returns: the bytes it took; nil where the codec cannot say what the payload holds. O(bytes).
    package func pack(
        _ kind: Kind, level: Int, firstTime: UInt64, _ raw: UnsafeRawBufferPointer,
        into stored: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let count = ht_codec_pack(
            codec, kind.rawValue, Int32(level), firstTime, raw.baseAddress, raw.count, stored.baseAddress, stored.count)
        return count == 0 ? nil : count
    }

    /// Packs a payload, unpacks it into `check`, which is as large and aligned to 8 bytes, and compares.
    /// - Returns: the bytes it took; nil where they would not give the payload again. O(bytes).
    package func packVerified(
        _ kind: Kind, level: Int, firstTime: UInt64, _ raw: UnsafeRawBufferPointer,
        into stored: UnsafeMutableRawBufferPointer, checking check: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let count = pack(kind, level: level, firstTime: firstTime, raw, into: stored) else { return nil }
        let packed = UnsafeRawBufferPointer(rebasing: stored[..<count])
        guard unpack(codec: kind.rawValue, firstTime: firstTime, packed, into: check),
            check.elementsEqualBytes(raw)
        else { return nil }
        return count
    }

    /// Unpacks a payload whose header tells its codec, time and size; `raw` is aligned to 8 bytes and of exactly that size.
    /// - Returns: false when the stored bytes are none of such a payload.
    package func unpack(
        codec kind: UInt8, firstTime: UInt64, _ stored: UnsafeRawBufferPointer,
        into raw: UnsafeMutableRawBufferPointer
    ) -> Bool {
        ht_codec_unpack(codec, kind, firstTime, stored.baseAddress, stored.count, raw.baseAddress, raw.count)
    }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate func elementsEqualBytes(_ other: UnsafeRawBufferPointer) -> Bool {
        count == other.count && (count == 0 || memcmp(baseAddress!, other.baseAddress!, count) == 0)
    }
}

/// A codec and the payload that it unpacked last.
final class ChunkUnpacker {
    private let codec = PayloadCodec()
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit { buffer.deallocate() }

    /// The payload of a chunk whose stored bytes are in view. It lasts until the next.
    func unpack(_ header: ChunkHeader, _ stored: ByteWindow) throws(TraceError) -> ByteWindow {
        if buffer.count < header.rawBytes {
            buffer.deallocate()
            buffer = .allocate(byteCount: header.rawBytes, alignment: 16)
        }
        let raw = UnsafeMutableRawBufferPointer(rebasing: buffer[..<header.rawBytes])
        guard codec.unpack(codec: header.codec, firstTime: header.firstTime, stored.bytes, into: raw) else {
            throw .corrupt(offset: stored.offset, what: "a payload that its codec cannot unpack")
        }
        return ByteWindow(UnsafeRawBufferPointer(raw), offset: stored.offset, step: 0)
    }
}
