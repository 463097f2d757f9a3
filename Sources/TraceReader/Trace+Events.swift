// The event loop: the streams of an image merged into one order of time. A heap of cursors; the first runs on until another stream's event
// comes before its own, so that bursts of one thread cost one comparison an event.
// Inlinable, so that the visitor is specialised into it in the caller's module.

extension Trace {
    /// Bytes read between two releases of the mapping's pages.
    @usableFromInline static var releaseStride: Int { 16 << 20 }

    /// Delivers all events of an image to a visitor in time order; at equal times frees before allocations, then by thread, then by lane.
    ///
    /// A reallocation's free comes at its first stamp and its allocation at its second. O(events × log streams) time, O(streams) memory.
    /// - Parameter image: the image's number; the last one when `nil`. An image that the trace does not have has no events.
    @inlinable
    public func forEachEvent<Visitor: EventVisitor>(
        image: Int? = nil, _ visitor: inout Visitor
    ) throws(Visitor.Failure) {
        if isText { return try forEachTextEvent(image: image, &visitor) }
        try merge(image: image ?? lastImage, &visitor)
    }

    /// Delivers all events of an image to a closure, in the order of ``forEachEvent(image:_:)-(_,Visitor)``.
    @inlinable
    public func forEachEvent<Failure: Error>(
        image: Int? = nil, _ body: (HeapEvent) throws(Failure) -> Void
    ) throws(Failure) {
        try withoutActuallyEscaping(body) { (body) throws(Failure) in
            var visitor = ClosureVisitor(body: body)
            try forEachEvent(image: image, &visitor)
        }
    }

    @inlinable
    func merge<Visitor: EventVisitor>(image: Int, _ visitor: inout Visitor) throws(Visitor.Failure) {
        var wordsRead = 0
        let rows = streams.filter { Int($0.image) == image && $0.firstChunk != 0 }
        guard !rows.isEmpty else { return }
        let source = EventSource(self, cursors: rows.count)
        let empty = source.file.baseAddress!.assumingMemoryBound(to: UInt64.self)
        let cursors = UnsafeMutablePointer<StreamCursor>.allocate(capacity: rows.count)
        let heap = UnsafeMutablePointer<MergeKey>.allocate(capacity: rows.count)
        defer {
            cursors.deallocate()
            heap.deallocate()
        }
        // A stream is opened when its time has come: before that it needs no memory but its row.
        var count = rows.count
        for (number, row) in rows.enumerated() {
            (cursors + number).initialize(to: StreamCursor(row, number: number, empty: empty))
            let start = source.chunks[Int(row.firstChunk) - 1].firstTime
            (heap + number).initialize(to: MergeKey(time: start, tie: 0, cursor: number))
        }
        for root in stride(from: count / 2 - 1, through: 0, by: -1) { MergeKey.siftDown(heap, count, from: root) }
        while count > 0 {
            let row = heap[0].cursor
            var cursor = cursors[row]
            var limit = MergeKey(time: .max, tie: .max, cursor: 0)
            if count > 1 { limit = count > 2 && heap[2].isBefore(heap[1]) ? heap[2] : heap[1] }
            var isExhausted = false
            if cursor.isOpen {
                repeat {
                    try visitor.visit(cursor.event)
                    isExhausted = !cursor.advance(source, &wordsRead)
                } while !isExhausted && cursor.isBefore(limit) && wordsRead < Trace.releaseStride / 8
            } else {
                cursor.isOpen = true
                isExhausted = !cursor.advance(source, &wordsRead)
            }
            if isExhausted {
                count -= 1
                if count == 0 { break }
                heap[0] = heap[count]
            } else {
                cursors[row] = cursor
                heap[0] = MergeKey(time: cursor.event.time, tie: cursor.tie, cursor: row)
            }
            MergeKey.siftDown(heap, count, from: 0)
            if wordsRead >= Trace.releaseStride / 8 {
                wordsRead = 0
                releasePages()
            }
        }
    }
}

/// The place of a stream's next event in the merged order, and which cursor stands before it.
@usableFromInline
struct MergeKey {
    @usableFromInline let time: UInt64
    @usableFromInline let tie: UInt64
    @usableFromInline let cursor: Int

    @inlinable
    init(time: UInt64, tie: UInt64, cursor: Int) {
        self.time = time
        self.tie = tie
        self.cursor = cursor
    }

    @inlinable @inline(__always)
    func isBefore(_ other: MergeKey) -> Bool { time < other.time || (time == other.time && tie < other.tie) }

    /// Restores the heap below `root`.
    @inlinable
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

/// A closure as a visitor.
@usableFromInline
struct ClosureVisitor<Failure: Error>: EventVisitor {
    @usableFromInline let body: (HeapEvent) throws(Failure) -> Void

    @inlinable
    init(body: @escaping (HeapEvent) throws(Failure) -> Void) { self.body = body }

    @inlinable
    mutating func visit(_ event: HeapEvent) throws(Failure) { try body(event) }
}
