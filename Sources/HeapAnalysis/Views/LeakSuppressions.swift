// Suppressions of leaks, in LeakSanitizer's syntax: what a program or a runtime keeps to its end on purpose.
//
//     # a remark
//     leak:pattern      a function, a source file or a module on the call stack
//     owner:pattern     the owner as reports name it (an addition of this tool)
//
// The first suppression that holds of a stack takes it, a user's before the built-in ones.
internal import Symbolication

/// A table of suppressions.
public struct LeakSuppressions: Sendable {
    /// What a pattern is held against.
    enum Subject: String, Sendable, CaseIterable {
        case leak
        case owner
    }

    /// One suppression.
    public struct Rule: Sendable, Hashable {
        /// The line's text, such as `leak:setlocale`.
        public let text: String
        /// The file that it stands in.
        public let file: String
        /// Its line, from 1.
        public let line: Int
        /// Whether it came with the tool.
        public let isBuiltIn: Bool

        let subject: Subject
        let pattern: SuppressionPattern
    }

    /// A line that is no suppression.
    public struct ParseError: Error, CustomStringConvertible {
        /// The file's name.
        public let file: String
        /// The line, from 1.
        public let line: Int
        /// What is wrong with it.
        public let reason: String
        /// The file, the line and the reason.
        public var description: String { "\(file), line \(line): \(reason)" }
    }

    /// The suppressions in the order in which they are tried.
    public private(set) var rules: [Rule] = []

    /// None.
    public init() {}

    /// The suppressions of what the runtimes of C, C++, Rust, Swift and Python keep to the end.
    public static let builtIn: LeakSuppressions = {
        var suppressions = LeakSuppressions()
        do {
            try suppressions.append(BuiltInRules.suppressions, isBuiltIn: true)
        } catch {
            preconditionFailure("\(error)")
        }
        return suppressions
    }()

    /// A user's files of suppressions, and the built-in ones behind them unless they are not wanted.
    /// - Throws: `ParseError` with the first line that is none, and where a file has no suppression at all.
    public init(files: [RuleSet.Table], includesBuiltIn: Bool = true) throws(ParseError) {
        for file in files {
            let first = rules.count
            try append(file)
            if rules.count == first {
                throw ParseError(file: file.file, line: 1, reason: "the file holds no suppression")
            }
        }
        if includesBuiltIn { rules += Self.builtIn.rules }
    }

    private mutating func append(_ file: RuleSet.Table, isBuiltIn: Bool = false) throws(ParseError) {
        for (index, raw) in file.text.split(omittingEmptySubsequences: false, whereSeparator: \.endsLine).enumerated() {
            let line = raw.trimmingSpaces
            if line.isEmpty || line.hasPrefix("#") { continue }
            let kind = line.prefix { $0 != ":" }
            guard kind.count < line.count, let subject = Subject(rawValue: String(kind)) else {
                let known = "a suppression is leak:PATTERN or owner:PATTERN"
                throw ParseError(file: file.file, line: index + 1, reason: "'\(line)' is none; \(known)")
            }
            let pattern = String(line.dropFirst(kind.count + 1))
            guard !pattern.isEmpty else {
                throw ParseError(file: file.file, line: index + 1, reason: "'\(line)' has no pattern")
            }
            rules.append(
                Rule(
                    text: line, file: file.file, line: index + 1, isBuiltIn: isBuiltIn, subject: subject,
                    pattern: SuppressionPattern(pattern)))
        }
    }
}

/// Finds the suppression of each stack, trying every distinct frame once.
struct SuppressionMatcher {
    private let suppressions: LeakSuppressions
    private let profile: HeapProfile
    private var frames: [Int32: [Int]] = [:]
    private var modules: [String: [Int]] = [:]

    init(_ suppressions: LeakSuppressions, profile: HeapProfile) {
        self.suppressions = suppressions
        self.profile = profile
    }

    /// The number of the suppression that takes a stack, nil for none.
    mutating func suppression(ofStack number: Int) -> Int? {
        if suppressions.rules.isEmpty { return nil }
        let stack = profile.stacks[number]
        let owner = suppressions(of: stack.attribution.owner)
        var builtIn: Int?
        for frame in stack.frames {
            for rule in suppressions(ofFrame: frame) {
                if !suppressions.rules[rule].isBuiltIn { return rule }
                if builtIn == nil { builtIn = rule }
            }
        }
        if let own = owner.first(where: { !suppressions.rules[$0].isBuiltIn }) { return own }
        return builtIn ?? owner.first
    }

    /// The first of a user's and the first of the built-in suppressions that hold of one of these texts.
    private func first(_ texts: [String], _ subject: LeakSuppressions.Subject) -> [Int] {
        let bytes = texts.map { Array($0.utf8) }
        var found: [Int] = []
        for (number, rule) in suppressions.rules.enumerated() where rule.subject == subject {
            if let last = found.last, suppressions.rules[last].isBuiltIn == rule.isBuiltIn { continue }
            if bytes.contains(where: rule.pattern.matches) { found.append(number) }
        }
        return found
    }

    private func suppressions(of owner: Owner) -> [Int] {
        first([owner.type, "\(owner.family) \(owner.type)"], .owner)
    }

    private mutating func suppressions(ofFrame number: Int32) -> [Int] {
        if let known = frames[number] { return known }
        let frame = profile.frames[Int(number)]
        let ofModule: [Int]
        if let known = modules[frame.modulePath] {
            ofModule = known
        } else {
            ofModule = first([frame.modulePath], .leak)
            modules[frame.modulePath] = ofModule
        }
        let found = ofModule + first([frame.function, frame.linkageName, frame.file ?? ""], .leak)
        frames[number] = found
        return found
    }
}
