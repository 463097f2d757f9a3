// What makes two recordings unlike each other before any row is looked at. None of it forbids the comparison; all of it is said.

/// Which of two recordings.
public enum DiffOperand: String, Sendable, CaseIterable {
    /// The recording to compare with.
    case old
    /// The recording that is compared.
    case new
}

/// Why two recordings cannot be taken for two of the same kind.
public enum DiffCaveat: Equatable, Sendable {
    /// Executables of different names.
    case programs(old: String, new: String)
    /// Different allocators: their size classes differ, not the program.
    case allocators(old: String, new: String)
    /// One is a sample and the other is not, or their distances differ; mean bytes between samples, nil for a complete recording.
    case sampling(old: Int?, new: Int?)
    /// A recording was not written to its end.
    case incomplete(DiffOperand)
    /// The recorder lost so many events.
    case lost(DiffOperand, events: Int)
    /// The recording began after its program.
    case attached(DiffOperand)
    /// A text trace has no call stacks: no owners but those that its lines name.
    case text(DiffOperand)
    /// A recording has no call stacks though it is no text.
    case withoutStacks(DiffOperand)
    /// A recording has no event.
    case withoutEvents(DiffOperand)
    /// The process of a recording ended in another way.
    case endings(old: TraceFacts.Ending, new: TraceFacts.Ending)
}

extension ProfileDiff {
    /// What makes the two recordings unlike each other, in an order that does not change.
    public var caveats: [DiffCaveat] {
        let (first, second) = (old.trace.facts, new.trace.facts)
        var caveats: [DiffCaveat] = []
        let programs = [first, second].map { StableNames.file($0.executablePath ?? $0.program) }
        if programs[0] != programs[1], !programs.contains("") {
            caveats.append(.programs(old: programs[0], new: programs[1]))
        }
        if let one = first.allocator, let other = second.allocator, one != other {
            caveats.append(.allocators(old: one, new: other))
        }
        let distances = [first, second].map { $0.isSampled ? $0.sampleBytes : nil }
        if distances[0] != distances[1] { caveats.append(.sampling(old: distances[0], new: distances[1])) }
        for (operand, profile) in [(DiffOperand.old, old), (.new, new)] {
            let facts = profile.trace.facts
            if profile.trace.events == 0 { caveats.append(.withoutEvents(operand)) }
            if facts.mode == "text" {
                caveats.append(.text(operand))
            } else if profile.trace.allocations > 0, profile.stacks.allSatisfy(\.frames.isEmpty) {
                caveats.append(.withoutStacks(operand))
            }
            if !facts.isComplete { caveats.append(.incomplete(operand)) }
            if facts.lost > 0 { caveats.append(.lost(operand, events: facts.lost)) }
            if facts.isAttached { caveats.append(.attached(operand)) }
        }
        if first.ending != second.ending, first.ending != .unknown, second.ending != .unknown {
            caveats.append(.endings(old: first.ending, new: second.ending))
        }
        return caveats
    }

    /// Whether the two ran on allocators that are known to be different.
    public var hasOtherAllocator: Bool { old.hasOtherAllocator(than: new) }
}

extension HeapProfile {
    /// Whether both recordings name their allocators, and they differ.
    func hasOtherAllocator(than other: HeapProfile) -> Bool {
        guard let own = trace.facts.allocator, let theirs = other.trace.facts.allocator else { return false }
        return own != theirs
    }
}
