// The event loop: hands the merged events of an image to a visitor, batch by batch. A long trace is decoded by a second thread where there is a
// second processor; the visitor runs on the caller's, and sees the same events in the same order either way.
// What takes a visitor is inlinable, so that it is specialised in the caller's module.

extension Trace {
    /// Bytes read between two releases of the mapping's pages.
    static var releaseStride: Int { 16 << 20 }
    /// Fewer events are decoded before a thread is well under way.
    private static var threadedEvents: UInt64 { 1 << 19 }

    /// Delivers all events of an image to a visitor in time order; at equal times frees before allocations, then by thread, then by lane.
    ///
    /// A reallocation's free comes at its first stamp and its allocation at its second. O(events × log streams) time, O(streams) memory.
    /// - Parameter image: the image's number; the last one when `nil`. An image that the trace does not have has no events.
    @inlinable
    public func forEachEvent<Visitor: EventVisitor>(
        image: Int? = nil, _ visitor: inout Visitor
    ) throws(Visitor.Failure) {
        if isText { return try forEachTextEvent(image: image, &visitor) }
        try forEachEvent(in: batches(image: image ?? lastImage, usesThread: gainsByThread), &visitor)
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

    /// Delivers the events of an image that come from now on.
    @inlinable
    func forEachEvent<Visitor: EventVisitor>(
        in batches: EventBatches?, _ visitor: inout Visitor
    ) throws(Visitor.Failure) {
        guard let batches else { return }
        defer { batches.finish() }
        while let events = batches.next() { try visitor.visit(batch: events) }
    }

    /// Whether a thread that decodes is worth its start.
    @usableFromInline
    var gainsByThread: Bool { allocations &+ frees >= Self.threadedEvents && EventPipe.processors > 1 }

    /// The merged events of an image, `nil` when it has none, decoded by a second thread or by the caller's.
    @usableFromInline
    func batches(image: Int, usesThread: Bool) -> EventBatches? {
        EventMerger(self, image: image).map { EventBatches($0, usesThread: usesThread) }
    }
}

/// The merged events of an image, batch by batch, in order.
@usableFromInline
final class EventBatches {
    private let merger: EventMerger
    private let pipe: EventPipe?
    /// Without a thread: the one batch there is.
    private let own: UnsafeMutableBufferPointer<HeapEvent>

    init(_ merger: EventMerger, usesThread: Bool) {
        self.merger = merger
        pipe = usesThread ? EventPipe(merger) : nil
        own = .allocate(capacity: pipe == nil ? 256 : 0)
    }

    deinit { own.deallocate() }

    /// The next events, which last until the call after; `nil` behind the last.
    @usableFromInline
    func next() -> UnsafeBufferPointer<HeapEvent>? {
        if let pipe { return pipe.next() }
        let count = merger.fill(own)
        return count == 0 ? nil : UnsafeBufferPointer(rebasing: own[..<count])
    }

    /// Ends the thread, if there is one, wherever it is. To be called once, after the last `next`.
    @usableFromInline
    func finish() { pipe?.finish() }
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
