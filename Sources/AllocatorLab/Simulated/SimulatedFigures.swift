// What a simulation measures, and the terms (Wilson, Johnstone, Neely, Boles 1995, section 2; Knuth, TAOCP 2.5):
//
//   live bytes      asked for by the blocks that are live
//   usable bytes    what those blocks were given: live bytes + internal fragmentation (slack)
//   footprint       address space held from the system: usable bytes + external fragmentation
//
// Internal fragmentation belongs to blocks, and so to owners. External fragmentation is of the whole, for a hole between two blocks is nobody's; what of
// it lies on pages that an owner's blocks keep is told beside it (PinnedBytes), and needs pages, which no model here knows.

/// The state of a simulated heap at one moment.
public struct SimulatedMoment: Equatable, Sendable {
    /// Calls made before it; a reallocation is two.
    public var calls: Int = 0
    /// Bytes asked for by the live blocks.
    public var liveBytes: Int = 0
    /// Bytes that the live blocks were given.
    public var usableBytes: Int = 0
    /// Bytes of address space held.
    public var footprintBytes: Int = 0

    /// Bytes given beyond what was asked for: usable − live.
    public var internalBytes: Int { usableBytes - liveBytes }
    /// Bytes held that no live block may use: footprint − usable.
    public var externalBytes: Int { footprintBytes - usableBytes }

    /// Internal fragmentation: the share of the usable bytes that nobody asked for, 0 to 1; nil where nothing is live.
    public var internalFragmentation: Double? {
        usableBytes == 0 ? nil : Double(internalBytes) / Double(usableBytes)
    }
    /// External fragmentation: the share of the footprint that no live block may use, 0 to 1; nil where nothing is held.
    public var externalFragmentation: Double? {
        footprintBytes == 0 ? nil : Double(externalBytes) / Double(footprintBytes)
    }
}

/// What one owner had in a simulated heap.
public struct SimulatedOwner: Equatable, Sendable {
    /// The owner's name.
    public var owner: String
    /// Allocations.
    public var allocations: Int = 0
    /// Bytes asked for, over all allocations.
    public var bytes: Int = 0
    /// Bytes given beyond them, over all allocations: internal fragmentation as reports sum slack.
    public var slackBytes: Int = 0
    /// Bytes live when the live bytes of all were highest.
    public var peakBytes: Int = 0
    /// Bytes given beyond those.
    public var slackBytesAtPeak: Int = 0
}

/// What a whole simulation measured.
public struct SimulatedFigures: Equatable, Sendable {
    /// Calls: allocations and frees.
    public var calls: Int
    /// Allocations.
    public var allocations: Int
    /// Allocations that no address space holds, and blocks freed that were not live; not simulated.
    public var refused: Int
    /// When live bytes were highest, for the first time.
    public var atPeak: SimulatedMoment
    /// When the footprint was highest, for the first time.
    public var atHighestFootprint: SimulatedMoment
    /// After the last call.
    public var atEnd: SimulatedMoment
    /// The owners in the order they were named.
    public var owners: [SimulatedOwner]
    /// The heap over time, evenly spaced by calls, first and last moment included.
    public var curve: [SimulatedMoment]

    /// The highest footprint as a multiple of the highest live bytes, which is how Wilson et al. compare policies (their fourth measure); nil without blocks.
    public var footprintRatio: Double? {
        atPeak.liveBytes == 0 ? nil : Double(atHighestFootprint.footprintBytes) / Double(atPeak.liveBytes)
    }
}
