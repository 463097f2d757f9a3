// Why the owner of a row is its owner, as text and as JSON: what each rule decided, the rule's own words, a stack with the frame that matched, and
// the rules that would have it otherwise.
internal import HeapAnalysis
internal import Symbolication

struct RowExplanation {
    private static let shownFrames = 12
    private static let shownRules = 4

    private let profile: HeapProfile
    private let row: ProfileRow
    /// The stack of most of the bytes that the row's first rule decided.
    private let stack: [SymbolicatedFrame]
    private let sample: StackExplanation
    /// What the Swift runtime called the blocks of that stack.
    private let runtimeType: String?

    init(_ row: ProfileRow, of profile: HeapProfile) {
        self.profile = profile
        self.row = row
        let number = row.ruleShares.first?.sampleStack ?? row.sampleStack
        stack = profile.symbolicatedFrames(ofStack: number)
        runtimeType = profile.stacks[number].runtimeType
        sample = profile.explanation(ofStack: number)
    }

    // MARK: - Text

    /// The lines under the row's own, for a terminal of this width.
    func lines(width: Int) -> [String] {
        var lines = ["    rule: " + FrameText.printable(row.rules.first ?? "none") + shares]
        lines += words(of: sample.rule, width)
        if let text = row.rules.first.flatMap(RuntimeTypeRules.text) {
            lines += Self.wrapped(text, indent: "      ", width: width)
        }
        if let rule = sample.typeRule {
            lines.append("    type named by: " + FrameText.printable(rule.name))
            lines += words(of: rule, width)
        }
        if sample.evidence != .tag { lines.append("    evidence: " + sample.evidence.text) }
        if let type = runtimeType {
            lines += Self.wrapped("metadata: " + FrameText.printable(type), indent: "    ", width: width)
        }
        let steps = sample.evidence == .tag ? [] : notedSteps
        let shown = max(Self.shownFrames, (steps.last?.frame ?? 0) + 2)
        for (index, frame) in stack.prefix(shown).enumerated() {
            let step = steps.last { $0.frame == index }
            lines.append(Self.line(frame, step, sample.decidingFrame == index, width))
        }
        if stack.count > shown {
            lines.append("      … \(NumberText.count(stack.count - shown)) frames further out")
        }
        for share in row.disagreements {
            lines += Self.wrapped(FrameText.printable("disagree: " + share.text), indent: "    ", width: width)
        }
        return lines
    }

    private func words(of rule: RuleSet.Listing?, _ width: Int) -> [String] {
        guard let rule else { return [] }
        let text = "\(rule.place): \(rule.pattern) | \(rule.result)"
        return Self.wrapped(FrameText.printable(text), indent: "      ", width: width)
    }

    /// The steps that change something: not those that say the same as the one before.
    private var notedSteps: [ClaimStep] {
        var noted: [ClaimStep] = []
        var last: ClaimStep?
        for step in sample.steps {
            if step.frame == sample.decidingFrame || step.rule != last?.rule || step.type != last?.type {
                noted.append(step)
            }
            last = step
        }
        return noted
    }

    /// How many of the row's allocations each rule decided, where there are several.
    private var shares: String {
        guard row.ruleShares.count > 1, let first = row.ruleShares.first else { return "" }
        let others = row.ruleShares.dropFirst().prefix(Self.shownRules - 1).map { share in
            "\(FrameText.printable(share.rule)) \(NumberText.count(share.allocations))"
        }
        let rest = row.ruleShares.count - Self.shownRules
        let more = rest > 0 ? ", \(rest) more" : ""
        let all = row.ruleShares.reduce(0) { $0 + $1.allocations }
        return ", \(NumberText.count(first.allocations)) of \(NumberText.count(all)) allocations; "
            + others.joined(separator: ", ") + more
    }

    private static func line(_ frame: SymbolicatedFrame, _ step: ClaimStep?, _ isDeciding: Bool, _ width: Int) -> String
    {
        let mark = isDeciding ? "    > " : "      "
        let text = (frame.isInlined ? "inlined " : "") + FrameText.printable(FrameText.short(frame))
        guard let step else { return mark + TextTable.shortened(text, to: width - 6) }
        // A long type is cut before the frame's name is.
        let room = max(width / 2, width - 6 - 4 - step.text.count)
        let shown = TextTable.shortened(text, to: min(room, width - 6))
        let note = TextTable.shortened(FrameText.printable(step.text), to: max(24, width - 6 - 4 - shown.count))
        return mark + shown + "  ← " + note
    }

    /// The text in lines of at most this width, broken between words.
    private static func wrapped(_ text: String, indent: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent.count + line.count + 1 + word.count > width {
                lines.append(indent + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return lines + [indent + line]
    }

    // MARK: - JSON

    /// The members of the row's object that explain it.
    var members: [(String, JSONValue)] {
        [
            ("rules", .array(row.rules.map { .string($0) })),
            ("decided", .array(row.ruleShares.map(decided))),
            ("evidence", .string(sample.evidence.rawValue)),
            ("type_rule", JSONValue(sample.typeRule?.name)), ("runtime_type", JSONValue(runtimeType)),
            ("stack", .array(stack.map { .string(FrameText.long($0)) })),
            ("matched_frame", JSONValue(sample.decidingFrame)),
            ("claims", .array(sample.steps.map(\.json))),
            ("disagreements", .array(row.disagreements.map(\.json))),
        ]
    }

    private func decided(_ share: RuleShare) -> JSONValue {
        let rule = profile.rule(named: share.rule)
        return .object([
            ("rule", .string(share.rule)), ("allocations", .integer(share.allocations)),
            ("bytes", .integer(share.bytes)), ("pattern", JSONValue(rule?.pattern)),
            ("result", JSONValue(rule?.result)), ("file", JSONValue(rule?.file)), ("line", JSONValue(rule?.line)),
            ("built_in", rule.map { .bool($0.isBuiltIn) } ?? .null),
        ])
    }
}

extension EvidenceKind {
    /// What a reader is told of it.
    fileprivate var text: String {
        switch self {
        case .tag: "the program's own tag"
        case .metadata: "the language runtime's own word for the object (metadata)"
        case .parameter: "a template parameter in the debug information"
        case .symbol: "the function's name"
        case .caller: "the function that called the allocator; no rule knows a frame here"
        case .none: "none; no call stack was recorded"
        }
    }
}

extension ClaimStep {
    fileprivate var text: String {
        switch outcome {
        case .claimed: "\(rule): \(type ?? "")"
        case .tookOver: "\(rule): \(type ?? ""), takes over"
        case .refused: "\(rule): \(type ?? ""), may not take over"
        case .skipped: "\(rule): owns nothing"
        }
    }

    fileprivate var json: JSONValue {
        let outcomes: [ClaimStep.Outcome: String] = [
            .claimed: "claimed", .tookOver: "took_over", .refused: "refused", .skipped: "skipped",
        ]
        return .object([
            ("frame", .integer(frame)), ("rule", .string(rule)), ("type", JSONValue(type)),
            ("outcome", JSONValue(outcomes[outcome])),
        ])
    }
}

extension DisagreementShare {
    /// One sentence: how much, who says what, what was kept and why.
    var text: String {
        let pair = disagreement
        return
            "\(NumberText.count(allocations)) allocations, \(NumberText.bytes(bytes)): \(pair.keptRule) says \(pair.keptType), "
            + "\(pair.otherRule) says \(pair.otherType); kept \(pair.keptType), of the frame further in, for neither may take over"
    }

    /// The pair and its sums.
    var json: JSONValue {
        .object([
            ("allocations", .integer(allocations)), ("bytes", .integer(bytes)),
            ("kept_rule", .string(disagreement.keptRule)), ("kept_type", .string(disagreement.keptType)),
            ("other_rule", .string(disagreement.otherRule)), ("other_type", .string(disagreement.otherType)),
            ("reason", .string("inner")),
        ])
    }
}
