// What the two small-string types share: a string whose content lies within the value itself while it is short.
// Owns the string-like API, written once over a few requirements; the types own their layout.

/// A string that keeps short content inside the value and moves to the heap beyond ``inlineCapacity``.
///
/// Equality, order and hashing are those of `String`: by canonical equivalence. ASCII content is compared without
/// allocating.
public protocol InlineString: Hashable, Comparable, LosslessStringConvertible, ExpressibleByStringLiteral,
    TextOutputStream, Sendable
{
    /// The most UTF-8 bytes that fit inside the value.
    static var inlineCapacity: Int { get }

    /// The empty string.
    init()

    /// A string of UTF-8 text; no block up to ``inlineCapacity`` bytes, one beyond.
    ///
    /// - Parameter utf8: Valid UTF-8, copied.
    /// - Complexity: O(bytes).
    init(validUTF8 utf8: UnsafeBufferPointer<UInt8>)

    /// True while the content lies inside the value.
    var isInline: Bool { get }

    /// Calls `body` with the content's UTF-8 bytes, valid during the call.
    ///
    /// - Parameter body: What reads the bytes; it must not let them out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    func withUTF8<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result

    /// Appends UTF-8 text.
    ///
    /// - Parameter utf8: Valid UTF-8, copied; must not be this string's own bytes.
    /// - Complexity: O(bytes) amortised.
    mutating func append(validUTF8 utf8: UnsafeBufferPointer<UInt8>)
}

extension InlineString {
    /// A string of the same text.
    ///
    /// - Parameter text: A `String` or `Substring`.
    /// - Complexity: O(bytes).
    public init(_ text: some StringProtocol) {
        var string = String(text)
        self = string.withUTF8 { Self(validUTF8: $0) }
    }

    /// A string of the same text.
    public init(_ description: String) {
        var string = description
        self = string.withUTF8 { Self(validUTF8: $0) }
    }

    /// A string of a literal's text.
    public init(stringLiteral value: String) {
        var string = value
        self = string.withUTF8 { Self(validUTF8: $0) }
    }

    /// The text as a `String` of its own.
    public var description: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }

    /// The number of characters (extended grapheme clusters).
    ///
    /// - Complexity: O(bytes).
    public var count: Int {
        withUTF8 { Self.isASCIIWithoutReturn($0) ? $0.count : String(decoding: $0, as: UTF8.self).count }
    }

    /// The number of UTF-8 bytes.
    ///
    /// - Complexity: O(1).
    public var utf8Count: Int { withUTF8 { $0.count } }

    /// True where there is no text.
    public var isEmpty: Bool { utf8Count == 0 }

    /// The characters, as an array of their own.
    public var characters: [Character] { Array(description) }

    /// True where the text starts with `prefix`.
    public func hasPrefix(_ prefix: some StringProtocol) -> Bool { description.hasPrefix(prefix) }

    /// True where the text ends with `suffix`.
    public func hasSuffix(_ suffix: some StringProtocol) -> Bool { description.hasSuffix(suffix) }

    /// True where the text holds `part`.
    public func contains(_ part: some StringProtocol) -> Bool { description.contains(String(part)) }

    /// The text in upper case.
    public func uppercased() -> Self { Self(description.uppercased()) }

    /// The text in lower case.
    public func lowercased() -> Self { Self(description.lowercased()) }

    /// Appends text.
    ///
    /// - Parameter text: A `String` or `Substring`.
    /// - Complexity: O(bytes of `text`) amortised.
    public mutating func append(_ text: some StringProtocol) {
        var string = String(text)
        string.withUTF8 { append(validUTF8: $0) }
    }

    /// Appends a character.
    public mutating func append(_ character: Character) { append(String(character)) }

    /// Appends another string of the same type.
    public mutating func append(_ other: Self) { other.withUTF8 { append(validUTF8: $0) } }

    /// Appends text, as a `print(to:)` does.
    public mutating func write(_ string: String) { append(string) }

    /// Appends in place.
    public static func += (left: inout Self, right: Self) { left.append(right) }

    /// The two texts in one string.
    public static func + (left: Self, right: Self) -> Self {
        var sum = left
        sum.append(right)
        return sum
    }

    /// True where the texts are canonically equivalent.
    public static func == (left: Self, right: Self) -> Bool {
        left.withUTF8 { leftBytes in
            right.withUTF8 { rightBytes in
                if leftBytes.elementsEqual(rightBytes) { return true }
                if isASCII(leftBytes) && isASCII(rightBytes) { return false }
                return String(decoding: leftBytes, as: UTF8.self) == String(decoding: rightBytes, as: UTF8.self)
            }
        }
    }

    /// True where the left text comes first in `String`'s order.
    public static func < (left: Self, right: Self) -> Bool {
        left.withUTF8 { leftBytes in
            right.withUTF8 { rightBytes in
                if isASCII(leftBytes) && isASCII(rightBytes) { return leftBytes.lexicographicallyPrecedes(rightBytes) }
                return String(decoding: leftBytes, as: UTF8.self) < String(decoding: rightBytes, as: UTF8.self)
            }
        }
    }

    /// Hashes the text; canonically equivalent texts hash alike.
    public func hash(into hasher: inout Hasher) {
        withUTF8 { bytes in
            if Self.isASCII(bytes) {
                // ASCII is its own normal form, and this is how `String` hashes a normal form (a test holds it to that):
                // the Kelvin sign must hash as the K that it equals.
                hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
                hasher.combine(0xFF as UInt8)
            } else {
                String(decoding: bytes, as: UTF8.self).hash(into: &hasher)
            }
        }
    }

    private static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool { bytes.allSatisfy { $0 < 0x80 } }

    /// In ASCII every byte is a character but for CR LF, which is one.
    private static func isASCIIWithoutReturn(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.allSatisfy { $0 < 0x80 && $0 != 0x0D }
    }
}
