// Patterns over function names, as the rule tables write them.
//
//     alloc::vec::Vec<{T}>::@(push|insert)     literal text, one captured type argument, alternatives
//     std::_Rb_tree<{K}, {V}>::*               `*` stands for any text
//
// A capture takes one balanced argument; the `>` after a capture also passes over further arguments, such as an
// allocator. Alternatives are expanded when a pattern is parsed, so matching needs no nesting. A backslash takes the
// meaning from the character behind it.

/// One pattern over a canonical function name.
struct FramePattern: Sendable {
    enum Token: Sendable, Equatable {
        case literal([UInt8])
        case capture(String)
        case otherArguments
        case anything
    }

    let tokens: [Token]
    /// Text every match starts with; empty when the pattern starts with a wildcard.
    let prefix: [UInt8]
    /// Whether a position may be tried anew from several wildcards, so that failures are worth remembering.
    private let hasSeveralWildcards: Bool

    /// Alternatives that one pattern may stand for.
    static let mostAlternatives = 1000

    /// Parses one pattern text into the patterns it stands for.
    static func parse(_ text: String) throws(RuleLineError) -> [FramePattern] {
        guard !text.isEmpty else { throw RuleLineError("an empty pattern") }
        var patterns: [FramePattern] = []
        for alternative in try expandAlternatives(text) {
            patterns.append(FramePattern(tokens: try tokenize(Array(alternative.utf8))))
        }
        return patterns
    }

    /// The names that the pattern captures.
    var labels: [String] {
        tokens.compactMap { token in
            if case .capture(let label) = token { label } else { nil }
        }
    }

    private init(tokens: [Token]) {
        self.tokens = tokens
        if case .literal(let bytes)? = tokens.first { prefix = bytes } else { prefix = [] }
        hasSeveralWildcards = tokens.dropLast().count { $0 == .anything } > 1
    }

    private static func expandAlternatives(_ text: String) throws(RuleLineError) -> [String] {
        guard let open = openingOfAlternatives(text) else { return [text] }
        var choices: [String] = []
        var choice = ""
        var depth = 0
        var isEscaped = false
        var index = text.index(open, offsetBy: 2)
        scan: while index < text.endIndex {
            let character = text[index]
            if isEscaped {
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if depth == 0, character == "|" || character == ")" {
                choices.append(choice.trimmingSpaces)
                choice = ""
                if character == ")" { break scan }
                index = text.index(after: index)
                continue scan
            } else if character == "(" {
                depth += 1
            } else if character == ")" {
                depth -= 1
            }
            choice.append(character)
            index = text.index(after: index)
        }
        guard index < text.endIndex else { throw RuleLineError("@( without its )") }
        let tails = try expandAlternatives(String(text[text.index(after: index)...]))
        var expanded: [String] = []
        for choice in choices {
            for inner in try expandAlternatives(choice) {
                guard expanded.count + tails.count <= mostAlternatives else {
                    throw RuleLineError("a pattern of more than \(mostAlternatives) alternatives; write several rules")
                }
                expanded += tails.map { "\(text[..<open])\(inner)\($0)" }
            }
        }
        return expanded
    }

    /// Where the first `@(` is that no backslash stands before.
    private static func openingOfAlternatives(_ text: String) -> String.Index? {
        var isEscaped = false
        var index = text.startIndex
        while index < text.endIndex {
            if isEscaped {
                isEscaped = false
            } else if text[index] == "\\" {
                isEscaped = true
            } else if text[index...].hasPrefix("@(") {
                return index
            }
            index = text.index(after: index)
        }
        return nil
    }

    private static func tokenize(_ text: [UInt8]) throws(RuleLineError) -> [Token] {
        var tokens: [Token] = []
        var literal: [UInt8] = []
        func flush() {
            if !literal.isEmpty { tokens.append(.literal(literal)) }
            literal = []
        }
        var index = 0
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "*"):
                flush()
                if tokens.last != .anything { tokens.append(.anything) }
            case UInt8(ascii: "\\"):
                index += 1
                guard index < text.count else { throw RuleLineError("a pattern that ends in a backslash") }
                literal.append(text[index])
            case UInt8(ascii: "{"):
                guard let end = text[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw RuleLineError("{ without its }; a brace of the name itself is written \\{")
                }
                let label = String(decoding: text[(index + 1)..<end], as: UTF8.self)
                guard !label.isEmpty, label.utf8.allSatisfy({ isLetter($0) || $0 == UInt8(ascii: "_") }) else {
                    throw RuleLineError(
                        "{\(label)} is no capture, which a word names; a brace of the name itself is \\{")
                }
                flush()
                tokens.append(.capture(label))
                index = end
                if index + 1 < text.count, text[index + 1] == UInt8(ascii: ">") { tokens.append(.otherArguments) }
            default: literal.append(text[index])
            }
            index += 1
        }
        flush()
        return tokens
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }

    /// The captures of a match over the whole name, or nil. O(name) without `*`, O(name × tokens) places to try with them.
    func match(_ name: [UInt8]) -> [String: String]? {
        guard name.starts(with: prefix) else { return nil }
        var captures: [String: String] = [:]
        // What follows a place does not depend on how it was reached: a wildcard that failed from there on fails again.
        var failed = hasSeveralWildcards ? [Int](repeating: .max, count: tokens.count) : []
        return match(token: 0, name: name, at: 0, captures: &captures, failed: &failed) ? captures : nil
    }

    private func match(
        token: Int, name: [UInt8], at start: Int, captures: inout [String: String], failed: inout [Int]
    ) -> Bool {
        guard token < tokens.count else { return start == name.count }
        switch tokens[token] {
        case .literal(let bytes):
            guard name[start...].starts(with: bytes) else { return false }
            return match(
                token: token + 1, name: name, at: start + bytes.count, captures: &captures, failed: &failed)
        case .capture(let label):
            let end = Self.argumentEnd(name, from: start)
            guard end > start else { return false }
            captures[label] = String(decoding: name[start..<end], as: UTF8.self)
            if match(token: token + 1, name: name, at: end, captures: &captures, failed: &failed) { return true }
            // What ends a type, a `*` or the `::` of a member, is also part of types: the last one that fits counts.
            guard token + 1 < tokens.count, case .literal(let next) = tokens[token + 1] else { return false }
            if next.starts(with: " as ".utf8) {
                // `<{T} as Trait>`: what is implemented for a type ends it, the first that fits.
                for earlier in (start + 1)..<end where name[earlier...].starts(with: next) {
                    captures[label] = String(decoding: name[start..<earlier], as: UTF8.self)
                    if match(token: token + 1, name: name, at: earlier, captures: &captures, failed: &failed) {
                        return true
                    }
                }
                return false
            }
            guard next.first == UInt8(ascii: ":") || next.first == UInt8(ascii: "*") else { return false }
            for earlier in ((start + 1)..<end).reversed() where name[earlier...].starts(with: next) {
                captures[label] = String(decoding: name[start..<earlier], as: UTF8.self)
                if match(token: token + 1, name: name, at: earlier, captures: &captures, failed: &failed) {
                    return true
                }
            }
            return false
        case .otherArguments:
            var end = start
            while end < name.count, name[end] == UInt8(ascii: ",") {
                end = Self.argumentEnd(name, from: end + 1)
            }
            return match(token: token + 1, name: name, at: end, captures: &captures, failed: &failed)
        case .anything:
            if token + 1 == tokens.count { return true }
            let known = failed.isEmpty ? .max : failed[token]
            for end in start..<max(start, min(name.count + 1, known))
            where match(token: token + 1, name: name, at: end, captures: &captures, failed: &failed) {
                return true
            }
            if !failed.isEmpty { failed[token] = min(failed[token], start) }
            return false
        }
    }

    /// Where the balanced argument that starts at `start` ends: before a comma, a semicolon or a closing bracket of its level.
    static func argumentEnd(_ text: [UInt8], from start: Int) -> Int {
        var depth = 0
        var index = start
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "<"), UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ">") where index > 0 && text[index - 1] == UInt8(ascii: "-"): break
            case UInt8(ascii: ">"), UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                if depth == 0 { return index }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0, UInt8(ascii: ";") where depth == 0: return index
            default: break
            }
            index += 1
        }
        return index
    }
}
