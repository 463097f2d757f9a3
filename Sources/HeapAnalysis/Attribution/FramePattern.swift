// Patterns over function names, as the rule tables write them.
//
//     alloc::vec::Vec<{T}>::@(push|insert)     literal text, one captured type argument, alternatives
//     std::_Rb_tree<{K}, {V}>::*               `*` stands for any text
//
// A capture takes one balanced argument; the `>` after a capture also passes over further arguments, such as an
// allocator. Alternatives are expanded when a pattern is parsed, so matching needs no nesting.

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

    /// Parses one pattern text into the patterns it stands for.
    static func parse(_ text: String) -> [FramePattern] {
        expandAlternatives(text).map { FramePattern(tokens: tokenize(Array($0.utf8))) }
    }

    private init(tokens: [Token]) {
        self.tokens = tokens
        if case .literal(let bytes)? = tokens.first { prefix = bytes } else { prefix = [] }
    }

    private static func expandAlternatives(_ text: String) -> [String] {
        guard let open = text.firstRange(of: "@(") else { return [text] }
        var choices: [String] = []
        var choice = ""
        var depth = 0
        var index = open.upperBound
        while index < text.endIndex {
            let character = text[index]
            if depth == 0, character == "|" || character == ")" {
                choices.append(choice)
                choice = ""
                if character == ")" { break }
            } else {
                if character == "(" { depth += 1 } else if character == ")" { depth -= 1 }
                choice.append(character)
            }
            index = text.index(after: index)
        }
        guard index < text.endIndex else { return [text] }
        let tails = expandAlternatives(String(text[text.index(after: index)...]))
        return choices.flatMap(expandAlternatives).flatMap { choice in
            tails.map { "\(text[..<open.lowerBound])\(choice)\($0)" }
        }
    }

    private static func tokenize(_ text: [UInt8]) -> [Token] {
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
                tokens.append(.anything)
            case UInt8(ascii: "\\") where index + 1 < text.count:
                index += 1
                literal.append(text[index])
            case UInt8(ascii: "{"):
                guard let end = text[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    literal.append(text[index])
                    break
                }
                flush()
                tokens.append(.capture(String(decoding: text[(index + 1)..<end], as: UTF8.self)))
                index = end
                if index + 1 < text.count, text[index + 1] == UInt8(ascii: ">") { tokens.append(.otherArguments) }
            default: literal.append(text[index])
            }
            index += 1
        }
        flush()
        return tokens
    }

    /// The captures of a match over the whole name, or nil. O(name) without `*`, O(name²) at worst with them.
    func match(_ name: [UInt8]) -> [String: String]? {
        guard name.starts(with: prefix) else { return nil }
        var captures: [String: String] = [:]
        return match(token: 0, name: name, at: 0, captures: &captures) ? captures : nil
    }

    private func match(token: Int, name: [UInt8], at start: Int, captures: inout [String: String]) -> Bool {
        guard token < tokens.count else { return start == name.count }
        switch tokens[token] {
        case .literal(let bytes):
            guard name[start...].starts(with: bytes) else { return false }
            return match(token: token + 1, name: name, at: start + bytes.count, captures: &captures)
        case .capture(let label):
            let end = Self.argumentEnd(name, from: start)
            guard end > start else { return false }
            captures[label] = String(decoding: name[start..<end], as: UTF8.self)
            if match(token: token + 1, name: name, at: end, captures: &captures) { return true }
            // What ends a type, a `*` or the `::` of a member, is also part of types: the last one that fits counts.
            guard token + 1 < tokens.count, case .literal(let next) = tokens[token + 1],
                next.first == UInt8(ascii: ":") || next.first == UInt8(ascii: "*")
            else { return false }
            for earlier in ((start + 1)..<end).reversed() where name[earlier...].starts(with: next) {
                captures[label] = String(decoding: name[start..<earlier], as: UTF8.self)
                if match(token: token + 1, name: name, at: earlier, captures: &captures) { return true }
            }
            return false
        case .otherArguments:
            var end = start
            while end < name.count, name[end] == UInt8(ascii: ",") {
                end = Self.argumentEnd(name, from: end + 1)
            }
            return match(token: token + 1, name: name, at: end, captures: &captures)
        case .anything:
            if token + 1 == tokens.count { return true }
            for end in start...name.count
            where match(token: token + 1, name: name, at: end, captures: &captures) {
                return true
            }
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
