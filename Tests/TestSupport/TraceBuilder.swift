// Writes traces by hand for tests: file header, chunks with their checksums, and (in RecordWriter) records word by word. It shares no code
// with the recorder or the reader beyond the checksum, so that a mistake in either shows.

internal import CTraceFormat

/// A trace file under construction.
package struct TraceBuilder {
    /// The bytes so far.
    package private(set) var bytes: [UInt8] = []
    /// Allocations and frees of the event chunks so far, for ``end(how:status:ticks:)``.
    package private(set) var allocations: UInt64 = 0
    /// Frees so far.
    package private(set) var frees: UInt64 = 0

    /// Starts a file with a header of these facts.
    package init(
        major: UInt16 = 1, minor: UInt16 = 3, architecture: UInt8 = 1, clock: UInt8 = 1, mode: UInt32 = 1,
        flags: UInt32 = 0, pid: UInt32 = 4242, sampleBytes: UInt64 = 0, startTicks: UInt64 = 1000,
        startNanoseconds: UInt64 = 1_700_000_000_000_000_000
    ) {
        bytes += [0x89, 0x48, 0x54, 0x52, 0x0D, 0x0A, 0x1A, 0x0A]
        append(major)
        append(minor)
        bytes += [architecture, 1, 64, clock]
        append(UInt32(4096))
        append(mode)
        append(flags)
        append(pid)
        append(sampleBytes)
        append(startTicks)
        append(startNanoseconds)
        append(UInt32(0))
        append(Self.checksum(bytes[...]))
    }

    /// CRC-32C of the bytes.
    package static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { ht_crc32c(0, $0.baseAddress, $0.count) }
    }

    /// Appends a chunk of any kind; checksums and padding are made here.
    package mutating func chunk(
        kind: UInt16, skippable: Bool = false, codec: UInt8 = 0, thread: UInt32 = 0, lane: UInt16 = 0,
        image: UInt16 = 0,
        firstTime: UInt64 = 0, lastTime: UInt64 = 0, allocations: UInt32 = 0, frees: UInt32 = 0, records: UInt32 = 0,
        rawBytes: Int? = nil, payload: [UInt8]
    ) {
        let start = bytes.count
        append(UInt32(0x3143_5448))
        append(kind)
        bytes += [skippable ? 1 : 0, codec]
        append(UInt32(payload.count))
        append(UInt32(rawBytes ?? payload.count))
        append(thread)
        append(lane)
        append(image)
        append(firstTime)
        append(lastTime)
        append(allocations)
        append(frees)
        append(records)
        append(Self.checksum(payload[...]))
        append(UInt32(0))
        append(Self.checksum(bytes[start...]))
        bytes += payload
        bytes += [UInt8](repeating: 0, count: (8 - payload.count % 8) % 8)
    }

    /// Appends an EVENTS chunk (or DEFINITIONS) of what was written to `records`.
    package mutating func events(
        thread: UInt32 = 1, lane: UInt16 = 0, image: UInt16 = 1, from firstTime: UInt64 = 1000,
        definitions: Bool = false,
        _ write: (inout RecordWriter) -> Void
    ) {
        var records = RecordWriter(time: firstTime)
        write(&records)
        allocations += UInt64(records.allocations)
        frees += UInt64(records.frees)
        chunk(
            kind: definitions ? 3 : 2, thread: thread, lane: lane, image: image, firstTime: firstTime,
            lastTime: records.time, allocations: records.allocations, frees: records.frees, records: records.records,
            payload: records.payload)
    }

    /// Appends an INFO chunk of keys and texts.
    package mutating func info(image: UInt16 = 0, _ entries: [(key: UInt16, text: String)]) {
        var payload = TraceBuilder.Bytes()
        for entry in entries {
            payload.append(entry.key)
            payload.append(UInt16(0))
            payload.append(UInt32(entry.text.utf8.count))
            payload.bytes += entry.text.utf8
            payload.pad()
        }
        chunk(kind: 1, image: image, payload: payload.bytes)
    }

    /// Appends a CLOCK chunk.
    package mutating func clock(ticks: UInt64, monotonic: UInt64, realtime: UInt64) {
        chunk(kind: 5, skippable: true, payload: words(ticks, monotonic, realtime))
    }

    /// Appends a ROUND chunk.
    package mutating func round(watermark: UInt64) { chunk(kind: 4, skippable: true, payload: words(watermark)) }

    /// Appends a LOSSES chunk.
    package mutating func losses(allocations: UInt64, frees: UInt64, bytes: UInt64, reason: UInt32) {
        chunk(kind: 6, payload: words(allocations, frees, bytes, UInt64(reason)))
    }

    /// Appends the END chunk, with the counts of the events so far unless others are given.
    package mutating func end(
        how: UInt32 = 1, status: UInt32 = 0, ticks: UInt64 = 9000, allocations: UInt64? = nil, frees: UInt64? = nil
    ) {
        chunk(
            kind: 7,
            payload: words(
                allocations ?? self.allocations, frees ?? self.frees, UInt64(status) << 32 | UInt64(how), ticks))
    }

    /// Appends bytes as they are.
    package mutating func raw(_ more: [UInt8]) { bytes += more }

    private func words(_ words: UInt64...) -> [UInt8] {
        var payload = Bytes()
        for word in words { payload.append(word) }
        return payload.bytes
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }

    /// Little-endian numbers one after the other.
    package struct Bytes {
        /// The bytes so far.
        package var bytes: [UInt8] = []

        /// Starts empty.
        package init() {}

        /// Appends a number, little-endian.
        package mutating func append(_ number: some FixedWidthInteger) {
            withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
        }

        /// Appends zeros up to a multiple of 8.
        package mutating func pad() { bytes += [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8) }
    }
}
