// Best fit as it would be without any cost: every free range known by its size, neighbours joined at once, no header, no class, no cache
// (Knuth, TAOCP 2.5; Wilson, Johnstone, Neely, Boles: "Dynamic Storage Allocation: A Survey and Critical Review", 1995).
//
// It is no lower bound: a placement that knows the future can do better. It is what the policy can do before an implementation takes its share.

/// Exact best fit, the lowest of equally good ranges, over an address space that grows and shrinks at its top.
struct IdealBestFit: AddressSpaceModel {
    /// Ranges that are tried in order of size for a block of a larger alignment than malloc's own, before one that fits wherever it begins is taken.
    static let alignedTries = 64

    private var free = FreeRanges()
    private(set) var footprint: UInt64 = 0

    init() {}

    /// Takes the smallest free range that holds the block; the top of the space where none does. Expected O(log n).
    ///
    /// A block of a larger alignment goes to the first of the ``alignedTries`` smallest ranges that are large enough in which it fits at an aligned address;
    /// else to the smallest that fits wherever it begins.
    mutating func allocate(size: UInt64, alignment: UInt64) -> AddressRange? {
        guard let size = AddressSpace.rounded(size), let alignment = AddressSpace.alignment(alignment) else {
            return nil
        }
        if let range = place(size, alignment) {
            let block = AddressRange(address: Self.aligned(range.address, alignment), size: size)
            free.remove(range)
            insert(from: range.address, to: block.address)
            insert(from: block.end, to: range.end)
            return block
        }
        let block = AddressRange(address: Self.aligned(footprint, alignment), size: size)
        guard block.end <= AddressSpace.limit * 2 else { return nil }
        insert(from: footprint, to: block.address)
        footprint = block.end
        return block
    }

    private func place(_ size: UInt64, _ alignment: UInt64) -> AddressRange? {
        var range = free.first(atLeast: size)
        if alignment == AddressSpace.granule { return range }
        for _ in 0..<Self.alignedTries {
            guard let candidate = range else { return nil }
            if Self.aligned(candidate.address, alignment) + size <= candidate.end { return candidate }
            range = free.next(after: candidate)
        }
        return free.first(atLeast: size + alignment - AddressSpace.granule)
    }

    /// Joins the block with the free ranges on both sides; at the top, gives it back. Expected O(log n).
    mutating func free(_ block: AddressRange) {
        var joined = block
        if let before = free.range(upTo: block.address) {
            free.remove(before)
            joined = AddressRange(address: before.address, size: before.size + joined.size)
        }
        if let after = free.range(from: block.end) {
            free.remove(after)
            joined.size += after.size
        }
        if joined.end == footprint { footprint = joined.address } else { free.insert(joined) }
    }

    private mutating func insert(from start: UInt64, to end: UInt64) {
        if end > start { free.insert(AddressRange(address: start, size: end - start)) }
    }

    private static func aligned(_ address: UInt64, _ alignment: UInt64) -> UInt64 {
        (address + alignment - 1) & ~(alignment - 1)
    }

    var freeRanges: [AddressRange] { free.byAddress }

    var violation: String? {
        if let violation = free.violation { return violation }
        let ranges = free.byAddress
        for (first, second) in zip(ranges, ranges.dropFirst()) where first.end == second.address {
            return "\(first) was not joined with \(second)"
        }
        if let last = ranges.last, last.end >= footprint { return "\(last) reaches to the top, \(footprint)" }
        return nil
    }
}
