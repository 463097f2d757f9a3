// The 24-byte small string. Owns its layout: 23 bytes of text, and a length whose unused bits are the discriminator.

/// A string of 24 bytes with room for 23 bytes of UTF-8 inside.
///
/// Up to 23 bytes take no memory but the value's own; beyond that the text lies in one heap object, shared by copies
/// until one of them changes. See ``InlineString`` for what it can do.
///
/// ```swift
/// let name: CompactString = "Ferris"      // no allocation
/// ```
public struct CompactString: InlineString {
    // Sendable: the heap object is changed only while one value alone refers to it.
    private enum Storage: @unchecked Sendable {
        case inline(Inline23)
        case heap(InlineStringHeap)
    }

    /// 23.
    public static var inlineCapacity: Int { 23 }

    private static let tags = InlineStringHeap.Tags("CompactString")
    private var storage: Storage

    /// The empty string.
    public init() { storage = .inline(Inline23()) }

    /// A string of UTF-8 text; no block up to 23 bytes, one beyond.
    ///
    /// - Parameter utf8: Valid UTF-8, copied.
    /// - Complexity: O(bytes).
    public init(validUTF8 utf8: UnsafeBufferPointer<UInt8>) {
        self.init()
        if utf8.count > Self.inlineCapacity {
            let heap = InlineStringHeap.make(capacity: utf8.count, tag: Self.tags.construct)
            heap.appendInPlace(utf8)
            storage = .heap(heap)
        } else {
            append(validUTF8: utf8)
        }
    }

    /// True while the content lies inside the value.
    public var isInline: Bool {
        if case .inline = storage { true } else { false }
    }

    /// Calls `body` with the content's UTF-8 bytes, valid during the call.
    ///
    /// - Parameter body: What reads the bytes; it must not let them out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .inline(let text): try text.withUTF8(body)
        case .heap(let heap): try heap.withUTF8(body)
        }
    }

    /// Appends UTF-8 text; moves to the heap, with room to grow, when the value itself is full.
    ///
    /// - Parameter utf8: Valid UTF-8, copied; must not be this string's own bytes.
    /// - Complexity: O(bytes) amortised.
    public mutating func append(validUTF8 utf8: UnsafeBufferPointer<UInt8>) {
        switch storage {
        case .inline(var text):
            if text.append(utf8) {
                storage = .inline(text)
            } else {
                let needed = text.withUTF8 { $0.count } + utf8.count
                let capacity = max(needed, 2 * Self.inlineCapacity)
                let heap = InlineStringHeap.make(capacity: capacity, tag: Self.tags.growth)
                text.withUTF8 { heap.appendInPlace($0) }
                heap.appendInPlace(utf8)
                storage = .heap(heap)
            }
        case .heap(var heap):
            // Give up this value's own reference first, so that the object counts as shared only if another has it.
            storage = .inline(Inline23())
            InlineStringHeap.reserve(&heap, extra: utf8.count, tags: Self.tags)
            heap.appendInPlace(utf8)
            storage = .heap(heap)
        }
    }
}

/// Up to 23 bytes of text and their count. The count is an enum of 24 cases, so that the compiler knows its upper bits to
/// be spare and keeps the discriminator of `Storage` there: no byte is left for one.
private struct Inline23: Sendable {
    private enum Count: UInt8 {
        case n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15, n16, n17, n18, n19, n20, n21, n22,
            n23
    }

    private var bytes = InlineArray<23, UInt8>(repeating: 0)
    private var length = Count.n0

    private var count: Int { Int(length.rawValue) }

    /// Appends where there is room; else changes nothing and returns false.
    mutating func append(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let newLength = Count(rawValue: UInt8(clamping: count + utf8.count)) else { return false }
        for (offset, byte) in utf8.enumerated() { bytes[count + offset] = byte }
        length = newLength
        return true
    }

    func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBytes(of: self) { value throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: value[..<count]).assumingMemoryBound(to: UInt8.self))
        }
    }
}
