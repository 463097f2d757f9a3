// The free ranges of a simulated address space: found by size, and by where they begin or end, so that neighbours are joined at once (Knuth, TAOCP 2.5:
// boundary tags; here beside the space, not in it).

/// Ranges that do not overlap.
struct FreeRanges {
    private var bySize = FreeRangeTree()
    /// The size of the range that begins at an address, and of the one that ends there.
    private var starts = AddressTable()
    private var ends = AddressTable()

    /// How many there are.
    var count: Int { bySize.count }

    /// Puts in a range that overlaps none. Expected O(log n).
    mutating func insert(_ range: AddressRange) {
        bySize.insert(range)
        starts.insert(range.address, range.size)
        ends.insert(range.end, range.size)
    }

    /// Takes out a range that is there. Expected O(log n).
    mutating func remove(_ range: AddressRange) {
        bySize.remove(range)
        starts.remove(range.address)
        ends.remove(range.end)
    }

    /// The range that begins at `address`. Expected O(1).
    func range(from address: UInt64) -> AddressRange? {
        starts[address].map { AddressRange(address: address, size: $0) }
    }

    /// The range that ends before `end`. Expected O(1).
    func range(upTo end: UInt64) -> AddressRange? {
        ends[end].map { AddressRange(address: end - $0, size: $0) }
    }

    /// The smallest range of at least `size` bytes, the lowest of equal ones. Expected O(log n).
    func first(atLeast size: UInt64) -> AddressRange? { bySize.first(atLeast: size) }

    /// The next larger range, or of the same size at a higher address. Expected O(log n).
    func next(after range: AddressRange) -> AddressRange? { bySize.next(after: range) }

    /// All ranges by address. O(n log n).
    var byAddress: [AddressRange] { bySize.ranges.sorted { $0.address < $1.address } }

    /// What is wrong with the three indexes; nil when they agree. O(n log n).
    var violation: String? {
        if let violation = bySize.violation { return violation }
        let ranges = byAddress
        guard starts.count == ranges.count, ends.count == ranges.count else {
            return "\(ranges.count) ranges, \(starts.count) beginnings, \(ends.count) ends"
        }
        for range in ranges where self.range(from: range.address) != range || self.range(upTo: range.end) != range {
            return "\(range) is not found by its ends"
        }
        for (first, second) in zip(ranges, ranges.dropFirst()) where first.end > second.address {
            return "\(first) overlaps \(second)"
        }
        return nil
    }
}
