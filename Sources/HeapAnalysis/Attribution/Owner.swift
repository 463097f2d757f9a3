// The vocabulary of attribution: who owns a block, why it was made, where, and what evidence said so.
//
// Plain values, spelled the way the languages spell them; rows of a report are grouped by these.

/// What the bytes of an allocation belong to.
public struct Owner: Hashable, Sendable {
    /// The kind of owner in every language: `Box`, `String`, `Array`, `Runtime`, `C`, `Unattributed` and so on.
    public var family: String
    /// The owning type in its own language's spelling, such as `Vec<u8>` or `std::vector<own::Point>`.
    public var type: String
    /// The language of the owning type: `swift`, `rust`, `c++` or `c`.
    public var language: String

    /// Makes an owner from its parts.
    public init(family: String, type: String, language: String) {
        self.family = family
        self.type = type
        self.language = language
    }
}

/// Why an allocation was made; independent of what owns it.
public enum Cause: String, Sendable, CaseIterable {
    /// A new value.
    case construct
    /// More room for a value that exists.
    case growth
    /// A copy that the program asked for.
    case clone
    /// A copy made because a shared or borrowed value was about to change.
    case copyOnWrite
    /// A value moved to the heap to fit an existential, an indirect case or a reference.
    case boxing
    /// Variables kept alive for a closure.
    case capture
    /// A value turned into another representation.
    case conversion
    /// The needs of a language's runtime.
    case runtime
    /// No evidence.
    case unknown
}

/// The innermost frame of user code on an allocation's stack.
public struct Site: Hashable, Sendable {
    /// The function, without compiler noise.
    public var function: String
    /// The source file, when known.
    public var file: String?
    /// The line in `file`, from 1, when known.
    public var line: Int?

    /// The site as a report shows it: `function (file:line)`, or the function alone.
    public var description: String {
        guard let file else { return function }
        let name = file.split(separator: "/").last.map(String.init) ?? file
        guard let line else { return "\(function) (\(name))" }
        return "\(function) (\(name):\(line))"
    }

    /// Makes a site from its parts.
    public init(function: String, file: String? = nil, line: Int? = nil) {
        self.function = function
        self.file = file
        self.line = line
    }
}

/// Everything that is known about why an allocation exists, and the evidence.
public struct Attribution: Hashable, Sendable {
    /// What the bytes belong to.
    public var owner: Owner
    /// Why they were allocated.
    public var cause: Cause
    /// Where user code asked for them; nil when no frame of the stack is user code.
    public var site: Site?
    /// The evidence that decided: `tag`, or the name of a frame rule.
    public var rule: String

    /// Makes an attribution from its parts.
    public init(owner: Owner, cause: Cause, site: Site?, rule: String) {
        self.owner = owner
        self.cause = cause
        self.site = site
        self.rule = rule
    }
}

/// What a program said of an allocation through the tag interface; it outranks every rule.
public struct TagEvidence: Hashable, Sendable {
    /// The owner's family.
    public var family: String
    /// The owner's type.
    public var type: String
    /// The raw value of a `Cause`; anything else counts as `unknown`.
    public var cause: String
    /// The owner's language.
    public var language: String

    /// Makes the evidence from a tag's four fields.
    public init(family: String, type: String, cause: String, language: String) {
        self.family = family
        self.type = type
        self.cause = cause
        self.language = language
    }
}
