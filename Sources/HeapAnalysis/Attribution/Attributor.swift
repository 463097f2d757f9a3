// From a call stack to an owner, a cause and a site.
//
// The walk goes outwards from the allocator through the run of library frames. The innermost frame that a rule knows
// proposes an owner; a frame further out takes over when it stands for the same value (`String` over its `Vec<u8>`,
// `HashSet` over its `HashMap`), so the outermost of such frames decides and a container that merely copies its elements
// does not claim them. The run ends at the first frame that no rule knows and that is no library's.

public import Symbolication

/// Attributes allocations by their call stacks and tags.
///
/// What a frame is, is decided once per distinct function and kept; the cache is shared by copies of an attributor and
/// guarded by a lock, so an attributor may be used from several threads.
public struct Attributor: Sendable {
    private let classifier: FrameClassifier
    /// The rules it goes by.
    let rules: RuleSet

    /// Makes an attributor for the program at `executablePath` (nil: any module that is no shared library).
    public init(executablePath: String?, rules: RuleSet = .builtIn) {
        self.rules = rules
        classifier = FrameClassifier(executablePath: executablePath, rules: rules)
    }

    /// Decides who owns an allocation, why it was made and where.
    ///
    /// - Parameters:
    ///   - stack: The frames, innermost first, inlined ones expanded; the first is the caller of the allocator.
    ///   - tag: What the program itself said; it decides owner and cause, and the site still comes from the frames.
    /// - Returns: The attribution; its rule is `none` when there is neither a stack nor a tag.
    /// - Complexity: O(frames up to the site), each a table look-up.
    public func attribute(stack: [SymbolicatedFrame], tag: TagEvidence?) -> Attribution {
        attribute(walking: stack.lazy.map { AttributableFrame($0, by: self) }, tag: tag).attribution
    }

    /// What the frame is. O(1) for a function seen before.
    func classify(_ frame: SymbolicatedFrame) -> ClassifiedFrame { classifier.classify(frame) }

    /// Decides as ``attribute(stack:tag:)`` does, of frames whose classification the caller keeps.
    ///
    /// - Parameter type: What the runtime's metadata says of the block; it decides the owner unless there is a tag.
    func attribute(
        walking frames: some Sequence<AttributableFrame>, tag: TagEvidence?, type: RuntimeTypeEvidence? = nil
    ) -> Verdict {
        var walk = StackWalk()
        var creator: AttributableFrame?
        for frame in frames {
            if type != nil, creator == nil, RuntimeTypeEvidence.isCreator(frame) { creator = frame }
            walk.visit(frame.frame, frame.kind)
            if walk.isFinished { break }
        }
        walk.finish()
        let site = walk.site
        if let tag {
            return Verdict(
                attribution: Attribution(
                    owner: Owner(family: tag.family, type: tag.type, language: tag.language),
                    cause: Cause(rawValue: tag.cause) ?? .unknown, site: site, rule: "tag"))
        }
        let claim = walk.claim()
        if let type {
            let verdict = type.owner(creator: creator).attribution(beside: claim, site: site)
            return Verdict(attribution: verdict).overruled(by: walk.declaredClaims)
        }
        guard let claim else {
            return Verdict(
                attribution: Attribution(
                    owner: Owner(family: "Unattributed", type: "unknown", language: "c"), cause: .unknown, site: site,
                    rule: "none"))
        }
        return Verdict(
            attribution: Attribution(
                owner: Owner(family: claim.family, type: claim.type, language: claim.language), cause: claim.cause,
                site: site, rule: claim.rule), disagreement: walk.disagreement)
    }
}

/// An attribution, and what speaks against it.
struct Verdict {
    var attribution: Attribution
    var disagreement: Disagreement?

    /// What claims of the user's own rules make of an owner that the runtime's metadata names, as of an inner claim.
    func overruled(by declared: [Claim]) -> Verdict {
        if declared.isEmpty { return self }
        var owner = Claim(
            family: attribution.owner.family, type: attribution.owner.type, language: attribution.owner.language,
            cause: attribution.cause, rule: attribution.rule)
        var disagreement: Disagreement?
        for claim in declared {
            if claim.takesOver(owner) {
                owner = claim.takingOver(owner)
                disagreement = nil
            } else if disagreement == nil, claim.disagrees(with: owner) {
                disagreement = Disagreement(kept: owner, other: claim)
            }
        }
        return Verdict(
            attribution: Attribution(
                owner: Owner(family: owner.family, type: owner.type, language: owner.language), cause: owner.cause,
                site: attribution.site, rule: owner.rule), disagreement: disagreement)
    }
}

/// A frame and what it is, shared by every stack that it is on.
final class AttributableFrame {
    let frame: SymbolicatedFrame
    let kind: ClassifiedFrame

    init(_ frame: SymbolicatedFrame, by attributor: Attributor) {
        self.frame = frame
        kind = attributor.classify(frame)
    }
}
