// From a rule's type template to a type: captures from the name, arguments from debug information.

/// Fills the type templates of a matched rule.
struct TypeResolver {
    let spelling: Spelling
    let captures: [String: String]
    /// The types of the function's template parameters, in the order of their declaration; may be empty.
    let arguments: [String]

    /// The template with its placeholders filled; unknown arguments are `_` in Rust and left out elsewhere.
    func resolve(_ template: String) -> String {
        guard template.contains("{") else { return template }
        var output = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            output += rest[..<open]
            let label = String(rest[rest.index(after: open)..<close])
            output += label == "caller" || label == "object" ? "{\(label)}" : value(of: label)
            rest = rest[rest.index(after: close)...]
        }
        return withoutUnknownArguments(output + rest)
    }

    private func value(of label: String) -> String {
        if let position = Int(label) {
            return position <= arguments.count ? spelling.cleanType(arguments[position - 1]) : "_"
        }
        if label.hasSuffix(":tuple") {
            // `(K, V)` as the arguments of a map.
            let tuple = value(of: String(label.dropLast(6)))
            return tuple.hasPrefix("(") && tuple.hasSuffix(")") ? String(tuple.dropFirst().dropLast()) : "_"
        }
        guard let text = captures[label]?.trimmingSpaces else { return "_" }
        guard spelling == .rust else { return spelling.cleanType(text) }
        let names = parameterNames
        guard names.contains(where: text.contains) else { return spelling.cleanType(text) }
        return spelling.cleanType(substituting(names, in: text))
    }

    /// The generic parameters that legacy Rust names show in place of types, in order of their declaration.
    private var parameterNames: [String] {
        var names: [String] = []
        for label in captures.keys.sorted() {
            for word in Self.words(captures[label] ?? "") where Self.isParameter(word) && !names.contains(word) {
                names.append(word)
            }
        }
        let order = ["K", "T", "B", "V", "S", "A"]
        return names.sorted { (order.firstIndex(of: $0) ?? 9, $0) < (order.firstIndex(of: $1) ?? 9, $1) }
    }

    private func substituting(_ names: [String], in text: String) -> String {
        var output = ""
        var word = ""
        func flush() {
            if let position = names.firstIndex(of: word) {
                output += position < arguments.count ? arguments[position] : "_"
            } else {
                output += word
            }
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

    private static func isParameter(_ word: String) -> Bool {
        word.utf8.count == 1 && word.utf8.allSatisfy { (0x41...0x5A).contains($0) }
    }

    private static func words(_ text: String) -> [String] {
        text.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }.map(String.init)
    }

    private func withoutUnknownArguments(_ type: String) -> String {
        guard spelling != .rust, type.contains("_") else { return type }
        var type = type
        for unknown in ["<_, _>", "<_>"] { type = type.replacing(unknown, with: "") }
        return type
    }
}
