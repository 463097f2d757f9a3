// Names that are too long for their column, shortened where a reader loses least: first the namespaces and modules of template and generic arguments,
// then what stands within nested arguments, then the outer namespaces; only what is left is cut in its middle.

enum NameText {
    /// Words before a name that say what it is the name of.
    private static let labels = ["Class ", "Box ", "Runtime ", "Unattributed: "]

    /// The words before a name, which stay: `Class `, `new in `.
    private static func label(of text: String) -> Substring? {
        if let label = labels.first(where: text.hasPrefix) { return text.prefix(label.count) }
        guard let place = text.firstRange(of: " in "), !text[..<place.lowerBound].contains(where: { "<(".contains($0) })
        else { return nil }
        return text[..<place.upperBound]
    }

    /// The name with less and less of what a reader can do without, until it has `width` characters; the shortest form where none has.
    /// O(length).
    static func abbreviated(_ name: String, to width: Int) -> String {
        if name.count <= width { return name }
        if let label = label(of: name) {
            return label + abbreviated(String(name.dropFirst(label.count)), to: max(1, width - label.count))
        }
        var text = name
        if text.contains("<") {
            for keepsLast in [2, 1] {
                text = withoutQualifiers(in: name, keeping: keepsLast)
                if text.count <= width { return text }
            }
            // A little too long is better cut in the middle.
            if text.count * 2 > width * 3 { text = withoutNestedArguments(text) }
        }
        while text.count > width, let rest = withoutFirstNamespace(text) { text = rest }
        return text
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "$"
    }

    /// The name whose arguments, between `<` and `>`, keep the last `count` names of each, and never the first of several:
    /// `std::map<app::Key, app::Value>` is `std::map<Key, Value>`.
    private static func withoutQualifiers(in name: String, keeping count: Int) -> String {
        var result: [Character] = []
        var depth = 0
        // Where the qualified name at hand and its last word begin in the result, and how many of its words are behind.
        var (path, word, passed) = (0, 0, 0)
        let text = Array(name)
        var index = 0
        while index < text.count {
            let character = text[index]
            let isScope = character == ":" && index + 1 < text.count && text[index + 1] == ":"
            let isMember = character == "." && index + 1 < text.count && isWord(text[index + 1]) && result.count > word
            if depth > 0, isScope || isMember, result.last != ">" {
                if word == result.count, result.last == ")", let open = result.lastIndex(of: "(") {
                    word = open
                    if passed == 0 { path = open }
                }
                passed += 1
                let kept = count == 1 || passed == 1 ? [] : Array(result[word...]) + (isScope ? "::" : ".")
                result.removeSubrange(path...)
                result += kept
                word = result.count
                index += isScope ? 2 : 1
                continue
            }
            result.append(character)
            if character == "<" { depth += 1 }
            if character == ">", index == 0 || text[index - 1] != "-" { depth -= 1 }
            if !isWord(character) { (path, word, passed) = (result.count, result.count, 0) }
            index += 1
        }
        return String(result)
    }

    /// The name with `…` in the place of arguments of arguments.
    private static func withoutNestedArguments(_ name: String) -> String {
        var result = ""
        var depth = 0
        var previous: Character = " "
        for character in name {
            if character == ">", previous != "-" {
                depth -= 1
                if depth < 2 { result.append(character) }
            } else if character == "<" {
                depth += 1
                if depth <= 2 { result.append(character) }
                if depth == 2 { result.append("…") }
            } else if depth < 2 {
                result.append(character)
            }
            previous = character
        }
        return depth == 0 ? result : name
    }

    /// Whether what is left of a Swift name says enough: a type's name does, a function's with its type.
    private static func isWholeWithout(_ rest: Substring) -> Bool {
        guard let call = rest.firstIndex(of: "(") else { return true }
        return rest[..<call].contains(".")
    }

    /// `…B::f` of `A::B::f` and `…C::f` of that; nil where only the last two names are left, or the namespace is `std`.
    private static func withoutFirstNamespace(_ name: String) -> String? {
        let body = name.hasPrefix("…") ? name.dropFirst() : name[...]
        if !body.contains("::"), !body.contains(" "), !body.contains("<"), let dot = body.firstIndex(of: "."),
            body[..<dot].allSatisfy(isWord), dot != body.startIndex,
            body[body.index(after: dot)...].first.map(isWord) == true,
            !body.hasPrefix("lib"), isWholeWithout(body[body.index(after: dot)...])
        {
            return "…" + body[body.index(after: dot)...]
        }
        guard let end = body.firstRange(of: "::"), !body[..<end.lowerBound].contains(where: { "<( :".contains($0) }),
            body[..<end.lowerBound] != "std"
        else { return nil }
        let rest = body[end.upperBound...]
        let bracket = rest.firstIndex(of: "<") ?? rest.endIndex
        guard bracket < rest.endIndex || rest.contains("::") else { return nil }
        return "…" + rest
    }
}
