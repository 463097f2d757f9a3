// One frame's claim to own what it allocates, and when a claim further out takes over.

/// A frame's claim to own what it allocates.
struct Claim: Sendable, Hashable {
    var family: String
    var type: String
    var language: String
    var cause: Cause
    var rule: String
    var over: [String] = []
    var overAll = false
    var isWeak = false
    var isBorrowing = false
    /// Whether other claims of the same stack do not contradict it.
    var isUndisputed = false
    /// Whether the claim stands only where the frame that called has debug information.
    var needsSource = false
    var needs = RuleSet.Need.nothing
    /// What the code asked the allocator for, where it shows.
    var shape: RequestShape?
    /// Whether it is the C library's, which other functions of the C library may stand inside of.
    var isSystem = false
    /// Whether it is of a rule of the user's own.
    var isDeclared = false
    /// What is shown of an unattributed owner where an argument of the type stays unknown.
    var fallback: String?
    /// The same, whatever is known of the type.
    var certainFallback: String?

    /// Whether this claim, of a frame further out, takes over from an inner one.
    func takesOver(_ inner: Claim) -> Bool {
        if overAll { return true }
        if let shape = inner.shape, inner.isWeak, !shape.allows(self, over: inner) { return false }
        switch needs {
        case .request: return inner.isRequest
        case .bytes: return inner.isRequest && inner.shape == .bytes
        case .vector: return inner.isVectorStorage
        case .storage where inner.isWeak: break
        default: if inner.isWeak { return true }
        }
        if isWeak {
            // The storage of a C++ container knows the arguments that the code around operator new does not tell.
            return language == "c++" && family == inner.family && Self.isBare(inner.type, of: type)
        }
        if type == inner.type || over.contains(where: inner.type.hasPrefix) { return true }
        return family == inner.family && (Self.isBare(type, of: inner.type) || Self.isBare(inner.type, of: type))
    }

    /// This claim after taking over: an inner claim that knows the arguments of the same type lends them.
    func takingOver(_ inner: Claim) -> Claim {
        var result = self
        // Shared code further out knows less of what was asked for, or the same.
        if isWeak, result.shape == nil { result.shape = inner.shape }
        if inner.shape == .table, type.hasPrefix("HashMap<") || type.hasPrefix("HashSet<") {
            result.certainFallback = nil
        }
        if !inner.isWeak || type == inner.type || over.contains(where: inner.type.hasPrefix)
            || inner.shape == .array && inner.type.hasPrefix("Vec")
        {
            if inner.isWeak, result.certainFallback != nil, family == "Array", let open = type.firstIndex(of: "<") {
                // A vector's storage: the elements' own vectors have the same.
                result.type = type[..<open] + "<_>"
            }
            result.certainFallback = nil
        }
        if cause == .unknown, !inner.isWeak {
            // A rule without a cause of its own names the type better and leaves the rest to the inner evidence.
            result.cause = inner.cause
            result.rule = inner.rule
        }
        if isBorrowing, let borrowed = Self.borrowedForms[inner.type] ?? Self.borrowedSlice(of: inner.type) {
            result.type = "Cow<\(borrowed)>"
        } else if Self.isBare(type, of: inner.type) {
            result.type = inner.type
        }
        return result
    }

    /// This claim with what it is when the type is not known well enough.
    var degraded: Claim {
        guard let text = certainFallback ?? (TypeResolver.hasUnknownArgument(type) ? fallback : nil) else {
            return self
        }
        var result = self
        result.family = "Unattributed"
        result.type = text
        if let mark = text.firstRange(of: ": "), OwnerFamily.isName(String(text[..<mark.lowerBound])) {
            result.family = String(text[..<mark.lowerBound])
            result.type = String(text[mark.upperBound...])
        }
        return result
    }

    /// Whether only the allocator's own functions are known of it, and what they were asked for.
    private var isRequest: Bool { isWeak && (type == "alloc in {caller}" || shape != nil) }

    /// Whether it is storage of a vector, of which no more is known.
    private var isVectorStorage: Bool { isWeak && (type.hasPrefix("Vec<") || type.hasPrefix("Vec or String")) }

    /// What the type tells alone. Rust's sets are maps to nothing; where the set's own functions left no frame, the map's
    /// argument tells. A boxed future is a task of some executor.
    var asNamed: Claim {
        if language == "rust", type.hasPrefix("Box<async "), family == "Box" {
            var result = self
            result.family = "Task"
            return result
        }
        for (map, nothing, set) in [("HashMap<", ", ()>", "HashSet<"), ("BTreeMap<", ", SetValZST>", "BTreeSet<")]
        where type.hasPrefix(map) && type.hasSuffix(nothing) && language == "rust" {
            var result = self
            result.family = "Set"
            result.type = set + type.dropFirst(map.count).dropLast(nothing.count) + ">"
            return result
        }
        return self
    }

    /// What a Cow borrows for each type it owns; debug information does not describe unsized types.
    private static let borrowedForms = [
        "String": "str", "PathBuf": "Path", "OsString": "OsStr", "CString": "CStr",
    ]

    private static func borrowedSlice(of type: String) -> String? {
        guard type.hasPrefix("Vec<"), type.hasSuffix(">") else { return nil }
        return "[\(type.dropFirst(4).dropLast())]"
    }

    /// Whether `general` is `specific` without its arguments, or with unknown ones: `Array` and `Vec<_>`.
    private static func isBare(_ general: String, of specific: String) -> Bool {
        guard general != specific, let open = specific.firstIndex(of: "<") else { return false }
        let head = specific[..<open]
        guard general.hasPrefix(head) else { return false }
        let rest = general.dropFirst(head.count)
        return rest.isEmpty || rest.allSatisfy { "<_, >".contains($0) }
    }
}
