// The frame rules: data that says which library frames own what they allocate.
//
// A table is text, one rule a line, under a heading that names the spelling of the frames it reads:
//
//     [rust]
//     rust.vec.growth | alloc::vec::Vec<{T}>::push | Array | Vec<{T}> | growth | over Vec<
//     rust.plumbing   | alloc::alloc::Global::*    | skip
//
// Rules/README.md describes the language for those who write rules of their own; RuleLine.swift reads a line, and
// FramePattern.swift a pattern. The first rule that matches a frame decides what the frame is.

/// A table of named frame rules.
public struct RuleSet: Sendable {
    /// A line of a rule table that cannot be read.
    public struct ParseError: Error, CustomStringConvertible {
        /// The name of the table's file; empty for a text that has none.
        public var file = ""
        /// The line, from 1.
        public let line: Int
        /// What is wrong with it.
        public let reason: String
        /// The file, the line and the reason.
        public var description: String { "\(file.isEmpty ? "rule table" : file), line \(line): \(reason)" }
    }

    /// A table of rules as text, and what to call it in errors.
    public struct Table: Sendable {
        /// The name of its file.
        public var file: String
        /// The rules.
        public var text: String

        /// A table of this text.
        public init(file: String, text: String) {
            self.file = file
            self.text = text
        }
    }

    /// A rule as its author wrote it.
    public struct Listing: Sendable, Hashable {
        /// The rule's name.
        public var name: String
        /// The spelling of the frames it reads: `rust`, `c++`, `swift` or `c`.
        public var spelling: String
        /// The file that it stands in.
        public var file: String
        /// Its line, from 1.
        public var line: Int
        /// Its pattern, over the names of frames.
        public var pattern: String
        /// What stands behind the pattern: `skip`, or family, type and cause; then the options.
        public var result: String
        /// Whether it came with the tool.
        public var isBuiltIn: Bool
    }

    /// What must have been claimed before a rule may claim.
    enum Need: Sendable, Hashable {
        case nothing
        case object
        case storage
        case request
        case bytes
        case vector
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
        var isUndisputed = false
        var needsSource = false
        var needs = Need.nothing
        var shape: RequestShape?
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
    /// The rules as they were written, in the order of `rules`.
    public private(set) var listings: [Listing] = []
    /// Patterns by spelling, then by the first two bytes of their literal prefix; order of the table within each.
    private var indexed: [Spelling: [UInt16: [Entry]]] = [:]
    private var unindexed: [Spelling: [Entry]] = [:]

    /// The rules for the standard libraries of Rust, C++, Swift and C.
    public static let builtIn: RuleSet = {
        var set = RuleSet()
        for table in BuiltInRules.tables {
            do { try set.append(parsing: table, isBuiltIn: true) } catch { preconditionFailure("\(error)") }
        }
        return set
    }()

    /// The built-in rules after those of a user's tables, which come first and, alone of all, also match frames of user
    /// code. Within a user's tables every rule has a name of its own, and every file has a rule.
    /// - Throws: `ParseError` with the first line that cannot be read.
    public static func builtIn(precededBy tables: [Table]) throws(ParseError) -> RuleSet {
        var set = RuleSet()
        for table in tables { try set.append(declared: table) }
        for table in BuiltInRules.tables { try set.append(parsing: table, isBuiltIn: true) }
        return set
    }

    /// The built-in rules after those of one text.
    /// - Throws: `ParseError` with the first line that cannot be read.
    public static func builtIn(precededBy text: String) throws(ParseError) -> RuleSet {
        try builtIn(precededBy: [Table(file: "", text: text)])
    }

    /// Makes an empty table.
    public init() {}

    /// Makes a table from text.
    /// - Throws: `ParseError` with the first line that cannot be read.
    public init(parsing text: String) throws(ParseError) {
        try append(parsing: Table(file: "", text: text))
    }

    /// The names of all rules, in the order of the table.
    public var names: [String] { rules.map(\.name) }

    /// The rule of a name as it was written; nil for evidence that is no rule, such as a tag. O(rules).
    public func listing(of name: String) -> Listing? { listings.first { $0.name == name } }

    private mutating func append(declared table: Table) throws(ParseError) {
        let first = rules.count
        try append(parsing: table)
        if rules.count == first {
            throw ParseError(file: table.file, line: 1, reason: "the file holds no rule")
        }
        for index in first..<rules.count {
            let listing = listings[index]
            rules[index].isDeclared = true
            if let other = listings[..<index].first(where: { $0.name == listing.name }) {
                let place =
                    other.file == listing.file ? "on line \(other.line)" : "in \(other.file), line \(other.line)"
                throw ParseError(
                    file: listing.file, line: listing.line,
                    reason: "a rule named '\(listing.name)' stands \(place) already")
            }
            if Self.builtIn.listing(of: listing.name) != nil {
                throw ParseError(
                    file: listing.file, line: listing.line,
                    reason: "'\(listing.name)' is the name of a built-in rule; choose another")
            }
            if let meant = OwnerFamily.misspelt(rules[index].family) {
                throw ParseError(
                    file: listing.file, line: listing.line,
                    reason: "unknown family '\(rules[index].family)' (did you mean \(meant)?)")
            }
        }
    }

    /// Adds the rules of a text after those already there.
    /// - Throws: `ParseError` with the first line that cannot be read; the lines before it are kept.
    mutating func append(parsing table: Table, isBuiltIn: Bool = false) throws(ParseError) {
        var spelling: Spelling?
        for (index, raw) in table.text.split(omittingEmptySubsequences: false, whereSeparator: \.endsLine).enumerated()
        {
            let line = raw.trimmingSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            do throws(RuleLineError) {
                if let heading = try RuleLine.heading(line) {
                    spelling = heading
                } else {
                    guard let spelling else {
                        throw RuleLineError(
                            "a rule before the first heading; write [rust], [c++], [swift] or [c] on a line above it")
                    }
                    add(
                        try RuleLine(line), spelling: spelling, file: table.file, line: index + 1, isBuiltIn: isBuiltIn)
                }
            } catch {
                throw ParseError(file: table.file, line: index + 1, reason: error.reason)
            }
        }
    }

    private mutating func add(_ line: RuleLine, spelling: Spelling, file: String, line number: Int, isBuiltIn: Bool) {
        rules.append(line.rule)
        listings.append(
            Listing(
                name: line.rule.name, spelling: spelling.rawValue, file: file, line: number,
                pattern: line.pattern, result: line.result, isBuiltIn: isBuiltIn))
        for pattern in line.patterns {
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

extension Character {
    /// Whether it ends a line of a text file.
    var endsLine: Bool { self == "\n" || self == "\r\n" }
}
