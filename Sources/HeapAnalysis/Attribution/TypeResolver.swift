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
            return tuple.hasPrefix("(") && tuple.hasSuffix(")") ? String(tuple.dropFirst().dropLast()) : "_, _"
        }
        guard let text = captures[label]?.trimmingSpaces else { return "_" }
        return spelling.cleanType(text)
    }

    /// The placeholders of a template, in order.
    static func labels(in template: String) -> [String] {
        var labels: [String] = []
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            labels.append(String(rest[rest.index(after: open)..<close]))
            rest = rest[rest.index(after: close)...]
        }
        return labels
    }

    /// Whether a resolved type has an argument that is not known.
    static func hasUnknownArgument(_ type: String) -> Bool {
        ["<_>", "<_,", " _>", " _,"].contains(where: type.contains)
    }

    private func withoutUnknownArguments(_ type: String) -> String {
        guard spelling != .rust, type.contains("_") else { return type }
        var type = type
        for unknown in ["<_, _>", "<_>"] { type = type.replacing(unknown, with: "") }
        return type
    }
}
