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

    /// Makes an attributor for the program at `executablePath` (nil: any module that is no shared library).
    public init(executablePath: String?, rules: RuleSet = .builtIn) {
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
        attribute(walking: stack.lazy.map { AttributableFrame($0, by: self) }, tag: tag)
    }

    /// What the frame is. O(1) for a function seen before.
    func classify(_ frame: SymbolicatedFrame) -> ClassifiedFrame { classifier.classify(frame) }

    /// Decides as ``attribute(stack:tag:)`` does, of frames whose classification the caller keeps.
    func attribute(walking frames: some Sequence<AttributableFrame>, tag: TagEvidence?) -> Attribution {
        var walk = StackWalk()
        for frame in frames {
            walk.visit(frame.frame, frame.kind)
            if walk.isFinished { break }
        }
        let site = walk.site
        if let tag {
            return Attribution(
                owner: Owner(family: tag.family, type: tag.type, language: tag.language),
                cause: Cause(rawValue: tag.cause) ?? .unknown, site: site, rule: "tag")
        }
        guard let claim = walk.claim() else {
            return Attribution(
                owner: Owner(family: "Unattributed", type: "unknown", language: "c"), cause: .unknown, site: site,
                rule: "none")
        }
        return Attribution(
            owner: Owner(family: claim.family, type: claim.type, language: claim.language), cause: claim.cause,
            site: site, rule: claim.rule)
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
    var needs = RuleSet.Need.nothing
    /// What is shown of an unattributed owner where an argument of the type stays unknown.
    var fallback: String?
    /// The same, whatever is known of the type.
    var certainFallback: String?

    /// Whether this claim, of a frame further out, takes over from an inner one.
    func takesOver(_ inner: Claim) -> Bool {
        if overAll || inner.isWeak && needs != .storage { return true }
        if isWeak { return false }
        if type == inner.type || over.contains(where: inner.type.hasPrefix) { return true }
        return family == inner.family && (Self.isBare(type, of: inner.type) || Self.isBare(inner.type, of: type))
    }

    /// This claim after taking over: an inner claim that knows the arguments of the same type lends them.
    func takingOver(_ inner: Claim) -> Claim {
        var result = self
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
        return result
    }

    /// Rust's sets are maps to nothing; where the set's own functions left no frame, the map's argument tells.
    var asSet: Claim {
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

/// The state of one walk outwards along a stack.
struct StackWalk {
    private var owner: Claim?
    private var runEnded = false
    private var isContested = false
    private var firstUnknown: ClassifiedFrame?
    private var firstOutside: ClassifiedFrame?
    private var direct: ClassifiedFrame?
    private var directRunOpen = true
    private var endsInLoader = false
    private var hasEvidence = false
    private var candidateSite: Site?
    private(set) var isFinished = false
    private var foundSite: Site?

    /// The innermost frame of user code.
    var site: Site? { foundSite ?? candidateSite }

    /// Takes the next frame outwards.
    mutating func visit(_ frame: SymbolicatedFrame, _ kind: ClassifiedFrame) {
        if !runEnded { takeEvidence(kind) }
        switch kind.origin {
        case .user where !kind.isGenerated:
            let line = kind.sourceFile == nil || frame.line == 0 ? nil : frame.line
            foundSite = Site(function: kind.display, file: kind.sourceFile, line: line)
            isFinished = true
        case .executable where candidateSite == nil && !kind.isRuleMatched:
            candidateSite = Site(function: kind.display)
        default: break
        }
    }

    private mutating func takeEvidence(_ kind: ClassifiedFrame) {
        let isInnermost = !hasEvidence && kind.library != "libheaptrail"
        if isInnermost { hasEvidence = true }
        if isInnermost, let claim = kind.innermostClaim {
            owner = claim
            isContested = true
            return
        }
        if let claim = kind.claim {
            guard let inner = owner else {
                if direct == nil && claim.needs == .nothing || claim.overAll {
                    owner = claim
                } else if direct == nil, firstUnknown == nil {
                    firstUnknown = kind
                }
                return
            }
            if claim.takesOver(inner), !isContested || claim.overAll {
                owner = claim.takingOver(inner)
            } else if inner.isWeak {
                if firstUnknown == nil { firstUnknown = kind }
            } else {
                isContested = true
            }
            return
        }
        if kind.isRuleMatched { return }
        if firstUnknown == nil, !kind.isUnnamed { firstUnknown = kind }
        if firstOutside == nil, !kind.isUnnamed, kind.origin != .standardLibrary { firstOutside = kind }
        if kind.origin == .standardLibrary {
            // A standard library's function that no rule knows is part of the run, but no name of its own.
            if owner == nil, kind.spelling == .c { extendDirect(kind) }
            return
        }
        if owner == nil || owner?.isWeak == true { extendDirect(kind) }
        if kind.origin != .system, !(direct?.needsOutwardName(kind) ?? false) { runEnded = true }
    }

    /// The caller of the allocator where no rule applies, one level up past wrappers and through libc's insides.
    private mutating func extendDirect(_ kind: ClassifiedFrame) {
        guard let current = direct else {
            direct = kind
            return
        }
        guard directRunOpen else { return }
        if current.library == kind.library, current.needsOutwardName(kind) {
            if !kind.isUnnamed { direct = kind }
        } else if current.origin == .system, kind.origin == .system {
            if !kind.isUnnamed { direct = kind }
        } else {
            endsInLoader = kind.display == "call_init" || kind.display == "_dl_init"
            directRunOpen = false
        }
    }

    /// What the evidence amounts to.
    func claim() -> Claim? {
        if let owner {
            let caller = firstUnknown ?? direct
            var result = owner.degraded
            guard result.type.contains("{caller}") || result.type.contains("{object}") else { return result.asSet }
            if let className = caller?.initializedClass, owner.type.contains("{object}") {
                result.family = "Class"
                result.type = className
                result.cause = .construct
                result.rule = "swift.class.init"
                return result
            }
            let name = caller?.display ?? "unknown"
            result.type = result.type.replacing("{object}", with: "object in \(name)")
                .replacing("{caller}", with: (firstOutside ?? firstUnknown ?? direct)?.display ?? "unknown")
            return result
        }
        guard let direct else { return nil }
        if direct.spelling == .rust || direct.spelling == .swift, direct.sourceFile == nil {
            // Without debug information nothing tells a box or a vector, inlined here, from a call of malloc.
            return Claim(
                family: "Unattributed", type: "alloc in \(direct.display)", language: direct.language, cause: .unknown,
                rule: "caller.opaque")
        }
        let function = direct.isUnnamed ? (endsInLoader ? "initializer" : "unknown") : direct.display
        return Claim(
            family: "C", type: "\(direct.library): \(function)", language: direct.language, cause: .unknown,
            rule: "c.caller")
    }
}
