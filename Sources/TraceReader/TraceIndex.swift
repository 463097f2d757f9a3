// The INDEX chunk (FORMAT.md §9) beside the chunks that a scan has found.

/// A running checksum of the rows that an index of the chunks so far would hold: it compares without keeping them.
struct IndexCheck {
    private var rows = 0
    private var checksum: UInt32 = 0
    private static let rowBytes = 8 + Format.chunkHeaderBytes
    private static let endingBytes = 16

    /// Takes the chunk at an offset, whose header lies in the file.
    mutating func note(_ file: UnsafeRawBufferPointer, chunkAt offset: Int) {
        rows += 1
        checksum = withUnsafeBytes(of: UInt64(offset).littleEndian) { Format.checksum($0, after: checksum) }
        checksum = Format.checksum(
            UnsafeRawBufferPointer(rebasing: file[offset..<offset + Format.chunkHeaderBytes]), after: checksum)
    }

    /// Holds an index against the chunks before it. One without the ending is of version 1.0, which did not say how it looks.
    func check(_ payload: ByteWindow, at offset: UInt64) throws(TraceError) {
        let count = payload.count - Self.endingBytes
        guard count >= 0, try payload.load(count + 8, as: UInt64.self) == Format.indexEnding else { return }
        guard try payload.load(count, as: UInt64.self) == offset, count == rows * Self.rowBytes,
            Format.checksum(UnsafeRawBufferPointer(rebasing: payload.bytes[..<count])) == checksum
        else { throw .corrupt(offset: payload.offset, what: "an index of other chunks than the file holds") }
    }
}
