// Claims that exclude each other: two rules know frames of one run, name different owners, and neither may take over.
//
// Most such claims are no contradiction: a `String` that is copied with its `Vec<String>` is an element, and the inner claim is right.
// What is left, where the outer owner could not hold the inner one, is for a person to look at.

/// Two rules that name different owners for the same allocations.
public struct Disagreement: Hashable, Sendable {
    /// The rule that decided, of the frame further in.
    public var keptRule: String
    /// The type it names.
    public var keptType: String
    /// The rule of a frame further out.
    public var otherRule: String
    /// The type that one names.
    public var otherType: String

    init(kept: Claim, other: Claim) {
        keptRule = kept.rule
        keptType = kept.type.replacing("{caller}", with: "its caller")
        otherRule = other.rule
        otherType = other.type.replacing("{caller}", with: "its caller")
    }
}

/// What became of one frame's claim in the walk along a stack.
public struct ClaimStep: Hashable, Sendable {
    /// What became of it.
    public enum Outcome: String, Sendable {
        /// The first of its stack.
        case claimed
        /// It took over from the claim further in.
        case tookOver
        /// It could not take over from the claim further in, or nothing that it needs was claimed.
        case refused
        /// The rule says that the frame owns nothing.
        case skipped
    }

    /// The frame, counted from the innermost.
    public var frame: Int
    /// The rule.
    public var rule: String
    /// The type that it named; nil of a frame that owns nothing.
    public var type: String?
    /// What became of it.
    public var outcome: Outcome
}

extension Claim {
    /// Whether this claim, of a frame further out, and an inner one exclude each other, where neither takes over.
    func disagrees(with inner: Claim) -> Bool {
        if family == "Unattributed" || inner.family == "Unattributed" || inner.takesOver(self) { return false }
        if isUndisputed || inner.isUndisputed { return false }
        // The C library's functions stand inside of each other.
        if isSystem, inner.isSystem { return false }
        // What a runtime allocates for itself, it does for whoever needs it first; and it calls back what is not its own.
        if family == "Runtime" || inner.family == "Runtime" { return false }
        return !mayHold(inner.type)
    }

    private static let holders: Set<String> = [
        "Box", "Array", "Dictionary", "Set", "Shared", "Cow", "Closure", "Task", "Class",
    ]

    /// Whether a value of the claimed type may have values of type `inner` in it, as far as its arguments tell: they name it, they are not known,
    /// or they name a type whose parts are not known.
    private func mayHold(_ inner: String) -> Bool {
        guard let open = type.firstIndex(of: "<") else { return Self.holders.contains(family) }
        let arguments = type[type.index(after: open)...]
        let head = inner.prefix { $0 != "<" }
        if arguments.contains(head) { return true }
        for word in arguments.split(whereSeparator: { "<>,()[] &*;".contains($0) }) {
            if word == "_" || word == "dyn" || word == "any" || word.hasPrefix("{") { return true }
            if word.contains("::") && !word.hasPrefix("std::") || word.contains(".") { return true }
        }
        return false
    }
}
