// What keeps memory from being given back. The system takes whole pages, so a page is held as long as one block lies on it: the rest of it, in no
// block, is pinned by those that do. That makes of external fragmentation a sum by owner: what is held and in no block is pinned by some owner, or it
// lies on pages without any block, which the allocator keeps of its own accord.

/// Where a live block lies.
struct PlacedBlock: Equatable {
    var address: UInt64
    /// Bytes that its owner may use.
    var bytes: UInt64
    /// The number of its owner.
    var owner: Int
}

/// Bytes in no block on pages on which blocks of an owner lie. A page of several owners is shared out by the bytes that each has on it.
enum PinnedBytes {
    static let page: UInt64 = 4096

    /// The pinned bytes of each owner; their sum is that of all pages with blocks.
    ///
    /// - Complexity: O(n log n) for n blocks; nothing for pages that a block covers whole.
    static func byOwner(_ blocks: [PlacedBlock], owners: Int) -> [UInt64] {
        var sums = [UInt64](repeating: 0, count: owners)
        var current = PagePart()
        for block in blocks.sorted(by: { $0.address < $1.address }) {
            // A block of no bytes holds its page, too.
            let end = block.address &+ max(1, block.bytes)
            guard end > block.address else { continue }
            let first = block.address / page
            let last = (end - 1) / page
            if first != current.number { current.settle(into: &sums, next: first) }
            current.add(min(end - block.address, page - block.address % page), block.owner)
            if last > first {
                current.settle(into: &sums, next: last)
                current.add(end - last * page, block.owner)
            }
        }
        current.settle(into: &sums, next: 0)
        return sums
    }

    /// A page under way.
    private struct PagePart {
        var number: UInt64 = 0
        private var parts: [(owner: Int, bytes: UInt64)] = []

        mutating func add(_ bytes: UInt64, _ owner: Int) {
            if let index = parts.firstIndex(where: { $0.owner == owner }) {
                parts[index].bytes += bytes
            } else {
                parts.append((owner, bytes))
            }
        }

        /// Shares out what is in no block, and begins another page.
        mutating func settle(into sums: inout [UInt64], next: UInt64) {
            let used = parts.reduce(0) { $0 + $1.bytes }
            let hole = page - min(page, used)
            var left = hole
            for part in parts.dropFirst() {
                let share = hole * part.bytes / used
                sums[part.owner] += share
                left -= share
            }
            // Where the division leaves something over, it is the first one's.
            if let first = parts.first { sums[first.owner] += left }
            parts.removeAll(keepingCapacity: true)
            number = next
        }
    }
}
