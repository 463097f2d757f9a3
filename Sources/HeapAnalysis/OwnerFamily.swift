// The families of owners: those that there are, and the one of a type that is known by name alone, as a line of the text dialect gives it.

enum OwnerFamily {
    private static let families: [(family: String, types: [String])] = [
        ("Box", ["Box", "unique_ptr"]),
        ("String", ["String", "Substring", "str", "string", "basic_string"]),
        ("Cow", ["Cow"]),
        ("Array", ["Array", "ContiguousArray", "ArraySlice", "Vec", "VecDeque", "vector", "deque"]),
        ("Dictionary", ["Dictionary", "HashMap", "BTreeMap", "map", "unordered_map"]),
        ("Set", ["Set", "HashSet", "BTreeSet", "set", "unordered_set"]),
        ("Shared", ["Rc", "Arc", "shared_ptr"]),
        ("Closure", ["function"]),
        ("Task", ["Task"]),
        ("Data", ["Data"]),
    ]

    /// The families of every language's own owners; rules and tags may have others.
    static let known = families.map(\.family) + ["Class", "Runtime", "C", "Unattributed"]

    /// Whether a rule may call a family so.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || $0.isASCIIDigit || "-_".unicodeScalars.contains($0)
            }
    }

    /// The known family that a name which is none was meant to be; nil for a known one, and for one of its author's own.
    static func misspelt(_ family: String) -> String? {
        known.contains(family) ? nil : NearestWord.nearest(to: family, among: known)
    }

    /// The family that a type belongs to by its name, its module and arguments left aside; `Class` for types of no known family.
    static func family(ofType type: String) -> String {
        if type.isEmpty { return "Unattributed" }
        var name = type[..<(type.firstIndex(of: "<") ?? type.endIndex)]
        if let separator = name.lastIndex(where: { $0 == ":" || $0 == "." }) {
            name = name[name.index(after: separator)...]
        }
        return families.first { $0.types.contains(String(name)) }?.family ?? "Class"
    }
}

extension Unicode.Scalar {
    /// Whether it is one of 0 to 9.
    fileprivate var isASCIIDigit: Bool { (0x30...0x39).contains(value) }
}
