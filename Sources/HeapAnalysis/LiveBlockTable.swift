// The blocks that are live at one moment of the pass: a hash table from address to block, in groups of eight slots.
// A word of tags, one byte of each slot's hash, says which slots of a group can hold an address and which are free, so that a look-up compares
// one address as a rule, whatever is in the table: it has no loop whose length a processor would have to guess. A block whose group is full goes
// to the next; its own group counts it as overflown, and a look-up goes on where that count is not 0. Removal clears a tag: no tombstones, and
// the cost depends on live blocks alone, never on how many events went through the table.
// One owner, no I/O; the memory is freed with the table.
internal import CMachine

/// A block that has been allocated and not yet freed.
struct LiveBlock {
    /// The block's address.
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
    private static let lowBits: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    private var slots: UnsafeMutablePointer<LiveBlock>
    /// A byte a slot: 0 where it is free, else the high bit and seven bits of the hash.
    private var tags: UnsafeMutablePointer<UInt64>
    /// Blocks of each group that lie in a later one; 255 stands for that or more and stays.
    private var overflown: UnsafeMutablePointer<UInt8>
    private var mask: Int
    private var shift: UInt64
    /// Live blocks held.
    private(set) var count = 0

    /// Makes an empty table with room for 2^`bits` groups of eight slots.
    init(bits: Int = 9) {
        slots = Self.slots(groups: 1 << bits)
        tags = .allocate(capacity: 1 << bits)
        tags.initialize(repeating: 0, count: 1 << bits)
        overflown = .allocate(capacity: 1 << bits)
        overflown.initialize(repeating: 0, count: 1 << bits)
        mask = 1 << bits - 1
        shift = UInt64(64 - bits)
    }

    deinit {
        slots.deallocate()
        tags.deallocate()
        overflown.deallocate()
    }

    /// Two to a cache line, none across two; a large table is read at random, where huge pages spare a walk of the page tables.
    private static func slots(groups: Int) -> UnsafeMutablePointer<LiveBlock> {
        let bytes = groups * 8 * MemoryLayout<LiveBlock>.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        if bytes >= 4 << 20 { ht_machine_prefer_huge_pages(memory, bytes) }
        return memory.bindMemory(to: LiveBlock.self, capacity: groups * 8)
    }

    /// Fibonacci hashing: blocks are at least 8-byte aligned, so the low bits carry nothing and the product's high bits are used.
    @inline(__always)
    private func hash(_ address: UInt64) -> UInt64 { (address &>> 3) &* 0x9E37_79B9_7F4A_7C15 }

    @inline(__always)
    private func group(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> shift) }

    /// The seven bits below those that tell the group, in every byte.
    @inline(__always)
    private func tag(_ hash: UInt64) -> UInt64 {
        (hash &>> (shift &- 7) & 0x7F | 0x80) &* Self.lowBits
    }

    /// The high bit of each byte of `tags` that may equal that of `tag`: of each that does, and seldom of one above it.
    @inline(__always)
    private static func matches(_ tags: UInt64, _ tag: UInt64) -> UInt64 {
        let difference = tags ^ tag
        return (difference &- lowBits) & ~difference & highBits
    }

    /// Fetches the tags that the next call about `address` will need; to be called well ahead.
    @inline(__always)
    func prefetchTags(_ address: UInt64) { ht_machine_prefetch(tags + group(hash(address))) }

    /// Fetches the slot of `address`, or the one it would get, as its tags tell them.
    @inline(__always)
    func prefetchSlot(_ address: UInt64) {
        let hash = hash(address)
        let group = group(hash)
        let known = Self.matches(tags[group], tag(hash))
        let wanted = known != 0 ? known : ~tags[group] & Self.highBits
        ht_machine_prefetch(slots + (group &* 8 &+ wanted.trailingZeroBitCount &>> 3))
    }

    /// The cell of the block that its tag says is at `address`; a guess worth a prefetch and no more.
    @inline(__always)
    func likelyCell(of address: UInt64) -> UInt32? {
        let hash = hash(address)
        let group = group(hash)
        let known = Self.matches(tags[group], tag(hash))
        return known == 0 ? nil : slots[group &* 8 &+ known.trailingZeroBitCount &>> 3].cell
    }

    /// The slot that holds `address`, or nil. Expected O(1).
    @inline(__always)
    func slot(of address: UInt64) -> Int? {
        let hash = hash(address)
        let tag = tag(hash)
        var group = group(hash)
        while true {
            var candidates = Self.matches(tags[group], tag)
            while candidates != 0 {
                let slot = group &* 8 &+ candidates.trailingZeroBitCount &>> 3
                if slots[slot].address == address { return slot }
                candidates &= candidates &- 1
            }
            if overflown[group] == 0 { return nil }
            group = (group &+ 1) & mask
        }
    }

    /// The block in `slot`, which `slot(of:)` must have returned with no change of the table since.
    @inline(__always)
    subscript(slot: Int) -> LiveBlock { slots[slot] }

    /// Adds a block, unless its address is live already: then the table is unchanged and the slot of the older block is returned. Expected O(1).
    ///
    /// Its parts come one by one: a whole block would be put together on the stack, and reading it back right then waits until every store
    /// before it is done, forty cycles an allocation.
    @inline(__always)
    mutating func insert(address: UInt64, size: UInt64, time: UInt64, cell: UInt32, weight: Float) -> Int? {
        if let slot = slot(of: address) { return slot }
        let place = slots + takeSlot(address)
        place.pointee.address = address
        place.pointee.size = size
        place.pointee.time = time
        place.pointee.cell = cell
        place.pointee.weight = weight
        count &+= 1
        if count &* 2 > (mask &+ 1) &* 11 { grow() }
        return nil
    }

    /// As the other, of a block that lies in memory already.
    mutating func insert(_ block: LiveBlock) -> Int? {
        insert(address: block.address, size: block.size, time: block.time, cell: block.cell, weight: block.weight)
    }

    /// Takes a slot for an address that is not in the table: in its group, or the first later one that has a free slot.
    @inline(__always)
    private mutating func takeSlot(_ address: UInt64) -> Int {
        let hash = hash(address)
        var group = group(hash)
        while true {
            let free = ~tags[group] & Self.highBits
            if free != 0 {
                let byte = free.trailingZeroBitCount &>> 3
                tags[group] |= tag(hash) & (0xFF &<< UInt64(byte &* 8))
                return group &* 8 &+ byte
            }
            if overflown[group] != .max { overflown[group] &+= 1 }
            group = (group &+ 1) & mask
        }
    }

    /// Puts `block` in the place of the one in `slot`, which has the same address.
    mutating func replace(slot: Int, with block: LiveBlock) { slots[slot] = block }

    /// Removes the block in `slot`. Expected O(1).
    @inline(__always)
    mutating func remove(slot: Int) {
        tags[slot &>> 3] &= ~(0xFF &<< UInt64((slot & 7) &* 8))
        count &-= 1
        var group = group(hash(slots[slot].address))
        while group != slot &>> 3 {
            if overflown[group] != .max { overflown[group] &-= 1 }
            group = (group &+ 1) & mask
        }
    }

    /// Delivers every live block once, in no order that means anything. O(capacity).
    func forEach(_ body: (LiveBlock) -> Void) {
        for group in 0...mask {
            var held = tags[group] & Self.highBits
            while held != 0 {
                body(slots[group * 8 + held.trailingZeroBitCount / 8])
                held &= held - 1
            }
        }
    }

    @inline(never)
    private mutating func grow() {
        var larger = LiveBlockTable(bits: (mask + 1).trailingZeroBitCount + 1)
        forEach { larger.slots[larger.takeSlot($0.address)] = $0 }
        larger.count = count
        swap(&self, &larger)
    }
}
