// Why a stack's owner is its owner: the walk along its frames once more, keeping every step.
internal import Symbolication

/// Where the knowledge of an owner comes from.
public enum EvidenceKind: String, Sendable {
    /// The program itself said so.
    case tag
    /// The language's runtime, of the object that it made.
    case metadata
    /// A template parameter that debug information describes.
    case parameter
    /// The name of a function.
    case symbol
    /// The function that called the allocator, which no rule knows.
    case caller
    /// Nothing is known.
    case none
}

/// Why a stack's owner is its owner.
public struct StackExplanation: Sendable {
    /// Where the knowledge comes from.
    public var evidence: EvidenceKind
    /// The rule as it was written; nil for evidence that is no rule.
    public var rule: RuleSet.Listing?
    /// The rule that named the type, where it left the cause to the other.
    public var typeRule: RuleSet.Listing?
    /// The frame that decided, counted from the innermost; nil without one.
    public var decidingFrame: Int?
    /// What became of each claim, from the innermost frame outwards.
    public var steps: [ClaimStep]
}

extension HeapProfile {
    /// Why the owner of a stack is its owner. O(depth).
    /// - Parameter stack: an index into ``stacks``.
    public func explanation(ofStack stack: Int) -> StackExplanation {
        let attribution = stacks[stack].attribution
        let rule = attributor.rules.listing(of: attribution.rule)
        let frames = symbolicatedFrames(ofStack: stack)
        var walk = StackWalk(keepsSteps: true)
        for frame in frames {
            walk.visit(frame, attributor.classify(frame))
            if walk.isFinished { break }
        }
        walk.finish()
        let claim = walk.claim()
        let steps = walk.steps ?? []
        // A tag, and what the runtime said of its object, leave the frames no say; but rules of the user's own may take over from metadata.
        let isDecidedByFrames = claim?.rule == attribution.rule
        let deciding =
            if rule == nil {
                nil as Int?
            } else if isDecidedByFrames {
                walk.decidingFrame
            } else {
                steps.first { $0.rule == attribution.rule }?.frame
            }
        let evidence: EvidenceKind =
            if attribution.rule == "tag" {
                .tag
            } else if attribution.rule == "none" {
                .none
            } else if let deciding {
                attributor.needsParameters(frames[deciding]) ? .parameter : .symbol
            } else if isDecidedByFrames {
                .caller
            } else {
                .metadata
            }
        let naming = steps.last { $0.type == attribution.owner.type && $0.outcome != .refused }
        var typeRule = naming.flatMap { $0.rule == attribution.rule ? nil : attributor.rules.listing(of: $0.rule) }
        if !isDecidedByFrames, typeRule?.isBuiltIn == true || evidence == .tag { typeRule = nil }
        return StackExplanation(
            evidence: evidence, rule: rule, typeRule: typeRule, decidingFrame: deciding, steps: steps)
    }
}

extension HeapProfile {
    /// The rule of this name as it was written; nil for evidence that is no rule. O(rules).
    public func rule(named name: String) -> RuleSet.Listing? { attributor.rules.listing(of: name) }
}

extension Attributor {
    /// Whether the owner that the frame claims takes the template parameters of its debug information.
    fileprivate func needsParameters(_ frame: SymbolicatedFrame) -> Bool {
        guard !frame.templateArguments.isEmpty else { return false }
        var plain = frame
        plain.templateArguments = []
        return classify(plain).claim?.type != classify(frame).claim?.type
    }

    /// The rules that say what the frame is.
    func rulesMatching(_ frame: SymbolicatedFrame) -> [String] {
        let kind = classify(frame)
        return [kind.claim?.rule, kind.innermostClaim?.rule, kind.skippedBy].compactMap(\.self)
    }
}
