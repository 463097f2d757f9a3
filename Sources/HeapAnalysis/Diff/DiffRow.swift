// A row of two recordings: what one owner, cause or site had in each, and the difference.

/// What tells a row of a difference from the others: names as they are matched, without lines and addresses.
public struct DiffKey: Hashable, Sendable {
    /// The fields that the grouping uses. Names are the new recording's where both have the row; a site has no line, a file no folder.
    public var row: RowKey
    /// The allocating thread, `main` or its name or its number; nil unless threads were kept apart.
    public var thread: String?

    /// Whether this key comes before `other` when all changes are equal.
    func precedes(_ other: DiffKey) -> Bool {
        if thread != other.thread { return (thread ?? "") < (other.thread ?? "") }
        return row.precedes(other.row)
    }
}

/// What a row had in one recording.
public struct DiffSide: Sendable {
    /// Its sums.
    public var figures: HeapFigures
    /// How far they may be off in a sampled recording; nil in others.
    public var standardError: StandardError?
    /// Why its allocations were made, by bytes descending.
    public var causes: [Cause]

    mutating func add(_ other: DiffSide) {
        causes = (figures.bytes >= other.figures.bytes ? causes + other.causes : other.causes + causes)
            .reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        figures.add(other.figures)
        standardError = StandardError.sum(standardError, other.standardError)
    }
}

/// A figure that a difference is made of.
public enum DiffFigure: String, CaseIterable, Sendable {
    /// Allocations.
    case allocations
    /// Frees of their blocks.
    case frees
    /// Bytes asked for.
    case bytes
    /// Blocks live at the end.
    case liveBlocks = "live_blocks"
    /// Bytes live at the end.
    case liveBytes = "live_bytes"
    /// Bytes live at the recording's peak.
    case peakBytes = "peak_bytes"
    /// Blocks freed as the next event of their thread.
    case temporary
    /// Usable bytes beyond those asked for.
    case slackBytes = "slack_bytes"

    /// The figure's value; nil where it is not known.
    public func value(_ figures: HeapFigures) -> Int? {
        switch self {
        case .allocations: figures.allocations
        case .frees: figures.frees
        case .bytes: figures.bytes
        case .liveBlocks: figures.liveBlocks
        case .liveBytes: figures.liveBytes
        case .peakBytes: figures.peakBytes
        case .temporary: figures.temporary
        case .slackBytes: figures.slackBytes
        }
    }

    /// The figure's standard error; nil for slack, of which none is estimated.
    public func error(_ errors: StandardError) -> Double? {
        switch self {
        case .allocations: errors.allocations
        case .frees: errors.frees
        case .bytes: errors.bytes
        case .liveBlocks: errors.liveBlocks
        case .liveBytes: errors.liveBytes
        case .peakBytes: errors.peakBytes
        case .temporary: errors.temporary
        case .slackBytes: nil
        }
    }

    /// Those that a program decides; slack is the allocator's.
    static let ofProgram = allCases.filter { $0 != .slackBytes }
}

/// One row of a difference.
public struct DiffRow: Sendable {
    /// What tells it from the others.
    public var key: DiffKey
    /// What it had in the old recording; nil where it is not there.
    public var old: DiffSide?
    /// What it has in the new recording; nil where it is not there.
    public var new: DiffSide?
    /// Where it was made in the old recording, when that function has another name in the new one; nil otherwise.
    public var formerSite: Site?

    /// New less old; a side without the row counts as nothing. Nil where a figure is not known.
    public func change(_ figure: DiffFigure) -> Int? {
        guard let old = figure.value(old?.figures ?? HeapFigures()),
            let new = figure.value(new?.figures ?? HeapFigures())
        else { return nil }
        return new &- old
    }

    /// Whether a figure that the program decides is not the same.
    public var isChanged: Bool { DiffFigure.ofProgram.contains { change($0) != 0 } }

    /// Whether the slack is known on both sides and not the same, or known on one side only.
    public var hasOtherSlack: Bool { old?.figures.slackBytes != new?.figures.slackBytes && old != nil && new != nil }

    /// The standard error of a change where a side is sampled: the root of the sum of the squares of both. A side without the row may have had as much as
    /// the other and not been sampled, so the other's error stands for its own.
    public func error(_ figure: DiffFigure, oldIsSampled: Bool, newIsSampled: Bool) -> Double? {
        let first = oldIsSampled ? (old?.standardError ?? new?.standardError) : nil
        let second = newIsSampled ? (new?.standardError ?? old?.standardError) : nil
        if first == nil, second == nil { return nil }
        let errors = [first, second].compactMap { $0.flatMap { figure.error($0) } }
        return errors.isEmpty ? nil : errors.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }

    /// What rows are ordered by: the largest change of bytes, at the peak, live or over all; then of slack; then of counts.
    var size: (bytes: UInt, slack: UInt, count: UInt) {
        func magnitude(_ figures: [DiffFigure]) -> UInt { figures.compactMap { change($0)?.magnitude }.max() ?? 0 }
        return (
            magnitude([.bytes, .peakBytes, .liveBytes]), magnitude([.slackBytes]),
            magnitude([.allocations, .frees, .liveBlocks, .temporary])
        )
    }
}

extension StandardError {
    /// The standard error of a sum of two estimates that were made of different samples.
    static func sum(_ one: StandardError?, _ other: StandardError?) -> StandardError? {
        guard let one, let other else { return one ?? other }
        func root(_ path: KeyPath<StandardError, Double>) -> Double {
            (one[keyPath: path] * one[keyPath: path] + other[keyPath: path] * other[keyPath: path]).squareRoot()
        }
        return StandardError(
            allocations: root(\.allocations), frees: root(\.frees), bytes: root(\.bytes),
            liveBlocks: root(\.liveBlocks), liveBytes: root(\.liveBytes), peakBytes: root(\.peakBytes),
            temporary: root(\.temporary))
    }
}
