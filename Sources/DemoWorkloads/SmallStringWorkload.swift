// Strings that stay out of the heap while they are short.

import HeaptrailTags
import SmartPointers

/// The two small strings at their limits: the last byte that fits, and the first that does not.
enum SmallStringWorkload: Workload {
    static let name = "small-string"
    static let summary = "SmallString (32 bytes, 30 inline) and CompactString (24 bytes, 23 inline) at their limits"

    /// A heap text's bytes before the text: the object's header, and its count and capacity.
    private static let header = 32

    static let expected = [
        ExpectedRow("String", "SmallString (inline)", .construct, allocations: 0),
        ExpectedRow("String", "CompactString (inline)", .construct, allocations: 0),
        ExpectedRow("String", "SmallString", .construct, size: header + 31, allocations: 1),
        ExpectedRow("String", "SmallString", .copyOnWrite, size: header + 31, allocations: 0),
        ExpectedRow("String", "SmallString", .growth, size: header + 62, allocations: 1),
        ExpectedRow("String", "SmallString", .copyOnWrite, size: header + 62, allocations: 1),
        ExpectedRow("String", "CompactString", .construct, size: header + 24, allocations: 1),
        ExpectedRow("String", "CompactString", .growth, size: header + 46, allocations: 1),
    ]

    static func run(_ options: Options) {
        let alphabet = BorrowedString("abcdefghijklmnopqrstuvwxyz0123456789")
        show(
            "SmallString", MemoryLayout<SmallString>.size, inline: ("SmallString (inline)", SmallString.self, alphabet))
        show(
            "CompactString", MemoryLayout<CompactString>.size,
            inline: ("CompactString (inline)", CompactString.self, alphabet))

        // One byte too many, then one more (growth), then a change while shared (copy-on-write).
        var small = opaque(SmallString(validUTF8: alphabet[0..<31].bytes))
        small.append(validUTF8: alphabet[31..<32].bytes)
        var copy = opaque(small)
        copy.append(validUTF8: alphabet[32..<33].bytes)
        say("small-string: \(small.utf8Count) and \(copy.utf8Count) bytes, equal: \(small == copy)")

        // Made on the heap; grown onto it.
        let compact = opaque(CompactString(validUTF8: alphabet[0..<24].bytes))
        var grown = opaque(CompactString(validUTF8: alphabet[0..<23].bytes))
        grown.append(validUTF8: alphabet[23..<24].bytes)
        say("small-string: grown and made the same: \(compact == grown)")
    }

    private static func show<Text: InlineString>(
        _ name: String, _ bytes: Int, inline: (owner: String, type: Text.Type, alphabet: BorrowedString)
    ) {
        warmUp { _ = filled(Text.self, with: inline.alphabet) }
        let text = attributed("String", inline.owner, .construct) { filled(Text.self, with: inline.alphabet) }
        say("small-string: \(name) of \(bytes) bytes holds \(text.utf8Count) inline: \(text.isInline)")
    }

    /// A string filled to its last inline byte, which is appended.
    private static func filled<Text: InlineString>(_ type: Text.Type, with alphabet: BorrowedString) -> Text {
        let last = Text.inlineCapacity - 1
        var text = opaque(Text(validUTF8: alphabet[0..<last].bytes))
        text.append(validUTF8: alphabet[last..<last + 1].bytes)
        return opaque(text)
    }
}
