// What of the program's calls a trace does not have, and what a replay makes of that: every gap is said, none is filled.

internal import HeapAnalysis
internal import TraceReader

/// Calls of the program that a trace lacks, and calls in it that cannot be performed.
public struct ReplayGaps: Equatable, Sendable {
    /// Whether the trace ends before the program did: it was cut, or is corrupt.
    public var isCut = false
    /// Allocations and frees that the recorder lost.
    public var lostAllocations: UInt64 = 0
    /// Frees among them.
    public var lostFrees: UInt64 = 0
    /// Whether the recorder was attached to a program that ran already.
    public var isAttached = false
    /// Frees of blocks that no allocation in the trace made. Left out.
    public var unmatchedFrees = 0
    /// Frees of blocks from before a fork. Left out.
    public var inheritedFrees = 0
    /// Blocks whose address was allocated again although their free is not in the trace. They are freed there.
    public var missingFrees = 0

    /// A trace without gaps.
    public init() {}

    init(_ trace: Trace, _ summary: TraceSummary) {
        isCut = !trace.isComplete
        lostAllocations = trace.losses.allocations
        lostFrees = trace.losses.frees
        isAttached = summary.facts.isAttached
        unmatchedFrees = summary.unmatchedFrees
        inheritedFrees = summary.inheritedFrees
        missingFrees = summary.missingFrees
    }

    /// Whether every call of the program, from its start to its end, is in the trace.
    public var isComplete: Bool {
        !isCut && lostAllocations == 0 && lostFrees == 0 && !isAttached && inheritedFrees == 0
    }

    /// One clause for each gap, in the order of their weight.
    var clauses: [String] {
        func count(_ number: some BinaryInteger, _ one: String, _ many: String) -> String {
            "\(Comparison.grouped(Double(number))) \(number == 1 ? one : many)"
        }
        var clauses: [String] = []
        if isCut { clauses.append("the trace was cut, what came before is replayed") }
        if lostAllocations + lostFrees > 0 {
            let allocations = count(lostAllocations, "allocation", "allocations")
            let frees = count(lostFrees, "free", "frees")
            var clause = "\(allocations) and \(frees) were lost while recording"
            if lostFrees > 0 { clause += ", so that some blocks live longer here" }
            clauses.append(clause)
        }
        if isAttached {
            clauses.append(
                "the program ran before it was recorded: blocks from before are absent"
                    + (unmatchedFrees > 0 ? ", \(count(unmatchedFrees, "free of one", "frees of such")) left out" : ""))
        } else if unmatchedFrees > 0 {
            clauses.append(count(unmatchedFrees, "free of an unknown block", "frees of unknown blocks") + " left out")
        }
        if inheritedFrees > 0 {
            clauses.append(
                count(inheritedFrees, "free of a block", "frees of blocks") + " from before the fork left out")
        }
        if missingFrees > 0 {
            clauses.append(
                count(missingFrees, "free", "frees")
                    + " not in the trace made where the block's address is allocated again")
        }
        return clauses
    }
}
