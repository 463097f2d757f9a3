// From what machine code says around a call of operator new to the type that the block is for.
//
// Compilers inline constructors and containers; what they leave are virtual tables, calls that take the block, and the
// messages of length checks. Each rule below needs evidence that nothing else leaves; where two owners could have left it
// the answer is nil, and the block stays `new in f`.

/// Names that the code around a call of operator new mentions, in its order.
struct AllocationEvidence: Sendable {
    enum Size: Sendable, Equatable {
        case unknown
        case constant(UInt64)
        /// Not known to the compiler: an array's.
        case variable
        /// A number of characters, and one more.
        case plusOne
    }

    enum Kind: Sendable {
        case passed
        case stored
        case near
        case check
        case called
        case managed
        case constructed
    }

    struct Hint: Sendable {
        var kind: Kind
        /// The mangled name, or the text of a check's message.
        var name: String
        var argument = 0
        /// How often the function says it.
        var count = 1
    }

    var hints: [Hint] = []
    var size = Size.unknown
    /// Whether the calling function itself writes words of the block behind its first.
    var isFilledInPlace = false
    /// Whether the call is of `operator new[]`, which no container of the standard library calls.
    var isArray = false
    /// Whether the function says more than was kept, so that nothing follows from what it does not say.
    var isCut = false

    /// The type that the block is for, as the argument of `operator new<…>`; nil where the evidence does not decide.
    ///
    /// A class by its name; `elements of C`, `node of C`, `coroutine f`, `target of F` for what libraries allocate.
    var type: String? {
        if isArray { return Self.array }
        return coroutine ?? managed ?? (isObject ? storedClass : nil) ?? node ?? constructed ?? elements
            ?? (isObject ? Self.object : nil)
    }

    /// What is said of a single block of which nothing else is known.
    static let object = "one object"
    /// What is said of a block that `operator new[]` was asked for.
    static let array = "array of objects"

    private var isObject: Bool { if case .constant = size { true } else { false } }
    private var isOfVariableSize: Bool { size == .variable || size == .plusOne }

    private func names(_ kind: Kind) -> [String] { hints.filter { $0.kind == kind }.map(\.name) }

    private func demangled(_ name: String) -> String { Demangler.demangle(name).name }

    // MARK: - One object

    /// A coroutine's frame starts with the function that resumes it.
    private var coroutine: String? {
        for name in names(.stored) {
            for suffix in [".actor", ".resume"] where name.hasSuffix(suffix) {
                return "coroutine " + demangled(String(name.dropLast(suffix.count)))
            }
        }
        return nil
    }

    /// A copy function for blocks of this size, which std::function and std::any keep beside the block.
    private var managed: String? {
        for name in names(.managed).map(demangled) {
            if name.hasPrefix("std::any::") { return "value of std::any" }
            guard name.hasPrefix("std::_Function_handler<"), let owner = Self.owner(of: name),
                let signature = Self.firstArgument(of: owner)
            else { continue }
            return "target of std::function<\(signature)>"
        }
        return nil
    }

    /// The class of the virtual table that is stored last: constructors of bases store theirs first.
    private var storedClass: String? {
        for name in names(.stored).reversed() where name.hasPrefix("_ZTV") || name.hasPrefix("_ZTS") {
            let text = demangled(name)
            for prefix in ["vtable for ", "typeinfo name for "] where text.hasPrefix(prefix) {
                return String(text.dropFirst(prefix.count))
            }
        }
        return nil
    }

    /// The class whose constructor takes the block as its object. One that is followed by more writes may be a base's.
    private var constructed: String? {
        guard isObject else { return nil }
        if let known = names(.constructed).first, !known.hasPrefix("std::") { return known }
        guard !isFilledInPlace else { return nil }
        for hint in hints where hint.kind == .passed && hint.argument == 0 {
            let name = demangled(hint.name)
            guard let owner = Self.owner(of: name), let last = Self.components(name).last else { continue }
            let className = Self.components(owner).last ?? owner
            if last == (className.split(separator: "<").first.map(String.init) ?? className) { return owner }
        }
        return nil
    }

    // MARK: - Nodes

    private var node: String? {
        for hint in hints where hint.kind == .passed {
            if hint.argument == 1, hint.name.hasPrefix("_ZSt29_Rb_tree_insert_and_rebalance") {
                return treeNode(inserting: hint.name)
            }
            if hint.argument == 1, hint.name.hasPrefix("_ZNSt3__127__tree_balance_after_insert") {
                return onlyClass(["std::__1::__tree<"], used: hint.name).map { "node of \($0)" }
            }
            if hint.argument == 0, hint.name.hasPrefix("_ZNSt8__detail15_List_node_base7_M_hook") {
                return "node of "
                    + (onlyClass(["std::__cxx11::_List_base<", "std::__cxx11::list<"], used: hint.name) ?? "std::list")
            }
            if let table = Self.owner(of: demangled(hint.name)), Self.isHashTable(table) { return "node of \(table)" }
        }
        let rehash = "_ZNKSt8__detail20_Prime_rehash_policy14_M_need_rehash"
        guard names(.near).contains(where: { $0.hasPrefix(rehash) }), isFilledInPlace || isOfVariableSize else {
            return nil
        }
        let table = onlyClass(Self.hashTables, used: rehash) ?? "std::_Hashtable"
        return isOfVariableSize ? nil : "node of \(table)"
    }

    private func treeNode(inserting name: String) -> String {
        let near = names(.near).map(demangled).compactMap(Self.owner).filter { $0.hasPrefix("std::_Rb_tree<") }
        let tree = Set(near).count == 1 ? near[0] : onlyClass(["std::_Rb_tree<"], used: name)
        // A search for a unique key steps back once; one for equal keys does not.
        let isUnique = (names(.near) + names(.called)).contains {
            $0.contains("unique") || $0.hasPrefix("_ZSt18_Rb_tree_decrement")
        }
        return "node of \(isUnique ? "" : "equal keys in ")\(tree ?? "std::_Rb_tree")"
    }

    private static let hashTables = ["std::_Hashtable<", "std::__1::__hash_table<"]

    private static func isHashTable(_ name: String) -> Bool { hashTables.contains(where: name.hasPrefix) }

    /// The one class of those beginnings whose functions are called, where the function does with one only.
    private func onlyClass(_ beginnings: [String], used name: String) -> String? {
        let uses = hints.filter { $0.kind == .called && $0.name.hasPrefix(name) }.map(\.count).reduce(0, +)
        guard uses <= 1, !isCut else { return nil }
        let found = Set(
            // Compilers fold functions of different types that came out alike, as those that only free nodes do.
            (names(.near) + names(.called)).filter { !$0.contains("_M_erase") }.map(demangled).compactMap(Self.owner)
                .filter { owner in
                    beginnings.contains(where: owner.hasPrefix)
                })
        return found.count == 1 ? found.first : nil
    }

    // MARK: - Arrays

    /// The container whose length check is in the function, where no other one's is.
    private var elements: String? {
        guard !isCut else { return nil }
        let checked = Set(
            names(.check).compactMap(Self.container(ofMessage:)) + names(.called).compactMap(Self.checkingContainer))
        let calls = names(.called)
        if checked == ["std::deque"], case .constant(let bytes) = size {
            // The map of eight pointers, and blocks of up to 512 bytes.
            return bytes == 64 || bytes > 256 && bytes <= 512 ? "elements of std::deque" : nil
        }
        guard isOfVariableSize else { return nil }
        if size == .plusOne, checked.contains("std::string") { return "elements of std::string" }
        if calls.contains(where: { $0.hasPrefix("_ZNKSt8__detail20_Prime_rehash_policy") }) {
            let isCleared = hints.contains { $0.kind == .passed && $0.argument == 0 && $0.name == "memset" }
            return isCleared ? "buckets of std::_Hashtable" : nil
        }
        let arrays = checked.subtracting(["std::string"])
        let refusesLongArrays = calls.contains { $0.hasPrefix("_ZSt28__throw_bad_array_new_length") }
        if size == .variable, arrays.count == 1, let array = arrays.first {
            let messages = names(.check).filter { Self.container(ofMessage: $0) == array }
            let isGrowth = !messages.isEmpty && messages.allSatisfy { $0.contains("::") && !$0.contains("std::") }
            return "\(isGrowth ? "more elements" : "elements") of \(array)"
        }
        if size == .variable, arrays.isEmpty, refusesLongArrays { return "elements of std::vector" }
        if arrays.isEmpty, checked == ["std::string"], !refusesLongArrays {
            return onlyStringType.map { "elements of \($0)" }
        }
        return nil
    }

    /// The one type of strings that the function uses, narrow ones where no call names any; their messages are the same.
    private var onlyStringType: String? {
        let types = [
            "c": "std::string", "w": "std::wstring", "Du": "std::u8string", "Ds": "std::u16string",
            "Di": "std::u32string",
        ]
        let mark = "basic_stringI"
        var found: Set<String> = []
        for hint in hints {
            guard let start = hint.name.firstRange(of: mark) else { continue }
            let rest = hint.name[start.upperBound...]
            for (code, type) in types where rest.hasPrefix(code) { found.insert(type) }
        }
        return found.count > 1 ? nil : found.first ?? "std::string"
    }

    private static func container(ofMessage message: String) -> String? {
        if message.hasPrefix("vector<bool>") { return "std::vector<bool>" }
        if message.hasPrefix("vector") || message.contains("std::vector larger") { return "std::vector" }
        if message.hasPrefix("basic_string") { return "std::string" }
        if message.hasPrefix("deque") || message.contains("std::deque larger") { return "std::deque" }
        return nil
    }

    /// libc++ checks in members that carry the container's name.
    private static func checkingContainer(_ mangled: String) -> String? {
        guard mangled.contains("__throw_length_error"), mangled.hasPrefix("_ZNKSt3__1") else { return nil }
        guard let owner = owner(of: Demangler.demangle(mangled).name) else { return nil }
        if owner.hasPrefix("std::__1::vector<") { return owner }
        return owner.hasPrefix("std::__1::basic_string<char,") ? "std::string" : nil
    }

    // MARK: - Names

    private static func components(_ name: String) -> [String] {
        BracketedText.split(Array(name.utf8), at: "::").map(BracketedText.string)
    }

    /// The class or namespace that a function is in.
    private static func owner(of name: String) -> String? {
        let parts = components(name)
        return parts.count > 1 ? parts.dropLast().joined(separator: "::") : nil
    }

    private static func firstArgument(of type: String) -> String? {
        let bytes = Array(type.utf8)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "<")),
            let close = BracketedText.closing(of: open, in: bytes)
        else { return nil }
        return BracketedText.split(Array(bytes[(open + 1)..<close]), at: ", ").first.map(BracketedText.string)
    }
}
