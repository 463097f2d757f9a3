// One line of a rule table: a heading, or a rule of fields between ` | `.
//
// Fields: name, pattern, family, type, cause, options; or name, pattern, `skip`, options. Options, separated by `;`:
//   over P      the rule may take over an inner owner whose type starts with P (equal types always may); a weak one that
//               starts with P is the storage of the rule's own container, so no `sourceless` text is needed
//   over all    it takes over whatever the frames it called had claimed
//   weak        any other rule takes over from it; `{caller}` in its type is the first frame that no rule knows
//   object      claims only what the runtime's allocator of objects claimed before, not a bare malloc
//   refine      claims only what another rule, not a weak one, claimed before
//   request     claims only what the function asked the allocator for itself: nothing was claimed but by the allocator's own functions
//   bytes       claims only what the function asked the allocator for itself, where its code shows that it is text or bytes
//   vector      claims only what a vector's storage was, without more being known of it
//   innermost   matches only the direct caller of malloc, whatever else matches that frame
//   anywhere    matches frames of user code too
//   copy        matches only C++ copy constructors
//   else TEXT   where an argument of the type stays unknown, the owner is unattributed and shown as TEXT; with `FAMILY: TEXT` it is
//               of that family, for the text says what it may be and in which function
//   sourceless TEXT   the same where the frame has no debug information: what was inlined into it is then not known
//   sourced     where the frame that `{caller}` names has no debug information, the owner is unattributed, the cause unknown
//   undisputed  claims of others on the same stack are no contradiction: of pools, and of streams that write into what they are given
//   borrowed    the owner it takes over from names the argument of the type (Cow)
//   system      matches only frames of the C library and the loader, for programs have functions of the same names
//   shape S     what the code asks the allocator for: bytes, array, table, box or object; owners of other storage do not take over
//   language L  the owner's language, where it is not the frames' own
// A rule with the cause `unknown` names the type and keeps the cause of the claim that it takes over.

/// What is wrong with a line.
struct RuleLineError: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// A rule as a line of a table says it.
struct RuleLine {
    private(set) var rule: RuleSet.Rule
    /// The pattern as it was written, and what it stands for.
    let pattern: String
    let patterns: [FramePattern]
    /// What stands behind the pattern.
    let result: String

    private static let shape =
        "NAME | PATTERN | FAMILY | TYPE | CAUSE, then | and options if any; or NAME | PATTERN | skip"

    /// The spelling that a heading names; nil for a line that is no heading.
    static func heading(_ line: String) throws(RuleLineError) -> Spelling? {
        guard line.hasPrefix("["), line.hasSuffix("]"), !line.contains("|") else { return nil }
        guard let spelling = Spelling(rawValue: line.dropFirst().dropLast().trimmingSpaces.lowercased()) else {
            throw RuleLineError("unknown spelling \(line); there are [rust], [c++], [swift] and [c]")
        }
        return spelling
    }

    /// Reads a line that is no heading.
    init(_ line: String) throws(RuleLineError) {
        let fields = try Self.fields(of: line)
        guard fields.count >= 3 else {
            throw RuleLineError("fewer than three fields; a rule is \(Self.shape)")
        }
        guard !fields[0].isEmpty else { throw RuleLineError("a rule without a name") }
        rule = RuleSet.Rule(name: fields[0])
        pattern = fields[1]
        result = fields[2...].joined(separator: " | ")
        patterns = try FramePattern.parse(fields[1])
        let options: [String]
        if fields[2] == "skip" {
            rule.isSkip = true
            options = Array(fields.dropFirst(3))
        } else {
            try readOwner(fields)
            options = Array(fields.dropFirst(5))
        }
        guard options.count < 2 else {
            throw RuleLineError("too many fields; options are one field, with ; between them")
        }
        for option in options.first?.split(separator: ";") ?? [] { try apply(option.trimmingSpaces) }
        try checkPlaceholders()
    }

    private mutating func readOwner(_ fields: [String]) throws(RuleLineError) {
        guard fields.count >= 5 else {
            throw RuleLineError("no family, type and cause; a rule is \(Self.shape)")
        }
        guard OwnerFamily.isName(fields[2]) else {
            throw RuleLineError("'\(fields[2])' is no name of a family: letters, digits, - and _ make one")
        }
        guard !fields[3].isEmpty else { throw RuleLineError("a rule without a type") }
        guard let cause = Cause(rawValue: fields[4]) else {
            let known = Cause.allCases.map(\.rawValue)
            let meant = NearestWord.nearest(to: fields[4], among: known).map { " (did you mean \($0)?)" } ?? ""
            throw RuleLineError("unknown cause '\(fields[4])'\(meant); there are \(known.joined(separator: ", "))")
        }
        rule.family = fields[2]
        rule.type = fields[3]
        rule.cause = cause
    }

    /// The fields between bars that stand alone; a bar inside of `@(…)` separates alternatives.
    private static func fields(of line: String) throws(RuleLineError) -> [String] {
        // By bytes, all that means something being ASCII: every report reads a thousand rules.
        let bytes = Array(line.utf8)
        var fields: [[UInt8]] = [[]]
        var depth = 0
        var previous = UInt8(ascii: " ")
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        for (index, byte) in bytes.enumerated() {
            if previous == UInt8(ascii: "\\") {
                previous = UInt8(ascii: "x")
                fields[fields.count - 1].append(byte)
                continue
            }
            if byte == UInt8(ascii: "("), depth > 0 || previous == UInt8(ascii: "@") { depth += 1 }
            if byte == UInt8(ascii: ")"), depth > 0 { depth -= 1 }
            let stands = isBlank(previous) && (index + 1 == bytes.count || isBlank(bytes[index + 1]))
            if byte == UInt8(ascii: "|"), depth == 0, stands {
                fields.append([])
            } else {
                fields[fields.count - 1].append(byte)
            }
            previous = byte
        }
        guard depth == 0 else { throw RuleLineError("@( without its )") }
        return fields.map { String(decoding: $0, as: UTF8.self).trimmingSpaces }
    }

    private mutating func apply(_ option: String) throws(RuleLineError) {
        let word = String(option.prefix { !$0.isBlank })
        let text = option.dropFirst(word.count).trimmingSpaces
        let takesText = ["over", "else", "sourceless", "language", "shape"].contains(word)
        if takesText, text.isEmpty { throw RuleLineError("the option '\(word)' needs a text behind it") }
        if !takesText, !text.isEmpty { throw RuleLineError("unknown option '\(option)'") }
        switch word {
        case "over" where text == "all": rule.overAll = true
        case "over": rule.over.append(text)
        case "else": rule.fallback = text
        case "sourceless": rule.sourcelessFallback = text
        case "language": rule.language = text
        case "shape":
            guard let shape = RequestShape(rawValue: text) else {
                throw RuleLineError("unknown shape '\(text)'; there are bytes, array, table, box and object")
            }
            rule.shape = shape
        case "weak": rule.isWeak = true
        case "object": rule.needs = .object
        case "refine": rule.needs = .storage
        case "system": rule.systemOnly = true
        case "request": rule.needs = .request
        case "bytes": rule.needs = .bytes
        case "vector": rule.needs = .vector
        case "innermost": rule.innermostOnly = true
        case "anywhere": rule.isDeclared = true
        case "copy": rule.copyConstructorOnly = true
        case "sourced": rule.needsSource = true
        case "borrowed": rule.isBorrowing = true
        case "undisputed": rule.isUndisputed = true
        default: throw RuleLineError("unknown option '\(option)'")
        }
    }

    /// Every placeholder of the type is captured, or one of those that need no capture.
    private func checkPlaceholders() throws(RuleLineError) {
        let captured = Set(patterns.flatMap(\.labels))
        for text in [rule.type] + rule.over {
            for label in TypeResolver.labels(in: text) {
                let name = label.hasSuffix(":tuple") ? String(label.dropLast(6)) : label
                if captured.contains(name) || Int(name) != nil || name == "caller" || name == "object" { continue }
                throw RuleLineError("'\(text)' names {\(name)}, which the pattern does not capture")
            }
        }
    }
}

extension Character {
    /// Whether it is a space or a tab.
    var isBlank: Bool { self == " " || self == "\t" }
}

extension StringProtocol {
    /// The text without spaces and tabs at its ends.
    var trimmingSpaces: String {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var bytes = Array(utf8)[...]
        while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
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
