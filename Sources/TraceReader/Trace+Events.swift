// The event loop: the streams of an image merged into one order of time. A heap of cursors; the first runs on until another stream's event
// comes before its own, so that bursts of one thread cost one comparison an event.
// Inlinable, so that the visitor is specialised into it in the caller's module.

extension Trace {
    /// Bytes read between two releases of the mapping's pages.
    @usableFromInline static var releaseStride: Int { 64 << 20 }

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
        let file = fileBytes
        var wordsRead = 0
        let rows = streams.filter { Int($0.image) == image && $0.firstChunk != 0 }
        guard !rows.isEmpty else { return }
        let chunks = chunkRows
        let empty = file.baseAddress!.assumingMemoryBound(to: UInt64.self)
        let heap = UnsafeMutablePointer<StreamCursor>.allocate(capacity: rows.count)
        defer { heap.deallocate() }
        var count = 0
        for row in rows {
            var cursor = StreamCursor(row, empty: empty)
            if cursor.advance(chunks, file, &wordsRead) {
                (heap + count).initialize(to: cursor)
                count += 1
            }
        }
        for root in stride(from: count / 2 - 1, through: 0, by: -1) {
            StreamCursor.siftDown(heap, count, from: root)
        }
        while count > 0 {
            var cursor = heap[0]
            var limitTime = UInt64.max
            var limitTie = UInt64.max
            if count > 1 {
                let second = count > 2 && heap[2].isBefore(heap[1].event.time, heap[1].tie) ? 2 : 1
                limitTime = heap[second].event.time
                limitTie = heap[second].tie
            }
            var isExhausted = false
            repeat {
                try visitor.visit(cursor.event)
                isExhausted = !cursor.advance(chunks, file, &wordsRead)
            } while !isExhausted && cursor.isBefore(limitTime, limitTie) && wordsRead < Trace.releaseStride / 8
            if isExhausted {
                count -= 1
                if count == 0 { break }
                heap[0] = heap[count]
            } else {
                heap[0] = cursor
            }
            StreamCursor.siftDown(heap, count, from: 0)
            if wordsRead >= Trace.releaseStride / 8 {
                wordsRead = 0
                releasePages()
            }
        }
    }
}

extension StreamCursor {
    /// Restores the heap below `root`.
    @inlinable
    static func siftDown(_ heap: UnsafeMutablePointer<StreamCursor>, _ count: Int, from root: Int) {
        var root = root
        let sinking = heap[root]
        while true {
            var child = 2 * root + 1
            if child >= count { break }
            if child + 1 < count, heap[child + 1].isBefore(heap[child].event.time, heap[child].tie) { child += 1 }
            guard heap[child].isBefore(sinking.event.time, sinking.tie) else { break }
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
