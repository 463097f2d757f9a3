// The streams of an image merged into one order of time, a batch of events at a time. A heap of cursors; the first runs on until another
// stream's event comes before its own, so that bursts of one thread cost one comparison an event.
// One owner, who uses it from one thread at a time; it may be another one than made it.

/// The merged events of one image.
final class EventMerger {
    private let trace: Trace
    private let source: EventSource
    private let cursors: UnsafeMutablePointer<StreamCursor>
    private let heap: UnsafeMutablePointer<MergeKey>
    /// Streams that are not behind their last event: the length of the heap.
    private var count: Int
    private var wordsRead = 0

    /// Stands before the first event of an image; nil when it has none.
    /// - Parameter after: chunks that hold no later events are left out.
    init?(_ trace: Trace, image: Int, after: UInt64? = nil) {
        var rows = trace.streams.filter { Int($0.image) == image && $0.firstChunk != 0 }
        guard !rows.isEmpty else { return nil }
        if let after {
            let chunks = trace.chunkRows
            for number in rows.indices {
                // A chunk's events are not later than the next one's first time.
                while case let next = chunks[Int(rows[number].firstChunk) - 1].next, next != 0,
                    chunks[Int(next) - 1].firstTime <= after
                {
                    rows[number].firstChunk = next
                }
            }
        }
        self.trace = trace
        source = EventSource(trace, cursors: rows.count)
        cursors = .allocate(capacity: rows.count)
        heap = .allocate(capacity: rows.count)
        count = rows.count
        // A stream is opened when its time has come: before that it needs no memory but its row.
        let empty = source.file.baseAddress!.assumingMemoryBound(to: UInt64.self)
        for (number, row) in rows.enumerated() {
            (cursors + number).initialize(to: StreamCursor(row, number: number, empty: empty))
            let start = source.chunks[Int(row.firstChunk) - 1].firstTime
            (heap + number).initialize(to: MergeKey(time: start, tie: 0, cursor: number))
        }
        for root in stride(from: count / 2 - 1, through: 0, by: -1) { MergeKey.siftDown(heap, count, from: root) }
    }

    deinit {
        cursors.deallocate()
        heap.deallocate()
    }

    /// Writes the next events, as many as there is room for, and says how many they were; 0 behind the last.
    func fill(_ events: UnsafeMutableBufferPointer<HeapEvent>) -> Int {
        var filled = 0
        let out = events.baseAddress!
        while count > 0, filled < events.count {
            let row = heap[0].cursor
            let cursor = cursors + row
            var limit = MergeKey(time: .max, tie: .max, cursor: 0)
            if count > 1 { limit = count > 2 && heap[2].isBefore(heap[1]) ? heap[2] : heap[1] }
            var isExhausted = false
            if cursor.pointee.isOpen {
                repeat {
                    (out + filled).initialize(to: cursor.pointee.event)
                    filled += 1
                    filled += cursor.pointee.takePlain(into: out + filled, room: events.count - filled, before: limit)
                    isExhausted = !cursor.pointee.advance(source, &wordsRead)
                } while !isExhausted && filled < events.count && cursor.pointee.isBefore(limit)
                    && wordsRead < Trace.releaseStride / 8
            } else {
                cursor.pointee.isOpen = true
                isExhausted = !cursor.pointee.advance(source, &wordsRead)
            }
            if isExhausted {
                count -= 1
                heap[0] = heap[count]
            } else {
                heap[0] = MergeKey(time: cursor.pointee.event.time, tie: cursor.pointee.tie, cursor: row)
            }
            if count > 1 { MergeKey.siftDown(heap, count, from: 0) }
            if wordsRead >= Trace.releaseStride / 8 {
                wordsRead = 0
                trace.releasePages()
            }
        }
        return filled
    }
}

/// The place of a stream's next event in the merged order, and which cursor stands before it.
struct MergeKey {
    let time: UInt64
    let tie: UInt64
    let cursor: Int

    @inline(__always)
    func isBefore(_ other: MergeKey) -> Bool { time < other.time || (time == other.time && tie < other.tie) }

    /// Restores the heap below `root`.
    static func siftDown(_ heap: UnsafeMutablePointer<MergeKey>, _ count: Int, from root: Int) {
        var root = root
        let sinking = heap[root]
        while true {
            var child = 2 * root + 1
            if child >= count { break }
            if child + 1 < count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(sinking) else { break }
            heap[root] = heap[child]
            root = child
        }
        heap[root] = sinking
    }
}
