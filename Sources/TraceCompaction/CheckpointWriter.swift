// CHECKPOINT chunks (FORMAT.md §9): a replay of each image, and what is live now and then on the way. Memory grows with the live blocks.
internal import CTraceFormat
internal import HeapAnalysis
internal import TraceReader

/// Writes the checkpoints of one image.
struct CheckpointWriter {
    private static let blocksPerPart = 340_000

    let writer: ChunkWriter
    let image: Int
    /// Events between two checkpoints, at least.
    let interval: UInt64
    /// And for each live block: so they cost a small share of what the events take.
    let eventsPerBlock: UInt64

    /// Replays the image. A checkpoint is due after so many events; it waits until the next event is a later one and nothing is out of order.
    func write(_ trace: Trace) throws {
        var live = LiveSet(hasLosses: trace.losses.events > 0)
        try withUnsafeMutablePointer(to: &live) { live in
            var replay = Replay(writer: self, live: live, due: interval)
            try trace.forEachEvent(image: image, &replay)
        }
    }

    /// Takes the events; the live set outlives it.
    private struct Replay: EventVisitor {
        let writer: CheckpointWriter
        let live: UnsafeMutablePointer<LiveSet>
        var time: UInt64 = 0
        var due: UInt64

        mutating func visit(_ event: HeapEvent) throws(any Error) {
            let events = live.pointee.allocations + live.pointee.frees
            if events >= due, event.time > time, live.pointee.isSettled {
                try writer.put(live.pointee, at: time)
                due = events + max(writer.interval, writer.eventsPerBlock * UInt64(live.pointee.count))
            }
            live.pointee.take(event)
            time = max(time, event.time)
        }
    }

    private func put(_ live: borrowing LiveSet, at time: UInt64) throws {
        let blocks = live.sortedBlocks()
        let parts = max(1, (blocks.count + Self.blocksPerPart - 1) / Self.blocksPerPart)
        var fields = ChunkFields(kind: HT_CHUNK_CHECKPOINT)
        fields.isSkippable = true
        fields.image = UInt16(image)
        fields.firstTime = time
        fields.lastTime = time
        var last: UInt64 = 0
        for part in 0..<parts {
            let rows = blocks[part * Self.blocksPerPart..<min(blocks.count, (part + 1) * Self.blocksPerPart)]
            var words = [UInt64(parts) << 32 | UInt64(part), UInt64(rows.count), UInt64(blocks.count)]
            words += [live.allocations, live.frees]
            words.reserveCapacity(5 + rows.count * 7)
            for row in rows {
                words.append(row.address &- last)
                last = row.address
            }
            words += rows.lazy.map(\.size)
            words += rows.lazy.map(\.time)
            words += rows.lazy.map(\.typeID)
            words += rows.lazy.map(\.weight.bitPattern)
            words += Self.packed(rows.map(\.stack.rawValue) + rows.map(\.thread.rawValue))
            words += Self.packed(rows.map(\.alignmentCode))
            try words.withUnsafeBytes { try writer.put(fields, $0, packing: .bytes) }
        }
    }

    /// Little-endian numbers as words, zeros behind the last.
    private static func packed<Number: FixedWidthInteger>(_ numbers: [Number]) -> [UInt64] {
        let each = 8 / MemoryLayout<Number>.size
        return stride(from: 0, to: numbers.count, by: each).map { start in
            var word: UInt64 = 0
            for position in (start..<min(start + each, numbers.count)).reversed() {
                word = word << UInt64(Number.bitWidth) | UInt64(truncatingIfNeeded: numbers[position])
            }
            return word
        }
    }
}
