// The frame rules: data that says which library frames own what they allocate.
//
// A table is text, one rule a line, under a heading that names the spelling of the frames it reads:
//
//     [rust]
//     rust.vec.growth | alloc::vec::Vec<{T}>::push | Array | Vec<{T}> | growth | over Vec<
//     rust.plumbing   | alloc::alloc::Global::*    | skip
//
// Fields: name, pattern, family, type, cause, options. Options, separated by commas:
//   over P      the rule may take over an inner owner whose type starts with P (equal types always may); a weak one that
//               starts with P is the storage of the rule's own container, so no `sourceless` text is needed
//   over all    it takes over whatever the frames it called had claimed
//   weak        any other rule takes over from it; `{caller}` in its type is the first frame that no rule knows
//   object      claims only what the runtime's allocator of objects claimed before, not a bare malloc
//   refine      claims only what another rule, not a weak one, claimed before
//   innermost   matches only the direct caller of malloc, whatever else matches that frame
//   anywhere    matches frames of user code too
//   copy        matches only C++ copy constructors
//   else TEXT   where an argument of the type stays unknown, the owner is unattributed and shown as TEXT
//   sourceless TEXT   the same where the frame has no debug information: what was inlined into it is then not known
//   sourced     where the frame that `{caller}` names has no debug information, the owner is unattributed, the cause unknown
//   borrowed    the owner it takes over from names the argument of the type (Cow)
//   system      matches only frames of the C library and the loader, for programs have functions of the same names
//   language L  the owner's language, where it is not the frames' own
// A rule with the cause `unknown` names the type and keeps the cause of the claim that it takes over.
// The first rule that matches a frame decides what the frame is.

/// A table of named frame rules.
public struct RuleSet: Sendable {
    /// A line of a rule table that cannot be read.
    public struct ParseError: Error, CustomStringConvertible {
        /// The line, from 1.
        public let line: Int
        /// What is wrong with it.
        public let reason: String
        /// The line and the reason.
        public var description: String { "rule table, line \(line): \(reason)" }
    }

    /// What must have been claimed before a rule may claim.
    enum Need: Sendable, Hashable {
        case nothing
        case object
        case storage
    }

    struct Rule: Sendable {
        var name: String
        var isSkip = false
        var family = ""
        var type = ""
        var cause = Cause.unknown
        var over: [String] = []
        var overAll = false
        var isWeak = false
        var fallback: String?
        var sourcelessFallback: String?
        var isBorrowing = false
        var needsSource = false
        var needs = Need.nothing
        var innermostOnly = false
        var isDeclared = false
        var copyConstructorOnly = false
        var language: String?
        var systemOnly = false
    }

    struct Entry: Sendable {
        var pattern: FramePattern
        var rule: Int
    }

    private(set) var rules: [Rule] = []
    /// Patterns by spelling, then by the first two bytes of their literal prefix; order of the table within each.
    private var indexed: [Spelling: [UInt16: [Entry]]] = [:]
    private var unindexed: [Spelling: [Entry]] = [:]

    /// The rules for the standard libraries of Rust, C++, Swift and C.
    public static let builtIn: RuleSet = {
        var set = RuleSet()
        for table in BuiltInRules.tables {
            do { try set.append(parsing: table) } catch { preconditionFailure("\(error)") }
        }
        return set
    }()

    /// The built-in rules after those of a text, which come first and, alone of all, also match frames of user code.
    /// - Throws: `ParseError` with the first line that cannot be read.
    public static func builtIn(precededBy text: String) throws(ParseError) -> RuleSet {
        var set = try RuleSet(parsing: text)
        for index in set.rules.indices { set.rules[index].isDeclared = true }
        for table in BuiltInRules.tables {
            try set.append(parsing: table)
        }
        return set
    }

    /// Makes an empty table.
    public init() {}

    /// Makes a table from text.
    /// - Throws: `ParseError` with the first line that cannot be read.
    public init(parsing text: String) throws(ParseError) {
        try append(parsing: text)
    }

    /// The names of all rules, in the order of the table.
    public var names: [String] { rules.map(\.name) }

    /// Adds the rules of a text after those already there.
    /// - Throws: `ParseError` with the first line that cannot be read; the lines before it are kept.
    public mutating func append(parsing text: String) throws(ParseError) {
        var spelling: Spelling?
        for (index, raw) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = raw.trimmingSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasPrefix("["), line.hasSuffix("]") {
                spelling = Spelling(rawValue: String(line.dropFirst().dropLast()))
                guard spelling != nil else { throw ParseError(line: index + 1, reason: "unknown spelling \(line)") }
                continue
            }
            guard let spelling else { throw ParseError(line: index + 1, reason: "a rule before the first heading") }
            try append(line, spelling: spelling, number: index + 1)
        }
    }

    private mutating func append(_ line: String, spelling: Spelling, number: Int) throws(ParseError) {
        let fields = line.components(separatedBy: " | ")
        guard fields.count >= 3 else { throw ParseError(line: number, reason: "fewer than three fields") }
        var rule = Rule(name: fields[0])
        if fields[2] == "skip" {
            rule.isSkip = true
            if fields.count > 3 { try rule.apply(fields[3], line: number) }
        } else {
            guard fields.count >= 5, let cause = Cause(rawValue: fields[4]) else {
                throw ParseError(line: number, reason: "no family, type and cause")
            }
            rule.family = fields[2]
            rule.type = fields[3]
            rule.cause = cause
            if fields.count > 5 {
                for option in fields[5].components(separatedBy: "; ") { try rule.apply(option, line: number) }
            }
        }
        rules.append(rule)
        for pattern in FramePattern.parse(fields[1]) {
            let entry = Entry(pattern: pattern, rule: rules.count - 1)
            if let key = Self.key(pattern.prefix) {
                indexed[spelling, default: [:]][key, default: []].append(entry)
            } else {
                unindexed[spelling, default: []].append(entry)
            }
        }
    }

    private static func key(_ bytes: [UInt8]) -> UInt16? {
        guard bytes.count > 1 else { return nil }
        return UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    }

    /// The first rule that matches a canonical name, with its captures. O(rules that share the name's beginning).
    func firstMatch(
        _ name: String, spelling: Spelling, isCopyConstructor: Bool, isInnermost: Bool = false,
        isUserCode: Bool = false,
        isSystem: Bool = false
    ) -> (rule: Rule, captures: [String: String])? {
        let bytes = Array(name.utf8)
        let near = Self.key(bytes).flatMap { indexed[spelling]?[$0] } ?? []
        let far = unindexed[spelling] ?? []
        var best: (rule: Int, captures: [String: String])?
        for list in [near, far] {
            for entry in list where entry.rule < best?.rule ?? .max {
                if rules[entry.rule].innermostOnly != isInnermost { continue }
                if isUserCode, !rules[entry.rule].isDeclared { continue }
                if rules[entry.rule].systemOnly, !isSystem { continue }
                if rules[entry.rule].copyConstructorOnly, !isCopyConstructor { continue }
                guard let captures = entry.pattern.match(bytes) else { continue }
                best = (entry.rule, captures)
                break
            }
        }
        return best.map { (rules[$0.rule], $0.captures) }
    }
}

extension RuleSet.Rule {
    fileprivate mutating func apply(_ option: String, line: Int) throws(RuleSet.ParseError) {
        if option == "over all" {
            overAll = true
        } else if option == "weak" {
            isWeak = true
        } else if option == "object" {
            needs = .object
        } else if option == "refine" {
            needs = .storage
        } else if option == "anywhere" {
            isDeclared = true
        } else if option == "sourced" {
            needsSource = true
        } else if option == "system" {
            systemOnly = true
        } else if option == "innermost" {
            innermostOnly = true
        } else if option == "borrowed" {
            isBorrowing = true
        } else if option.hasPrefix("sourceless ") {
            sourcelessFallback = String(option.dropFirst(11))
        } else if option.hasPrefix("else ") {
            fallback = String(option.dropFirst(5))
        } else if option == "copy" {
            copyConstructorOnly = true
        } else if option.hasPrefix("over ") {
            over.append(String(option.dropFirst(5)))
        } else if option.hasPrefix("language ") {
            language = String(option.dropFirst(9))
        } else {
            throw RuleSet.ParseError(line: line, reason: "unknown option '\(option)'")
        }
    }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmingSpaces: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var rest = self[...]
        while let first = rest.first, isSpace(first) { rest = rest.dropFirst() }
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return String(rest)
    }

    /// The pieces between occurrences of `separator`, each without spaces at its ends; empty pieces are kept.
    func components(separatedBy separator: String) -> [String] {
        var pieces: [String] = []
        var rest = self[...]
        while let found = rest.firstRange(of: separator) {
            pieces.append(rest[..<found.lowerBound].trimmingSpaces)
            rest = rest[found.upperBound...]
        }
        pieces.append(rest.trimmingSpaces)
        return pieces
    }
}
