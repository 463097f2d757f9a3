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
    /// - Parameters:
    ///   - image: the image's number; the last one when `nil`. An image that the trace does not have has no events.
    ///   - span: which of its events. Chunks that lie before the span are not read.
    @inlinable
    public func forEachEvent<Visitor: EventVisitor>(
        image: Int? = nil, span: EventSpan = EventSpan(), _ visitor: inout Visitor
    ) throws(Visitor.Failure) {
        if isText { return try forEachTextEvent(image: image, span: span, &visitor) }
        try forEachEvent(
            in: batches(image: image ?? lastImage, span: span, usesThread: gainsByThread), &visitor)
    }

    /// Delivers all events of an image to a closure, in the order of ``forEachEvent(image:_:)-(_,Visitor)``.
    @inlinable
    public func forEachEvent<Failure: Error>(
        image: Int? = nil, span: EventSpan = EventSpan(), _ body: (HeapEvent) throws(Failure) -> Void
    ) throws(Failure) {
        try withoutActuallyEscaping(body) { (body) throws(Failure) in
            var visitor = ClosureVisitor(body: body)
            try forEachEvent(image: image, span: span, &visitor)
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
    func batches(image: Int, span: EventSpan, usesThread: Bool) -> EventBatches? {
        EventMerger(self, image: image, after: span.after).map { EventBatches($0, span: span, usesThread: usesThread) }
    }
}

/// The merged events of a span of an image, batch by batch, in order.
@usableFromInline
final class EventBatches {
    private let merger: EventMerger
    private let pipe: EventPipe?
    /// Without a thread: the one batch there is.
    private let own: UnsafeMutableBufferPointer<HeapEvent>
    private var after: UInt64?
    private let through: UInt64

    init(_ merger: EventMerger, span: EventSpan, usesThread: Bool) {
        self.merger = merger
        after = span.after
        through = span.through
        pipe = usesThread ? EventPipe(merger) : nil
        own = .allocate(capacity: pipe == nil ? 1024 : 0)
    }

    deinit { own.deallocate() }

    /// The next events, at least one, which last until the call after; `nil` behind the last.
    @usableFromInline
    func next() -> UnsafeBufferPointer<HeapEvent>? {
        while let batch = fetch() {
            var events = batch[...]
            if let after {
                // Events come by time: once one is later, all are.
                events = events.drop { $0.time <= after }
                if events.isEmpty { continue }
                self.after = nil
            }
            if let last = events.last, last.time > through { events = events.prefix { $0.time <= through } }
            return events.isEmpty ? nil : UnsafeBufferPointer(rebasing: events)
        }
        return nil
    }

    private func fetch() -> UnsafeBufferPointer<HeapEvent>? {
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
