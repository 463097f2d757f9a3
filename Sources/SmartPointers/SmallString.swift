// The 32-byte small string. Owns its layout: 30 bytes of text, one byte of length, one of discriminator.

/// A string of 32 bytes with room for 30 bytes of UTF-8 inside.
///
/// Up to 30 bytes take no memory but the value's own; beyond that the text lies in one heap object, shared by copies
/// until one of them changes. See ``InlineString`` for what it can do.
///
/// ```swift
/// let name: SmallString = "Ferris"      // no allocation
/// ```
public struct SmallString: InlineString {
    // Sendable: the heap object is changed only while one value alone refers to it.
    private enum Storage: @unchecked Sendable {
        case inline(Inline30)
        case heap(InlineStringHeap)
    }

    /// 30.
    public static var inlineCapacity: Int { 30 }

    private static let tags = InlineStringHeap.Tags("SmallString")
    private var storage: Storage

    /// The empty string.
    public init() { storage = .inline(Inline30()) }

    /// A string of UTF-8 text; no block up to 30 bytes, one beyond.
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
            storage = .inline(Inline30())
            InlineStringHeap.reserve(&heap, extra: utf8.count, tags: Self.tags)
            heap.appendInPlace(utf8)
            storage = .heap(heap)
        }
    }
}

/// Up to 30 bytes of text and their count: 31 bytes, which leaves the 32nd for the enum's discriminator.
private struct Inline30: Sendable {
    private var bytes = InlineArray<30, UInt8>(repeating: 0)
    private var count: UInt8 = 0

    /// Appends where there is room; else changes nothing and returns false.
    mutating func append(_ utf8: UnsafeBufferPointer<UInt8>) -> Bool {
        guard utf8.count <= 30 - Int(count) else { return false }
        for (offset, byte) in utf8.enumerated() { bytes[Int(count) + offset] = byte }
        count += UInt8(utf8.count)
        return true
    }

    func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBytes(of: self) { value throws(Failure) in
            try body(UnsafeRawBufferPointer(rebasing: value[..<Int(count)]).assumingMemoryBound(to: UInt8.self))
        }
    }
}
