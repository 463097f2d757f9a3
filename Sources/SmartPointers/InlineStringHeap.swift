// The heap half of the small strings: one object that holds the text, shared until somebody changes it. Owns the
// capacity rule (exact at first, doubling after that) and the owner tags of its three causes.

internal import HeaptrailTags

/// UTF-8 text in one heap object: 32 bytes of header, then `capacity` bytes of text.
final class InlineStringHeap: ManagedBuffer<InlineStringHeap.Header, UInt8> {
    struct Header {
        var count: Int
        var capacity: Int
    }

    /// The owner tags of one string type, made before its first block so that making them is not tagged itself.
    struct Tags: Sendable {
        let construct: OwnerTag
        let growth: OwnerTag
        let copyOnWrite: OwnerTag

        init(_ type: StaticString) {
            OwnerTag.prepare(InlineStringHeap.self)
            construct = OwnerTag(family: "String", type: type.description, cause: .construct)
            growth = OwnerTag(family: "String", type: type.description, cause: .growth)
            copyOnWrite = OwnerTag(family: "String", type: type.description, cause: .copyOnWrite)
        }
    }

    /// An empty text with room for `capacity` bytes.
    static func make(capacity: Int, tag: OwnerTag) -> InlineStringHeap {
        let object = withOwnerTag(tag) {
            InlineStringHeap.create(minimumCapacity: capacity) { _ in Header(count: 0, capacity: capacity) }
        }
        return unsafeDowncast(object, to: InlineStringHeap.self)
    }

    func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeMutablePointers { header, bytes throws(Failure) in
            try body(UnsafeBufferPointer(start: bytes, count: header.pointee.count))
        }
    }

    /// Appends in place; the caller knows that the object is its own and has the room.
    func appendInPlace(_ text: UnsafeBufferPointer<UInt8>) {
        withUnsafeMutablePointers { header, bytes in
            guard let start = text.baseAddress else { return }
            (bytes + header.pointee.count).update(from: start, count: text.count)
            header.pointee.count += text.count
        }
    }

    /// Makes `heap` ready to take `extra` more bytes: its own copy where it is shared, a larger one where it is full.
    static func reserve(_ heap: inout InlineStringHeap, extra: Int, tags: Tags) {
        let needed = heap.header.count + extra
        let fits = needed <= heap.header.capacity
        if fits && isKnownUniquelyReferenced(&heap) { return }
        let capacity = fits ? heap.header.capacity : max(needed, 2 * heap.header.capacity)
        let copy = make(capacity: capacity, tag: fits ? tags.copyOnWrite : tags.growth)
        heap.withUTF8 { copy.appendInPlace($0) }
        heap = copy
    }
}
