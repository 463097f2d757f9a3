// Metadata and frames together: the runtime's type says who owns a block, the frames why it was made and where. Where a frame knows the same type more
// precisely (an element's class instead of the pooled AnyObject, a tuple's labels), its spelling stays.

internal import Symbolication

extension RuntimeTypeEvidence {
    /// The owner, with the frame that made the block where that matters: the innermost one of Swift's own naming.
    func owner(creator: AttributableFrame?) -> RuntimeOwner {
        switch self {
        case .owner(let owner, _): owner
        case .context(let captures, let facts):
            .context(captures, creator: creator.map { ($0.kind.display, $0.frame.linkageName) }, facts: facts)
        }
    }

    /// Whether a frame may be the one that made a context: functions of Swift, not of its runtime.
    static func isCreator(_ frame: AttributableFrame) -> Bool {
        frame.kind.spelling == .swift && !frame.kind.isUnnamed
    }
}

extension RuntimeOwner {
    /// What metadata and the frames' own claim amount to.
    func attribution(beside claim: Claim?, site: Site?) -> Attribution {
        var result = Attribution(
            owner: Owner(family: family, type: type, language: "swift"), cause: cause, site: site, rule: rule)
        guard let claim, claim.family == family else { return result }
        if claim.cause != .unknown { result.cause = claim.cause }
        if isRefined(by: claim) { result.owner.type = claim.type }
        if isPooled, let refined = pooledType(from: claim) {
            result.owner.type = refined
            result.rule += ".specialized"
        }
        return result
    }

    /// Whether a claim spells the same type with the labels of its tuples.
    private func isRefined(by claim: Claim) -> Bool {
        claim.type != type && claim.type.contains(": ") && Self.withoutLabels(claim.type) == type
    }

    /// The claim's type, where it has an argument in the place of the pooled one.
    private func pooledType(from claim: Claim) -> String? {
        guard claim.language == "swift", claim.type.hasSuffix(">"), !TypeResolver.hasUnknownArgument(claim.type),
            let head = claim.type.firstIndex(of: "<")
        else { return nil }
        let argument = claim.type[head...]
        return ["Array", "ContiguousArray", "ArraySlice"].contains(claim.type[..<head]) ? "Array\(argument)" : nil
    }

    /// A type's text without the labels of tuples and parameters: `(key: Int, value: String)` as `(Int, String)`.
    static func withoutLabels(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let colon = rest.firstRange(of: ": ") {
            var label = rest[..<colon.lowerBound]
            while let last = label.last, last.isLetter || last.isNumber || last == "_" { label = label.dropLast() }
            let isLabel =
                label.endIndex < colon.lowerBound && (label.last == "(" || label.hasSuffix(", "))
            result += isLabel ? label : rest[..<colon.upperBound]
            rest = rest[colon.upperBound...]
        }
        return result + rest
    }
}
