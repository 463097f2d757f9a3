// A stream of allocations and frees performed on an allocator that is only its addresses: what it would hold, and what it would waste for whom.
// Memory grows with live blocks, never with calls. No clock: a simulation has no timing. The same calls, the same figures.

/// An allocator that exists as a model.
public enum SimulatedAllocator: String, CaseIterable, Sendable {
    /// The binary buddy system of the textbooks.
    case buddy
    /// Exact best fit without any overhead.
    case bestFit = "bestfit"

    /// What it is called beside real allocators: `sim:buddy`, `sim:bestfit`.
    public var name: String { "sim:" + rawValue }

    /// The allocator of a name as ``name`` gives it.
    public init?(named name: String) {
        guard let found = Self.allCases.first(where: { $0.name == name.lowercased() }) else { return nil }
        self = found
    }

    /// One sentence on what it does.
    public var summary: String {
        switch self {
        case .buddy: "blocks of powers of two from 16 bytes, halved and joined (Knuth, TAOCP 2.5)"
        case .bestFit:
            "the smallest free range that fits, neighbours joined at once, nothing but 16-byte alignment added"
        }
    }
}

/// A simulation under way: feed it every call in order, then ask for its figures.
///
///     var simulation = AllocatorSimulation(.buddy, owners: ["Box", "String"])
///     simulation.allocate(slot: 0, size: 100, owner: 1)
///     simulation.free(slot: 0)
///     print(simulation.figures.atPeak.internalBytes)  // 28
public struct AllocatorSimulation {
    /// The allocator that is simulated.
    public let allocator: SimulatedAllocator
    // One of these two is there. An existential in their place took three times as long: every call looked up the metadata of a generic type.
    private var buddy: SimulatedHeap<BuddySystem>?
    private var bestFit: SimulatedHeap<IdealBestFit>?

    /// A simulation without blocks.
    /// - Parameters:
    ///   - owners: the owners, which calls name by their index.
    ///   - curvePoints: moments that the curve has at most, beside the last.
    public init(_ allocator: SimulatedAllocator, owners: [String], curvePoints: Int = 512) {
        self.allocator = allocator
        switch allocator {
        case .buddy: buddy = SimulatedHeap(owners: owners, curvePoints: curvePoints)
        case .bestFit: bestFit = SimulatedHeap(owners: owners, curvePoints: curvePoints)
        }
    }

    /// Places a block. Expected O(log live blocks).
    /// - Parameters:
    ///   - slot: a number, from 0, for the block while it lives; other blocks may have it afterwards, for memory goes by the highest. A block that is
    ///     still there is freed first.
    ///   - alignment: a power of two that the call asked for; 0 for malloc's own.
    ///   - owner: an index into the owners.
    public mutating func allocate(slot: Int, size: Int, alignment: Int = 0, owner: Int) {
        buddy?.allocate(slot: slot, size: size, alignment: alignment, owner: owner)
        bestFit?.allocate(slot: slot, size: size, alignment: alignment, owner: owner)
    }

    /// Takes a block back. Expected O(log live blocks).
    public mutating func free(slot: Int) {
        buddy?.free(slot: slot)
        bestFit?.free(slot: slot)
    }

    /// Places a block and takes it back at once: two calls, and none of its bytes is ever live. Expected O(log live blocks).
    public mutating func pass(size: Int, alignment: Int = 0, owner: Int) {
        buddy?.pass(size: size, alignment: alignment, owner: owner)
        bestFit?.pass(size: size, alignment: alignment, owner: owner)
    }

    /// Where the live blocks lie, in no order that means anything. O(slots).
    var placed: [PlacedBlock] { buddy?.placed ?? bestFit?.placed ?? [] }

    /// What was measured so far. O(owners + points of the curve).
    public var figures: SimulatedFigures {
        if let buddy { return buddy.figures }
        if let bestFit { return bestFit.figures }
        preconditionFailure("a simulation has a heap")
    }
}
