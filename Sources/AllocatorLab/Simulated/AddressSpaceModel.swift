// What an allocator is when only its addresses matter: it places blocks in one address space from 0 upwards and takes them back.

/// An allocator by its placement alone.
protocol AddressSpaceModel {
    /// An empty address space.
    init()

    /// Places a block.
    /// - Parameters:
    ///   - size: bytes asked for; 0 takes the smallest block, as `malloc(0)` does.
    ///   - alignment: a power of two that divides the block's address; 0 and 1 for malloc's own.
    /// - Returns: where it lies and all that may be used of it; nil when the simulated space has no room for so much.
    mutating func allocate(size: UInt64, alignment: UInt64) -> AddressRange?

    /// Takes a block back as it was placed.
    mutating func free(_ block: AddressRange)

    /// Bytes of address space held from the system: up to the end of the highest block.
    var footprint: UInt64 { get }

    /// The free ranges below the footprint, by address. O(n log n).
    var freeRanges: [AddressRange] { get }

    /// What is wrong with its own structures; nil when nothing is. O(n log n).
    var violation: String? { get }
}

/// What both models have in common.
enum AddressSpace {
    /// The smallest block, and the alignment of every block: `alignof(max_align_t)`, which malloc guarantees on x86-64.
    static let granule: UInt64 = 16
    /// More than the address space of any process (x86-64: 2^56 with five-level page tables).
    static let limit: UInt64 = 1 << 60

    /// `size` rounded up to whole granules, at least one; nil when it is too much for any address space.
    static func rounded(_ size: UInt64) -> UInt64? {
        size > limit ? nil : max(granule, (size + granule - 1) & ~(granule - 1))
    }

    /// The alignment to keep to; nil when it is none.
    static func alignment(_ alignment: UInt64) -> UInt64? {
        if alignment <= granule { return granule }
        return alignment <= limit && alignment & (alignment - 1) == 0 ? alignment : nil
    }
}
