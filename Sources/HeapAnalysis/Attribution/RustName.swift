// Rust's names: legacy and v0 symbols brought to one form, and types without what every reader knows.
//
// Legacy symbols keep the parameter (`alloc::vec::Vec<T,A>::push`), v0 symbols the argument (`<alloc::vec::Vec<u8>>::push`);
// a canonical name is written `alloc::vec::Vec<u8>::push` where the argument is known.

/// Canonical forms of Rust's function and type names.
enum RustName {
    private static let standardCrates: Set<String> = ["core", "alloc", "std", "hashbrown", "proc_macro", "test"]

    /// The form rules are matched against.
    static func canonical(_ raw: String, arguments: [String] = []) -> String {
        var name = withoutMethodArguments(withoutNoise(raw))
        if let (inner, rest) = leadingBrackets(name) {
            if topLevelRange(of: " as ", in: inner) == nil { name = inner + rest }
        } else if let impl = name.firstRange(of: "<impl ") {
            // alloc::slice::<impl [T]>::to_vec, alloc::str::<impl alloc::borrow::ToOwned for str>::to_owned
            if let (inner, rest) = leadingBrackets(String(name[impl.lowerBound...])) {
                let body = String(inner.dropFirst(5))
                if let keyword = topLevelRange(of: " for ", in: body) {
                    name = "<\(body[keyword.upperBound...]) as \(body[..<keyword.lowerBound])>\(rest)"
                } else {
                    name = body + rest
                }
            }
        }
        return arguments.isEmpty ? name : withParameters(of: name, replacedBy: arguments)
    }

    /// Puts types in place of the parameters that legacy names show, in the order in which these appear.
    private static func withParameters(of name: String, replacedBy arguments: [String]) -> String {
        var order: [String] = []
        return replacingParameters(in: name) { parameter in
            if !order.contains(parameter) { order.append(parameter) }
            let position = order.firstIndex(of: parameter) ?? 0
            guard position < arguments.count else { return parameter }
            let argument = withoutNoise(arguments[position])
            // Debug information describes `[u64; 3]` as C would.
            return argument.hasSuffix(" []") ? "[\(argument.dropLast(3)); _]" : argument
        }
    }

    /// Replaces every word that is one capital letter, as generic parameters are.
    private static func replacingParameters(in text: String, by replacement: (String) -> String) -> String {
        var output = ""
        var word = ""
        func flush() {
            let isParameter = word.utf8.count == 1 && word.utf8.allSatisfy { (0x41...0x5A).contains($0) }
            output += isParameter ? replacement(word) : word
            word = ""
        }
        for character in text {
            if character.isLetter || character.isNumber || character == "_" || character == ":" {
                word.append(character)
            } else {
                flush()
                output.append(character)
            }
        }
        flush()
        return output
    }

    /// A name for people: as written, without hashes, closures and arguments of methods.
    static func display(_ raw: String) -> String {
        var name = withoutMethodArguments(withoutNoise(raw))
        while name.hasSuffix("::{closure}") { name.removeLast("::{closure}".utf8.count) }
        return name
    }

    /// The arguments of the method itself, `from_elem::<u8>`, which v0 names carry; empty when there are none.
    static func methodArguments(_ raw: String) -> [String] {
        guard raw.hasSuffix(">"), let open = raw.ranges(of: "::<").last else { return [] }
        return arguments(in: raw[open.upperBound...])
    }

    /// The arguments at the end of a name of debug information, `push<u64, alloc::alloc::Global>`.
    static func trailingArguments(_ name: String) -> [String] {
        guard name.hasSuffix(">"), let open = name.firstIndex(of: "<"), open != name.startIndex else { return [] }
        return arguments(in: name[name.index(after: open)...])
    }

    /// Splits the text between angle brackets, the closing one included; empty where the brackets do not match.
    private static func arguments(in list: Substring) -> [String] {
        let text = Array(list.utf8)
        var arguments: [String] = []
        var index = 0
        while index < text.count {
            let end = FramePattern.argumentEnd(text, from: index)
            arguments.append(String(decoding: text[index..<end], as: UTF8.self).trimmingSpaces)
            index = end + 1
            if end >= text.count - 1 { return end == text.count - 1 ? arguments : [] }
        }
        return []
    }

    /// A type without standard paths, allocators and hashers; closures are named by where they are written.
    static func cleanType(_ raw: String) -> String {
        let text = Array(replacingParameters(in: withoutNoise(raw)) { _ in "_" }.utf8)
        var output = ""
        var index = 0
        while index < text.count {
            guard isPath(text[index]) else {
                if text[index] == UInt8(ascii: ",") {
                    output += ", "
                    index += 1
                    while index < text.count, text[index] == UInt8(ascii: " ") { index += 1 }
                } else {
                    output.unicodeScalars.append(Unicode.Scalar(text[index]))
                    index += 1
                }
                continue
            }
            let start = index
            while index < text.count, isPath(text[index]) { index += 1 }
            output += shortPath(String(decoding: text[start..<index], as: UTF8.self))
        }
        for argument in [", Global", ", RandomState"] {
            output = output.removing(argument, before: [">", ","])
        }
        return output
    }

    /// The futures that the compiler makes, as debug information names them, and in words.
    private static let futures = [
        ("{async_fn_env", "async fn "), ("{async_block_env", "async block in "),
        ("{async_closure_env", "async closure in "),
    ]

    private static func shortPath(_ path: String) -> String {
        var parts = path.components(separatedBy: "::").filter { !$0.isEmpty }
        if let closure = parts.firstIndex(where: { $0.hasPrefix("{closure") }) {
            return "{closure in \(parts[..<closure].joined(separator: "::"))}"
        }
        for (mark, words) in futures {
            guard let future = parts.firstIndex(where: { $0.hasPrefix(mark) }) else { continue }
            return words + parts[..<future].joined(separator: "::")
        }
        if let first = parts.first, standardCrates.contains(first), let last = parts.last { parts = [last] }
        return parts.joined(separator: "::")
    }

    private static func isPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "{"),
            UInt8(ascii: "}"), UInt8(ascii: "#"), 0x80...0xFF:
            true
        default: false
        }
    }

    /// Drops crate hashes `[1f2e…]`, the legacy hash and the numbers of closures.
    private static func withoutNoise(_ raw: String) -> String {
        let text = Array(raw.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "["), let last = result.last, isPath(last),
                let end = text[index...].firstIndex(of: UInt8(ascii: "]")), end - index >= 8,
                text[(index + 1)..<end].allSatisfy(isHexadecimal)
            {
                index = end + 1
                continue
            }
            if byte == UInt8(ascii: "{"), text[index...].starts(with: "{{closure}}".utf8) {
                result += "{closure}".utf8
                index += 11
                continue
            }
            if byte == UInt8(ascii: "{"), text[index...].starts(with: "{closure".utf8),
                let end = text[index...].firstIndex(of: UInt8(ascii: "}"))
            {
                result += "{closure}".utf8
                index = end + 1
                continue
            }
            result.append(byte)
            index += 1
        }
        if result.count > 19 {
            let tail = result.suffix(19)
            if tail.starts(with: "::h".utf8), tail.dropFirst(3).allSatisfy(isHexadecimal) {
                result.removeLast(19)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }

    /// Drops the arguments of the method itself, `push::<u8>`, at the end or before a nested closure.
    private static func withoutMethodArguments(_ name: String) -> String {
        guard name.contains("::<") else { return name }
        let text = Array(name.utf8)
        var result: [UInt8] = []
        var depth = 0
        var index = 0
        while index < text.count {
            if depth == 0, text[index...].starts(with: "::<".utf8), !text[index...].starts(with: "::<impl ".utf8) {
                index = FramePattern.argumentEnd(text, from: index + 3)
                while index < text.count, text[index] == UInt8(ascii: ",") {
                    index = FramePattern.argumentEnd(text, from: index + 1)
                }
                index += 1
                continue
            }
            switch text[index] {
            case UInt8(ascii: "<"): depth += 1
            case UInt8(ascii: ">") where index > 0 && text[index - 1] != UInt8(ascii: "-"): depth -= 1
            default: break
            }
            result.append(text[index])
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Splits `<inner>rest`; nil when the name does not start with a bracket.
    static func leadingBrackets(_ name: String) -> (inner: String, rest: String)? {
        guard name.utf8.first == UInt8(ascii: "<") else { return nil }
        let text = Array(name.utf8)
        var end = FramePattern.argumentEnd(text, from: 1)
        while end < text.count, text[end] == UInt8(ascii: ",") { end = FramePattern.argumentEnd(text, from: end + 1) }
        guard end < text.count else { return nil }
        return (String(decoding: text[1..<end], as: UTF8.self), String(decoding: text[(end + 1)...], as: UTF8.self))
    }

    private static func topLevelRange(of word: String, in text: String) -> Range<String.Index>? {
        var depth = 0
        var index = text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if character == "<" || character == "(" || character == "[" {
                depth += 1
            } else if character == ">" || character == ")" || character == "]" {
                depth -= 1
            } else if depth == 0, text[index...].hasPrefix(word) {
                return index..<text.index(index, offsetBy: word.count)
            }
            index = text.index(after: index)
        }
        return nil
    }
}

extension String {
    /// The text without `part` wherever one of `followers` comes right after it.
    func removing(_ part: String, before followers: [Character]) -> String {
        var result = ""
        var rest = self[...]
        while let found = rest.firstRange(of: part) {
            result += rest[..<found.lowerBound]
            let next = found.upperBound < rest.endIndex ? rest[found.upperBound] : nil
            if let next, !followers.contains(next) { result += part }
            rest = rest[found.upperBound...]
        }
        return result + rest
    }
}
