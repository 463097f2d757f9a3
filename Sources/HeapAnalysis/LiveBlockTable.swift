// The blocks that are live at one moment of the pass: an open-addressing table from address to block.
// Linear probing over one unsafe buffer, grown by doubling at five eighths full; removal shifts the run back, so there are no
// tombstones and the table's cost depends on live blocks alone, never on how many events went through it.
// One owner, no I/O; the buffer is freed with the table.

/// A block that has been allocated and not yet freed.
struct LiveBlock {
    /// The block's address; `LiveBlockTable.empty` marks a free slot.
    var address: UInt64
    /// Bytes asked for.
    var size: UInt64
    /// Time of the allocation, in ticks.
    var time: UInt64
    /// The cell its allocation was counted in.
    var cell: UInt32
    /// How many allocations it stands for in a sampled trace, else 1.
    var weight: Float

    /// Whether both stand for the same allocation.
    func isSame(as other: LiveBlock) -> Bool {
        address == other.address && time == other.time && size == other.size && cell == other.cell
    }
}

struct LiveBlockTable: ~Copyable {
    /// The address that marks a free slot. A block at this address is kept at `zeroStandIn` instead.
    static let empty: UInt64 = 0
    private static let zeroStandIn = UInt64.max

    private var slots: UnsafeMutablePointer<LiveBlock>
    private var mask: Int
    private var shift: UInt64
    /// Live blocks held.
    private(set) var count = 0

    /// Makes an empty table with room for 2^`bits` slots.
    init(bits: Int = 12) {
        let capacity = 1 << bits
        slots = Self.emptySlots(capacity)
        mask = capacity - 1
        shift = UInt64(64 - bits)
    }

    deinit { slots.deallocate() }

    private static func emptySlots(_ capacity: Int) -> UnsafeMutablePointer<LiveBlock> {
        let slots = UnsafeMutablePointer<LiveBlock>.allocate(capacity: capacity)
        slots.initialize(repeating: LiveBlock(address: empty, size: 0, time: 0, cell: 0, weight: 0), count: capacity)
        return slots
    }

    @inline(__always)
    private static func key(_ address: UInt64) -> UInt64 { address == empty ? zeroStandIn : address }

    /// Fibonacci hashing: blocks are at least 8-byte aligned, so the low bits carry nothing and the product's high bits are used.
    @inline(__always)
    private func home(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: ((key &>> 3) &* 0x9E37_79B9_7F4A_7C15) &>> shift)
    }

    /// The slot that holds `address`, or nil. Expected O(1).
    @inline(__always)
    func slot(of address: UInt64) -> Int? {
        let key = Self.key(address)
        var index = home(key)
        while true {
            let found = slots[index].address
            if found == key { return index }
            if found == Self.empty { return nil }
            index = (index &+ 1) & mask
        }
    }

    /// The block in `slot`, which `slot(of:)` must have returned with no change of the table since.
    @inline(__always)
    subscript(slot: Int) -> LiveBlock {
        get { slots[slot] }
    }

    /// Adds `block`, unless its address is live already: then the table is unchanged and the slot of the older block is returned. Expected O(1).
    @inline(__always)
    mutating func insert(_ block: LiveBlock) -> Int? {
        var block = block
        block.address = Self.key(block.address)
        var index = home(block.address)
        while true {
            let found = slots[index].address
            if found == Self.empty { break }
            if found == block.address { return index }
            index = (index &+ 1) & mask
        }
        slots[index] = block
        count &+= 1
        if count &* 8 > (mask &+ 1) &* 5 { grow() }
        return nil
    }

    /// Puts `block` in the place of the one in `slot`, which has the same address.
    mutating func replace(slot: Int, with block: LiveBlock) {
        var block = block
        block.address = slots[slot].address
        slots[slot] = block
    }

    /// Removes the block in `slot` and closes the gap. Expected O(1).
    @inline(__always)
    mutating func remove(slot: Int) {
        var gap = slot
        var next = (slot &+ 1) & mask
        while slots[next].address != Self.empty {
            let wanted = home(slots[next].address)
            // The block may move into the gap when its home is not between the gap and where it sits.
            if (next &- wanted) & mask >= (next &- gap) & mask {
                slots[gap] = slots[next]
                gap = next
            }
            next = (next &+ 1) & mask
        }
        slots[gap].address = Self.empty
        count &-= 1
    }

    /// Delivers every live block once, in no order that means anything. O(capacity).
    func forEach(_ body: (LiveBlock) -> Void) {
        for index in 0...mask where slots[index].address != Self.empty {
            var block = slots[index]
            if block.address == Self.zeroStandIn { block.address = 0 }
            body(block)
        }
    }

    @inline(never)
    private mutating func grow() {
        let old = slots
        let oldCapacity = mask + 1
        slots = Self.emptySlots(oldCapacity * 2)
        mask = oldCapacity * 2 - 1
        shift -= 1
        for index in 0..<oldCapacity where old[index].address != Self.empty {
            var target = home(old[index].address)
            while slots[target].address != Self.empty { target = (target &+ 1) & mask }
            slots[target] = old[index]
        }
        old.deallocate()
    }
}
