// Swift's own String: when it lies in the value itself, when it grows, when it is copied.

import HeaptrailTags

/// Short strings, long strings, growth by append, and a copy of the bytes.
enum StringWorkload: Workload {
    static let name = "string"
    static let summary = "short (inline) and long strings, append growth, clone"

    // By size, for printing makes strings too. A native string asks for 32 bytes of header, the text and its zero, in steps
    // of 16 (Swift 6.3).
    static let expected = [
        ExpectedRow("String", "String (15 bytes)", .construct, allocations: 0),
        ExpectedRow("String", "String (shared)", .clone, allocations: 0),
        ExpectedRow("String", "String", .construct, size: 1056, allocations: 1),
        ExpectedRow("String", "String", .construct, size: 10_048, allocations: 1),
        ExpectedRow("String", "String", .growth, size: 11_056, allocations: 1),
        ExpectedRow("String", "String", .construct, size: 100_048, allocations: 1),
        ExpectedRow("String", "String", .growth, size: 111_056, allocations: 1),
        ExpectedRow("String", "String", .construct, size: 1_000_048, allocations: 1),
        ExpectedRow("String", "String", .growth, size: 1_111_056, allocations: 1),
        ExpectedRow("String", "String", .clone, size: 1_111_056, allocations: 1),
    ]

    static func run(_ options: Options) {
        warmUp {
            var sample = opaque(letters(100))
            sample.append(cloned(sample))
        }
        let short = attributed("String", "String (15 bytes)", .construct) { opaque(letters(15)) }
        var text = attributed("String", "String", .construct) { opaque(letters(1000)) }
        // Each piece is far longer than the text so far: the storage is replaced once a step, whatever room it had left.
        for length in [10_000, 100_000, 1_000_000] {
            let piece = attributed("String", "String", .construct) { opaque(letters(length)) }
            attributed("String", "String", .growth) { text.append(piece) }
        }
        let shared = attributed("String", "String (shared)", .clone) { opaque(text) }
        let clone = attributed("String", "String", .clone) { opaque(cloned(text)) }
        say("string: \(short.utf8.count) bytes inline; \(text.utf8.count) bytes after three appends")
        say("string: the clone is equal: \(clone == shared)")
    }

    /// `count` letters in storage of exactly that many bytes; up to 15 take none.
    private static func letters(_ count: Int) -> String {
        String(unsafeUninitializedCapacity: count) { buffer in
            for offset in 0..<count { buffer[offset] = UInt8(ascii: "a") + UInt8(offset % 26) }
            return count
        }
    }

    /// The same text in storage of its own, which assigning would share.
    private static func cloned(_ text: String) -> String {
        var text = text
        return text.withUTF8 { String(decoding: $0, as: UTF8.self) }
    }
}
