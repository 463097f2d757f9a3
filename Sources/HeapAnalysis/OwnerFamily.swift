// The family of a type that is known by name alone, as a line of the text dialect gives it.

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
