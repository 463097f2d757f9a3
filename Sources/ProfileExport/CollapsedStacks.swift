// Collapsed stacks ("folded" stacks of FlameGraph): one line a distinct stack, `outermost;…;innermost weight`, which every flame graph tool reads.
public import HeapAnalysis
internal import Symbolication

/// What a stack of an export weighs.
public enum ExportWeight: String, CaseIterable, Sendable {
    /// Bytes over all allocations.
    case bytes
    /// Allocations.
    case allocations
    /// Bytes live at the end.
    case live
    /// Bytes live at the trace's peak.
    case peak
    /// Temporary allocations.
    case temporary

    /// What these sums weigh.
    public func value(of figures: HeapFigures) -> Int {
        switch self {
        case .bytes: figures.bytes
        case .allocations: figures.allocations
        case .live: figures.liveBytes
        case .peak: figures.peakBytes
        case .temporary: figures.temporary
        }
    }
}

/// The collapsed form of a profile.
public struct CollapsedStacks: Sendable {
    private let profile: HeapProfile
    private let weight: ExportWeight
    private let showsOwners: Bool

    /// The collapsed stacks of `profile`.
    /// - Parameter showsOwners: Puts the owner, in brackets, as the innermost frame.
    public init(profile: HeapProfile, weight: ExportWeight = .bytes, showsOwners: Bool = false) {
        self.profile = profile
        self.weight = weight
        self.showsOwners = showsOwners
    }

    /// The lines, sorted, equal stacks merged, stacks that weigh nothing left out. O(frames of all stacks).
    public func text() -> String {
        let names = profile.frames.map { Self.name($0.function) }
        var weights: [String: Int] = [:]
        for cell in profile.cells {
            let value = weight.value(of: profile.figures(of: cell))
            if value <= 0 { continue }
            weights[line(profile.stacks[cell.stack], names), default: 0] += value
        }
        var text = ""
        for (line, value) in weights.sorted(by: { $0.key < $1.key }) { text += "\(line) \(value)\n" }
        return text
    }

    private func line(_ stack: ProfileStack, _ names: [String]) -> String {
        var frames = stack.frames.reversed().map { names[Int($0)] }
        if stack.isTruncated { frames.insert("[truncated]", at: 0) }
        if frames.isEmpty { frames.append("[no stack]") }
        if showsOwners {
            let owner = stack.attribution.owner
            frames.append("[" + Self.name(owner.type.isEmpty ? owner.family : owner.type) + "]")
        }
        return frames.joined(separator: ";")
    }

    /// The name without what separates frames and lines in this format.
    private static func name(_ function: String) -> String {
        guard function.contains(where: { $0 == ";" || $0.isNewline }) else { return function }
        return String(function.map { $0 == ";" ? ":" : $0.isNewline ? " " : $0 })
    }
}
