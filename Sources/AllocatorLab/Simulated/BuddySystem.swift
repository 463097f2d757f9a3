// The buddy system of the textbooks (Knuth, TAOCP 2.5, algorithms R and S; Knowlton 1965): blocks of powers of two, split in halves on demand, joined with
// their buddy when both are free.
//
// Choices that textbooks leave open: the smallest block is 16 bytes; of the free blocks of the smallest sufficient size the lowest is taken; the space is
// one block of a power of two that doubles whenever nothing in it fits, the new half being free. Nothing is kept inside blocks. What is held of the space
// ends where its highest block ends, as for the ideal best fit, so that the doubling itself costs nothing.

/// A binary buddy system over an address space that doubles.
struct BuddySystem: AddressSpaceModel {
    /// The free blocks; a range is a block, its size a power of two that divides its address.
    private var free = FreeRanges()
    /// Bytes of the whole space, a power of two; 0 before the first block.
    private var space: UInt64 = 0
    private(set) var footprint: UInt64 = 0

    init() {}

    /// Takes a block of the smallest power of two that holds `size` and is a multiple of `alignment`. Expected O(log n · log size).
    mutating func allocate(size: UInt64, alignment: UInt64) -> AddressRange? {
        guard let least = AddressSpace.rounded(size), let alignment = AddressSpace.alignment(alignment) else {
            return nil
        }
        let wanted = max(Self.powerOfTwo(atLeast: least), alignment)
        var found = free.first(atLeast: wanted)
        while found == nil {
            guard grow(toHold: wanted) else { return nil }
            found = free.first(atLeast: wanted)
        }
        guard var block = found else { return nil }
        free.remove(block)
        while block.size > wanted {
            block.size /= 2
            free.insert(AddressRange(address: block.end, size: block.size))
        }
        footprint = max(footprint, block.end)
        return block
    }

    /// Joins the block with its buddy as often as that is free. Expected O(log n · log size).
    mutating func free(_ block: AddressRange) {
        var joined = block
        while joined.size < space, let buddy = free.range(from: joined.address ^ joined.size), buddy.size == joined.size
        {
            free.remove(buddy)
            joined = AddressRange(address: min(joined.address, buddy.address), size: 2 * joined.size)
        }
        free.insert(joined)
        if block.end == footprint { lower() }
    }

    /// Doubles the space, or makes it as large as the first block.
    private mutating func grow(toHold wanted: UInt64) -> Bool {
        if space == 0 {
            space = wanted
            free.insert(AddressRange(address: 0, size: wanted))
            return true
        }
        if space >= AddressSpace.limit * 2 { return false }
        let half = AddressRange(address: space, size: space)
        let lower = AddressRange(address: 0, size: space)
        space *= 2
        if free.range(from: 0) == lower {
            free.remove(lower)
            free.insert(AddressRange(address: 0, size: space))
        } else {
            free.insert(half)
        }
        return true
    }

    /// Lets go of the free blocks at the end. At most two of each size stand in a row.
    private mutating func lower() {
        footprint = space
        while let last = free.range(upTo: footprint) { footprint = last.address }
    }

    private static func powerOfTwo(atLeast size: UInt64) -> UInt64 {
        1 << UInt64(UInt64.bitWidth - (size - 1).leadingZeroBitCount)
    }

    var freeRanges: [AddressRange] {
        free.byAddress.filter { $0.address < footprint }
    }

    var violation: String? {
        if let violation = free.violation { return violation }
        for block in free.byAddress {
            if block.size & (block.size - 1) != 0 || block.address % block.size != 0 { return "\(block) is no block" }
            if block.size < space, let buddy = free.range(from: block.address ^ block.size), buddy.size == block.size {
                return "\(block) was not joined with its buddy"
            }
        }
        return nil
    }
}
