// A view of UTF-8 text in memory that somebody else owns. Two words, no reference count, no allocation; the lifetime
// rule is the caller's to keep.

/// UTF-8 text in somebody else's memory.
///
/// The view is an address and a length. **Whoever makes one keeps the bytes alive and unchanged for as long as the view,
/// and every view cut from it, is used**; bytes that are never freed (a `StaticString`, a mapped file) keep that rule by
/// themselves. Since the bytes do not change, a view may be read from any thread.
///
/// Comparison and hashing are by bytes, which is Unicode scalar order, and not by canonical equivalence as in `String`.
public struct BorrowedString: @unchecked Sendable {
    /// The text's bytes. Valid under the type's lifetime rule.
    public let bytes: UnsafeBufferPointer<UInt8>

    /// A view of bytes that the caller keeps alive and unchanged.
    ///
    /// - Parameter bytes: UTF-8 text. Other bytes do no harm; they read as U+FFFD.
    public init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    /// A view of a literal, which lives as long as the program.
    ///
    /// - Parameter literal: A string literal of more than one scalar, or any that is kept as bytes.
    public init(_ literal: StaticString) {
        precondition(literal.hasPointerRepresentation, "a literal of one scalar has no bytes to view")
        self.init(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// The number of bytes.
    public var count: Int { bytes.count }

    /// True where there is no text.
    public var isEmpty: Bool { bytes.isEmpty }

    /// The part of the text in a range of bytes, as a view under the same lifetime rule.
    ///
    /// - Parameter range: Byte offsets within the text.
    public subscript(range: Range<Int>) -> BorrowedString {
        BorrowedString(UnsafeBufferPointer(rebasing: bytes[range]))
    }

    /// The offset of the first occurrence of a byte.
    ///
    /// - Parameter byte: The byte, an ASCII character as a rule.
    /// - Returns: The offset, or nil.
    /// - Complexity: O(bytes).
    public func firstIndex(of byte: UInt8) -> Int? { bytes.firstIndex(of: byte) }

    /// The text before and after the first occurrence of an ASCII character; all of it and nil where there is none.
    ///
    /// - Parameter separator: The character.
    /// - Returns: Two views under the same lifetime rule.
    /// - Complexity: O(bytes).
    public func split(atFirst separator: Unicode.Scalar) -> (head: BorrowedString, tail: BorrowedString?) {
        guard let index = firstIndex(of: UInt8(ascii: separator)) else { return (self, nil) }
        return (self[0..<index], self[index + 1..<count])
    }
}

extension BorrowedString: Hashable, Comparable {
    /// True where the bytes are the same.
    public static func == (left: BorrowedString, right: BorrowedString) -> Bool {
        left.bytes.elementsEqual(right.bytes)
    }

    /// True where the bytes come first in lexicographic order.
    public static func < (left: BorrowedString, right: BorrowedString) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        hasher.combine(0xFF as UInt8)
    }
}

extension BorrowedString: CustomStringConvertible {
    /// The text as a `String` of its own.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
