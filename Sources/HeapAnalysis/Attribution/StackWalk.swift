// The walk outwards along one stack: which claim stands, where the run of library frames ends, where the site is.

internal import Symbolication

/// The state of one walk outwards along a stack.
struct StackWalk {
    private var owner: Claim?
    private var runEnded = false
    private var isContested = false
    private var firstUnknown: ClassifiedFrame?
    private var firstOutside: ClassifiedFrame?
    /// The first frame without a name that is of no standard library, where it comes before `firstOutside`.
    private var firstUnnamed: ClassifiedFrame?
    private var direct: ClassifiedFrame?
    private var directRunOpen = true
    /// How many functions without names lie between the direct caller, which has none, and the frame that is visited.
    private var unnamedFrames = 0
    /// Beyond so many a name further out does not stand for the function that called the allocator.
    private static let longestUnnamedRun = 3
    private var endsInLoader = false
    private var hasEvidence = false
    private var innermostHasLine = true
    /// A frame that may be an allocator's of the program's own; its caller tells.
    private var held: (frame: SymbolicatedFrame, kind: ClassifiedFrame)?
    /// Whether the site found is a wrapper of the allocator, so that its caller in the program says more.
    private var isWrapperHeld = false
    private var candidateSite: Site?
    /// Whether the candidate only hands requests on, so that its caller says more.
    private var candidateIsWrapper = false
    private(set) var isFinished = false
    private var foundSite: Site?
    /// The innermost frame of a container of the user's own, where nothing but such containers is on the stack.
    private var declaredSite: Site?
    /// Claims that neither may take over from the other.
    private(set) var disagreement: Disagreement?
    /// How many frames were taken, and the one whose claim names the rule that decided.
    private var position = -1
    private(set) var decidingFrame: Int?
    /// Claims of the user's own rules, from the innermost frame outwards.
    private(set) var declaredClaims: [Claim] = []
    /// What became of each claim, where somebody asked for it.
    private(set) var steps: [ClaimStep]?

    /// A walk that has taken no frame.
    init(keepsSteps: Bool = false) {
        if keepsSteps { steps = [] }
    }

    /// The innermost frame of user code.
    var site: Site? { foundSite ?? candidateSite ?? declaredSite }

    /// Takes the next frame outwards.
    mutating func visit(_ frame: SymbolicatedFrame, _ kind: ClassifiedFrame) {
        if let inner = held {
            held = nil
            position += 1
            if inner.kind.isStandardAllocator(for: kind) {
                note(skip: "c++.allocator")
            } else {
                take(inner.frame, inner.kind)
                if isFinished { return }
            }
        }
        if kind.mayBeStandardAllocator {
            held = (frame, kind)
        } else {
            position += 1
            take(frame, kind)
        }
    }

    /// Takes the frame that waits for its caller, where there is none. To be called after the last frame.
    mutating func finish() {
        guard let inner = held, !isFinished else { return }
        held = nil
        position += 1
        take(inner.frame, inner.kind)
    }

    private mutating func take(_ frame: SymbolicatedFrame, _ kind: ClassifiedFrame) {
        if !runEnded { takeEvidence(kind) }
        if isWrapperHeld, kind.origin == .user || kind.origin == .executable {
            isWrapperHeld = false
            if kind.isEntry {
                isFinished = true
                return
            }
            foundSite = nil
        }
        switch kind.origin {
        case .user where !kind.isGenerated:
            foundSite = Self.site(frame, kind)
            if kind.isWrapper { isWrapperHeld = true } else { isFinished = true }
        case .executable where !kind.isRuleMatched && (candidateSite == nil || candidateIsWrapper):
            if candidateSite != nil, kind.isUnnamed || kind.isEntry { break }
            candidateSite = Site(function: kind.display)
            candidateIsWrapper = kind.isWrapper
        case .standardLibrary where kind.isDeclaredOwner && declaredSite == nil:
            declaredSite = Self.site(frame, kind)
        default: break
        }
    }

    private static func site(_ frame: SymbolicatedFrame, _ kind: ClassifiedFrame) -> Site {
        let line = kind.sourceFile == nil || frame.line == 0 ? nil : frame.line
        return Site(function: kind.display, file: kind.sourceFile, line: line)
    }

    private mutating func takeEvidence(_ kind: ClassifiedFrame) {
        let isInnermost = !hasEvidence && kind.library != "libheaptrail"
        if isInnermost {
            hasEvidence = true
            innermostHasLine = kind.hasLine
        }
        if isInnermost, let claim = kind.innermostClaim {
            decide(claim, by: claim, .claimed)
            isContested = true
            return
        }
        // What a function asked for is all that such a rule goes by; where it does not show, no rule knows the function.
        let isBlind = kind.claim?.needs == .bytes && owner?.shape != .bytes
        if let claim = kind.claim, !isBlind {
            if claim.isDeclared { declaredClaims.append(claim) }
            guard let inner = owner else {
                let isOpen = direct == nil || claim.isSystem && direct?.origin == .system && directRunOpen
                if isOpen && (claim.needs == .nothing || claim.needs == .request) || claim.overAll {
                    decide(claim, by: claim, .claimed)
                } else {
                    note(refused: claim)
                    if direct == nil, firstUnknown == nil { firstUnknown = kind }
                }
                return
            }
            if claim.takesOver(inner), !isContested || claim.overAll {
                decide(claim.takingOver(inner), by: claim, .tookOver)
                disagreement = nil
            } else {
                note(refused: claim)
                if inner.isWeak {
                    if firstUnknown == nil { firstUnknown = kind }
                    // What a copy of a container asks for is part of the copy, be it an element's.
                    if inner.shape != nil, inner.cause == .unknown, claim.cause == .clone { owner?.cause = .clone }
                } else {
                    if !isContested, claim.disagrees(with: inner) {
                        disagreement = Disagreement(kept: inner, other: claim)
                    }
                    isContested = true
                }
            }
            return
        }
        if let rule = kind.skippedBy { note(skip: rule) }
        if kind.isRuleMatched, !isBlind { return }
        if firstUnknown == nil, !kind.isUnnamed { firstUnknown = kind }
        if firstOutside == nil, kind.origin != .standardLibrary {
            if !kind.isUnnamed { firstOutside = kind } else if firstUnnamed == nil { firstUnnamed = kind }
        }
        if kind.origin == .standardLibrary {
            // A standard library's function that no rule knows is part of the run, but no name of its own.
            if owner == nil, kind.spelling == .c { extendDirect(kind) }
            return
        }
        if owner == nil || owner?.isWeak == true { extendDirect(kind) }
        if kind.origin != .system, !(direct?.needsOutwardName(kind) ?? false) { runEnded = true }
    }

    private mutating func decide(_ result: Claim, by claim: Claim, _ outcome: ClaimStep.Outcome) {
        // A claim that names the type alone leaves the rule to the one that it takes over from.
        if outcome == .claimed || result.rule != owner?.rule { decidingFrame = position }
        steps?.append(ClaimStep(frame: position, rule: claim.rule, type: result.type, outcome: outcome))
        owner = result
    }

    private mutating func note(refused claim: Claim) {
        steps?.append(ClaimStep(frame: position, rule: claim.rule, type: claim.type, outcome: .refused))
    }

    private mutating func note(skip rule: String) {
        steps?.append(ClaimStep(frame: position, rule: rule, type: nil, outcome: .skipped))
    }

    /// The caller of the allocator where no rule applies, one level up past wrappers and through libc's insides.
    private mutating func extendDirect(_ kind: ClassifiedFrame) {
        guard let current = direct else {
            direct = kind
            return
        }
        guard directRunOpen else { return }
        if current.library == kind.library, current.needsOutwardName(kind) {
            if kind.isUnnamed {
                unnamedFrames += 1
            } else if current.isUnnamed && unnamedFrames >= Self.longestUnnamedRun || kind.isEntry {
                directRunOpen = false
            } else {
                direct = kind
            }
        } else if current.origin == .system, kind.origin == .system {
            if !kind.isUnnamed { direct = kind }
        } else {
            endsInLoader = kind.display == "call_init" || kind.display == "_dl_init"
            directRunOpen = false
        }
    }

    /// The first function outside the standard libraries, or its library where it has no name, and whether debug
    /// information describes it.
    private var outsideCaller: (name: String, hasSource: Bool) {
        if let unnamed = firstUnnamed, unnamed.library != firstOutside?.library, !unnamed.library.isEmpty {
            return (unnamed.library, false)
        }
        let caller = firstOutside ?? firstUnknown ?? direct
        return (caller?.display ?? "unknown", caller?.hasSource ?? false)
    }

    /// What the evidence amounts to.
    func claim() -> Claim? {
        if let owner {
            let caller = firstUnknown ?? direct
            var result = owner.degraded
            guard result.type.contains("{caller}") || result.type.contains("{object}") else { return result.asNamed }
            if let className = caller?.initializedClass, owner.type.contains("{object}") {
                result.family = "Class"
                result.type = className
                result.cause = .construct
                result.rule = "swift.class.init"
                return result
            }
            if result.type == "{object}" {
                let name = caller?.origin == .system ? outsideCaller.name : caller?.display ?? "unknown"
                result.type = "object in \(name)"
            }
            if result.type.hasSuffix("{caller}") {
                let (caller, hasSource) = outsideCaller
                result.type = result.type.dropLast("{caller}".count) + caller
                if result.needsSource, !hasSource {
                    // A container's node or storage, inlined here, cannot be told from an object.
                    result.family = "Unattributed"
                    result.cause = .unknown
                }
            }
            return result
        }
        guard let direct else { return nil }
        if direct.spelling == .rust, !(direct.hasLine && innermostHasLine) {
            // Without debug information, or where the compiler folded several calls into one, what was inlined here cannot be
            // told apart: a function is known, and no owner.
            return Claim(
                family: "Unattributed", type: "alloc in \(direct.display)", language: direct.language, cause: .unknown,
                rule: "rust.inlined")
        }
        if direct.spelling == .swift, direct.sourceFile == nil {
            // Without debug information nothing tells a box or a vector, inlined here, from a call of malloc.
            return Claim(
                family: "Unattributed", type: "alloc in \(direct.display)", language: direct.language, cause: .unknown,
                rule: "caller.opaque")
        }
        let library = direct.library.isEmpty ? "unknown" : direct.library
        if direct.isUnnamed, direct.origin == .executable {
            return Claim(
                family: "C", type: direct.display, language: direct.language, cause: .unknown, rule: "c.caller")
        }
        let function = direct.isUnnamed ? (endsInLoader ? "initializer" : nil) : direct.display
        return Claim(
            family: "C", type: function.map { "\(library): \($0)" } ?? library, language: direct.language,
            cause: .unknown, rule: "c.caller")
    }
}
