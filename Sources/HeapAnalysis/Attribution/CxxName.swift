// C++ names: one spelling for libstdc++ and libc++, and types without the arguments that are there by default.

/// Canonical forms of C++ function and type names.
enum CxxName {
    private static let defaults = [
        "std::allocator<", "std::char_traits<", "std::less<", "std::hash<", "std::equal_to<", "std::default_delete<",
        "std::pmr::polymorphic_allocator<",
    ]
    private static let strings = [
        "char": "std::string", "wchar_t": "std::wstring", "char8_t": "std::u8string", "char16_t": "std::u16string",
        "char32_t": "std::u32string",
    ]

    /// The form rules are matched against: also the form of a type in a report.
    static func canonical(_ raw: String) -> String {
        var name = raw
        while let tag = name.firstRange(of: "[abi:"), let end = name[tag.upperBound...].firstIndex(of: "]") {
            name.removeSubrange(tag.lowerBound...end)
        }
        for inlineNamespace in ["std::__1::", "std::__ndk1::"] { name = name.replacing(inlineNamespace, with: "std::") }
        name = name.replacing("::__cxx11::", with: "::").replacing("std::__fs::filesystem::", with: "std::filesystem::")
        if let clone = name.firstRange(of: " [clone") { name = String(name[..<clone.lowerBound]) }
        let text = Array(name.utf8)
        guard text.contains(UInt8(ascii: "<")) else { return name }
        var index = 0
        let result = rewrite(text, from: &index)
        return withoutReturnType(result)
    }

    /// A type as a report shows it.
    static func cleanType(_ raw: String) -> String {
        let type = spacedSignature(canonical(raw).trimmingSpaces)
        return type.hasSuffix(" const") ? String(type.dropLast(6)) : type
    }

    /// A function's type as demanglers write it, `int (char)`: gcc's debug information leaves the space out.
    private static func spacedSignature(_ type: String) -> String {
        guard type.hasSuffix(")"), !type.contains("::{"), let open = type.firstIndex(of: "("), open > type.startIndex,
            type[type.index(before: open)] != " ", !type[..<open].contains("<")
        else { return type }
        return "\(type[..<open]) \(type[open...])"
    }

    /// Copies text up to the end of its level, rewriting every template argument list on the way.
    private static func rewrite(_ text: [UInt8], from index: inout Int) -> String {
        var output: [UInt8] = []
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "<"), !isOperator(output) {
                index += 1
                let arguments = argumentList(text, from: &index)
                finish(&output, arguments: arguments)
                continue
            }
            if byte == UInt8(ascii: "("), !output.hasSuffix("operator") {
                // A parenthesis is copied with what is in it: function types, "(anonymous namespace)".
                output.append(byte)
                index += 1
                output += rewrite(text, from: &index).utf8
                if index < text.count { output.append(text[index]) }
                index += 1
                continue
            }
            if byte == UInt8(ascii: ")"), !output.hasSuffix("operator(") { break }
            if byte == UInt8(ascii: ">"), !isOperator(output), output.last != UInt8(ascii: "-") { break }
            output.append(byte)
            index += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func argumentList(_ text: [UInt8], from index: inout Int) -> [String] {
        var arguments: [String] = []
        while index < text.count {
            let end = FramePattern.argumentEnd(text, from: index)
            var inner = 0
            arguments.append(rewrite(Array(text[index..<end]), from: &inner).trimmingSpaces)
            index = end + 1
            if end >= text.count || text[end] != UInt8(ascii: ",") { break }
        }
        return arguments
    }

    private static func finish(_ output: inout [UInt8], arguments: [String]) {
        var kept = arguments
        while kept.count > 1, let last = kept.last, defaults.contains(where: last.hasPrefix) { kept.removeLast() }
        for (suffix, isView) in [("std::basic_string", false), ("std::basic_string_view", true)]
        where output.hasSuffix(suffix) && kept.count == 1 {
            if let name = strings[kept[0]] {
                output.removeLast(suffix.utf8.count)
                output += (isView ? name + "_view" : name).utf8
                return
            }
        }
        output.append(UInt8(ascii: "<"))
        output += kept.joined(separator: ", ").utf8
        output.append(UInt8(ascii: ">"))
    }

    private static func isOperator(_ output: [UInt8]) -> Bool {
        output.hasSuffix("operator") || output.hasSuffix("operator<") || output.hasSuffix("operator>")
            || output.hasSuffix("operator-")
    }

    /// Drops a return type, which some demanglers write before a function template's name.
    private static func withoutReturnType(_ name: String) -> String {
        guard name.contains(" "), !name.contains("operator") else { return name }
        var depth = 0
        var start = name.startIndex
        var index = name.startIndex
        while index < name.endIndex {
            switch name[index] {
            case "<", "(", "{", "[": depth += 1
            case ">", ")", "}", "]": depth -= 1
            case " " where depth == 0: start = name.index(after: index)
            default: break
            }
            index = name.index(after: index)
        }
        let rest = name[start...]
        return rest.contains("::") || rest.contains("<") ? String(rest) : name
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ text: String) -> Bool {
        let bytes = text.utf8
        return count >= bytes.count && self[(count - bytes.count)...].elementsEqual(bytes)
    }
}
