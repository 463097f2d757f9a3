// What demangled Swift text says that a frame does not want: labels of parameters, and the words left out.

/// Helpers over the UTF-8 of a demangled Swift name.
enum SwiftText {
    /// The first parenthesis outside other brackets that belongs to a declaration: not at the start, and no private
    /// name such as `M.(name in _0123)`.
    static func firstParenthesis(in text: [UInt8]) -> Int? {
        var depth = 0
        for (index, change) in BracketedText.brackets(in: text).enumerated() {
            if change > 0, depth == 0, index > 0, text[index] == UInt8(ascii: "("),
                text[index - 1] != UInt8(ascii: "."),
                !text[index...].starts(with: "(extension in ".utf8)
            {
                return index
            }
            depth += Int(change)
        }
        return nil
    }

    /// `label:` of one parameter as demangled (`to: Swift.Int`, `__owned A`), `_:` when it has none.
    static func label(of parameter: [UInt8]) -> [UInt8] {
        let trimmed = parameter.drop { $0 == UInt8(ascii: " ") }
        let name = trimmed.prefix { isIdentifier($0) }
        if !name.isEmpty, trimmed.dropFirst(name.count).first == UInt8(ascii: ":") {
            return Array(name) + [UInt8(ascii: ":")]
        }
        return Array("_:".utf8)
    }

    static func isIdentifier(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$") || byte >= 0x80 || (0x30...0x39).contains(byte)
            || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// Drops `Swift.` and `__C.` before names, `(extension in M):`, private discriminators, `< where …>` and the word
    /// before an operator's parameters.
    static func shortened(_ name: String) -> String {
        let text = Array(name.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var pendingPrivateNames = 0
        var index = 0
        while index < text.count {
            let skipped = elision(at: index, in: text, privateNames: &pendingPrivateNames)
            if skipped == 0 { result.append(text[index]) }
            index += max(skipped, 1)
        }
        return BracketedText.string(result)
    }

    /// How many bytes at `index` the short form leaves out; 0: none.
    private static func elision(at index: Int, in text: [UInt8], privateNames: inout Int) -> Int {
        func starts(_ prefix: StaticString) -> Bool {
            prefix.withUTF8Buffer { text[index...].starts(with: $0) }
        }
        func through(_ end: Int?) -> Int { end.map { $0 + 1 - index } ?? 0 }
        switch text[index] {
        case UInt8(ascii: "S"), UInt8(ascii: "_"):
            if index > 0, isIdentifier(text[index - 1]) || text[index - 1] == UInt8(ascii: ".") { return 0 }
            return starts("Swift.") ? 6 : starts("__C.") ? 4 : 0
        case UInt8(ascii: "("):
            if starts("(extension in "), let end = BracketedText.closing(of: index, in: text) {
                return through(end) + (end + 1 < text.count && text[end + 1] == UInt8(ascii: ":") ? 1 : 0)
            }
            guard isPrivateName(at: index, in: text) else { return 0 }
            privateNames += 1
            return 1
        case UInt8(ascii: "<"):
            guard starts("< where "), let end = BracketedText.closing(of: index, in: text) else { return 0 }
            return through(end) + (end + 1 < text.count && text[end + 1] == UInt8(ascii: " ") ? 1 : 0)
        case UInt8(ascii: " "):
            if privateNames > 0, starts(" in _") {
                privateNames -= 1
                return through(text[index...].firstIndex(of: UInt8(ascii: ")")))
            }
            return starts(" infix(") ? 6 : starts(" prefix(") ? 7 : starts(" postfix(") ? 8 : 0
        default: return 0
        }
    }

    /// Whether `(name in _0123ABC…)` stands at `index`.
    private static func isPrivateName(at index: Int, in text: [UInt8]) -> Bool {
        let name = text[(index + 1)...].prefix { isIdentifier($0) }
        let after = text[(index + 1 + name.count)...]
        guard !name.isEmpty, after.starts(with: " in _".utf8) else { return false }
        let discriminator = after.dropFirst(" in _".utf8.count).prefix { isIdentifier($0) }
        return discriminator.count == 32
            && after.dropFirst(" in _".utf8.count + 32).first == UInt8(ascii: ")")
    }
}
