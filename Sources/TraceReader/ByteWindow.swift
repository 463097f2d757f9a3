// Reads of fixed-width fields from a span of the file whose length was checked first. Everything that is not in the hot loops reads
// the file through this type; a read beyond the end is an error with its offset, never a trap.

/// A checked view of part of the file.
struct ByteWindow {
    /// The bytes in view.
    let bytes: UnsafeRawBufferPointer
    /// Where the view starts in the file, for error messages.
    let offset: UInt64
    /// 1, or 0 for bytes that were unpacked: they lie nowhere in the file but in their chunk, whose offset all their errors carry.
    let step: UInt64

    var count: Int { bytes.count }

    init(_ bytes: UnsafeRawBufferPointer, offset: UInt64, step: UInt64 = 1) {
        self.bytes = bytes
        self.offset = offset
        self.step = step
    }

    private func fault(at position: Int) -> TraceError {
        .corrupt(offset: offset + UInt64(max(position, 0)) * step, what: "a field runs past the end of its chunk")
    }

    func load<Number: FixedWidthInteger>(_ position: Int, as: Number.Type) throws(TraceError) -> Number {
        guard position >= 0, position <= bytes.count - MemoryLayout<Number>.size else {
            throw fault(at: position)
        }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Number.self))
    }

    func slice(_ position: Int, _ length: Int) throws(TraceError) -> ByteWindow {
        guard position >= 0, length >= 0, position <= bytes.count, length <= bytes.count - position else {
            throw fault(at: position)
        }
        return ByteWindow(
            UnsafeRawBufferPointer(rebasing: bytes[position..<position + length]),
            offset: offset + UInt64(position) * step, step: step)
    }

    /// The bytes as text; what is not UTF-8 is repaired.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The texts that each end in a NUL; the last may end with the window.
    var texts: [String] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        if parts.last == "" { parts.removeLast() }
        return parts
    }
}
