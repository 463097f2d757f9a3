// Free ranges of a simulated address space, ordered by size and then by address: what best fit asks, in O(log n).
//
// A zip tree (Tarjan, Levy, Timmel: "Zip Trees", 2019): a binary search tree that is a heap by rank, as a skip list is by level. Ranks come from a hash
// of the key, so the same ranges make the same tree. swift-collections has a sorted set only as an unstable draft.

/// A range of addresses.
struct AddressRange: Hashable {
    /// Its first address.
    var address: UInt64
    /// Its bytes, at least 1.
    var size: UInt64
    /// The first address behind it.
    var end: UInt64 { address + size }

    /// Whether it comes before `other` in the order of sizes, and of addresses among equal sizes.
    @inline(__always)
    func precedes(_ other: AddressRange) -> Bool {
        size != other.size ? size < other.size : address < other.address
    }
}

/// A set of ranges in the order of their sizes.
struct FreeRangeTree {
    private struct Node {
        var range: AddressRange
        var left: Int32
        var right: Int32
        var rank: UInt8
    }

    private static let none: Int32 = -1

    private var nodes: [Node] = []
    /// The first of the nodes that are not in use, which are chained by `left`.
    private var spare = none
    private var root = none
    /// How many ranges there are.
    private(set) var count = 0

    /// Puts a range in that must not be there yet. Expected O(log n).
    mutating func insert(_ range: AddressRange) {
        let rank = Self.rank(of: range)
        var previous = Self.none
        var current = root
        while current != Self.none, isAbove(current, rank: rank, range) {
            previous = current
            current = range.precedes(self[current].range) ? self[current].left : self[current].right
        }
        let new = makeNode(range, rank)
        if previous == Self.none {
            root = new
        } else if range.precedes(self[previous].range) {
            self[previous].left = new
        } else {
            self[previous].right = new
        }
        count += 1
        unzip(current, below: new)
    }

    /// Whether the node stands above a new one of `rank`.
    private func isAbove(_ node: Int32, rank: UInt8, _ range: AddressRange) -> Bool {
        let other = self[node].rank
        return rank < other || (rank == other && self[node].range.precedes(range))
    }

    /// Parts the tree under `top` into what comes before the new node's range and what comes after it.
    private mutating func unzip(_ top: Int32, below new: Int32) {
        let range = self[new].range
        var current = top
        var before = new
        var after = new
        while current != Self.none {
            if self[current].range.precedes(range) {
                if before == new { self[new].left = current } else { self[before].right = current }
                before = current
                current = self[current].right
            } else {
                if after == new { self[new].right = current } else { self[after].left = current }
                after = current
                current = self[current].left
            }
        }
        if before != new { self[before].right = Self.none }
        if after != new { self[after].left = Self.none }
    }

    /// Takes a range out. Expected O(log n).
    /// - Returns: whether it was there.
    @discardableResult
    mutating func remove(_ range: AddressRange) -> Bool {
        var previous = Self.none
        var current = root
        while current != Self.none, self[current].range != range {
            previous = current
            current = range.precedes(self[current].range) ? self[current].left : self[current].right
        }
        guard current != Self.none else { return false }
        let below = zip(self[current].left, self[current].right)
        if previous == Self.none {
            root = below
        } else if self[previous].left == current {
            self[previous].left = below
        } else {
            self[previous].right = below
        }
        dropNode(current)
        count -= 1
        return true
    }

    /// Joins two trees of which all of `left` comes before all of `right`.
    private mutating func zip(_ left: Int32, _ right: Int32) -> Int32 {
        var (left, right) = (left, right)
        var top = Self.none
        var hook = Self.none
        var hangsLeft = false
        while left != Self.none || right != Self.none {
            let takesLeft =
                right == Self.none || (left != Self.none && self[left].rank >= self[right].rank)
            let next = takesLeft ? left : right
            if hook == Self.none {
                top = next
            } else if hangsLeft {
                self[hook].left = next
            } else {
                self[hook].right = next
            }
            if right == Self.none || left == Self.none { break }
            hook = next
            hangsLeft = !takesLeft
            if takesLeft { left = self[left].right } else { right = self[right].left }
        }
        return top
    }

    /// The smallest range of at least `size` bytes, the lowest of equal ones. Expected O(log n).
    func first(atLeast size: UInt64) -> AddressRange? { first(from: AddressRange(address: 0, size: size)) }

    /// The range that comes next after `range`. Expected O(log n).
    func next(after range: AddressRange) -> AddressRange? {
        first(from: AddressRange(address: range.address + 1, size: range.size))
    }

    private func first(from bound: AddressRange) -> AddressRange? {
        var found: AddressRange?
        var current = root
        while current != Self.none {
            let range = self[current].range
            if range.precedes(bound) {
                current = self[current].right
            } else {
                found = range
                current = self[current].left
            }
        }
        return found
    }

    /// All ranges in order. O(n).
    var ranges: [AddressRange] {
        var result: [AddressRange] = []
        var open: [Int32] = []
        var current = root
        while current != Self.none || !open.isEmpty {
            while current != Self.none {
                open.append(current)
                current = self[current].left
            }
            let node = open.removeLast()
            result.append(self[node].range)
            current = self[node].right
        }
        return result
    }

    /// What is wrong with the tree: order, ranks or count; nil when nothing is. O(n).
    var violation: String? {
        let ranges = ranges
        if ranges.count != count { return "\(ranges.count) ranges where \(count) were counted" }
        for (first, second) in Swift.zip(ranges, ranges.dropFirst()) where !first.precedes(second) {
            return "\(first) stands before \(second)"
        }
        for node in reachable {
            let (left, right) = (self[node].left, self[node].right)
            // Ties go up to the smaller key, so that a left child's rank is lower.
            if left != Self.none, self[left].rank >= self[node].rank {
                return "a left child outranks \(self[node].range)"
            }
            if right != Self.none, self[right].rank > self[node].rank {
                return "a right child outranks \(self[node].range)"
            }
        }
        return nil
    }

    private var reachable: [Int32] {
        var result: [Int32] = root == Self.none ? [] : [root]
        var next = 0
        while next < result.count {
            let node = self[result[next]]
            if node.left != Self.none { result.append(node.left) }
            if node.right != Self.none { result.append(node.right) }
            next += 1
        }
        return result
    }

    // MARK: - Nodes

    private subscript(node: Int32) -> Node {
        @inline(__always) get { nodes[Int(node)] }
        @inline(__always) _modify { yield &nodes[Int(node)] }
    }

    private mutating func makeNode(_ range: AddressRange, _ rank: UInt8) -> Int32 {
        let node = Node(range: range, left: Self.none, right: Self.none, rank: rank)
        if spare == Self.none {
            nodes.append(node)
            return Int32(nodes.count - 1)
        }
        let number = spare
        spare = self[number].left
        self[number] = node
        return number
    }

    private mutating func dropNode(_ number: Int32) {
        self[number].left = spare
        spare = number
    }

    /// A rank as of a skip list: 0 for half of all ranges, 1 for a quarter, and so on.
    private static func rank(of range: AddressRange) -> UInt8 {
        // The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
        var hash = range.address &+ range.size &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return UInt8((hash ^ hash >> 31).trailingZeroBitCount)
    }
}
