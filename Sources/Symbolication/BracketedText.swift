// Scanning of demangled names: bracket matching that knows `->` and operators, and splitting outside brackets.

/// Helpers over the UTF-8 of a demangled name. Every scan is linear in the text.
enum BracketedText {
    static func string(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: Array(bytes), as: UTF8.self)
    }

    static func firstRange(of pattern: String, in text: [UInt8]) -> Range<Int>? {
        let pattern = Array(pattern.utf8)
        guard text.count >= pattern.count else { return nil }
        for start in 0...(text.count - pattern.count) where text[start] == pattern[0] {
            if text[start..<(start + pattern.count)].elementsEqual(pattern) { return start..<(start + pattern.count) }
        }
        return nil
    }

    /// The change of bracket depth at each byte: 1 where one opens, -1 where one closes, 0 elsewhere.
    static func brackets(in text: [UInt8]) -> [Int8] {
        var result = [Int8](repeating: 0, count: text.count)
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "<"): result[index] = 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"): result[index] = -1
            case UInt8(ascii: ">"):
                if index == 0 || text[index - 1] != UInt8(ascii: "-") { result[index] = -1 }
            case UInt8(ascii: "."):
                // An operator's name, such as `Int.<< infix`, opens nothing.
                var end = index + 1
                while end < text.count, "<>=+-*/%&|^~!?.".utf8.contains(text[end]) { end += 1 }
                if end > index + 1, end < text.count, text[end] == UInt8(ascii: " ") { index = end - 1 }
            default: break
            }
            index += 1
        }
        return result
    }

    /// The position of the bracket that closes the one at `open`. Brackets of other kinds are not looked at: the
    /// demangler leaves some of them open.
    static func closing(of open: Int, in text: [UInt8]) -> Int? {
        let changes = brackets(in: text)
        let close = partner(of: text[open])
        var depth = 0
        for index in open..<text.count where text[index] == text[open] || text[index] == close {
            depth += Int(changes[index])
            if changes[index] < 0, depth == 0 { return index }
        }
        return nil
    }

    /// The position of the bracket that the one at `close` closes.
    static func opening(of close: Int, in text: [UInt8]) -> Int? {
        let changes = brackets(in: text)
        let open = partner(of: text[close])
        var depth = 0
        for index in (0...close).reversed() where text[index] == text[close] || text[index] == open {
            depth += Int(changes[index])
            if changes[index] > 0, depth == 0 { return index }
        }
        return nil
    }

    private static func partner(of bracket: UInt8) -> UInt8 {
        switch bracket {
        case UInt8(ascii: "("): UInt8(ascii: ")")
        case UInt8(ascii: ")"): UInt8(ascii: "(")
        case UInt8(ascii: "<"): UInt8(ascii: ">")
        case UInt8(ascii: ">"): UInt8(ascii: "<")
        default: 0
        }
    }

    /// The parts of `text` between the separators that stand outside brackets; one part when there is none.
    static func split(_ text: [UInt8], at separator: String) -> [[UInt8]] {
        let separator = Array(separator.utf8)
        let changes = brackets(in: text)
        var parts: [[UInt8]] = []
        var depth = 0
        var start = 0
        var index = 0
        while index < text.count {
            depth += Int(changes[index])
            if depth == 0, text[index] == separator[0], text[index...].starts(with: separator) {
                parts.append(Array(text[start..<index]))
                index += separator.count
                start = index
            } else {
                index += 1
            }
        }
        if start < text.count { parts.append(Array(text[start...])) }
        return parts
    }
}
