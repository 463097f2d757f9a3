// Sizes by address: a hash table of two numbers a slot, for the look-ups that every simulated free makes. Open addressing with linear probing; what is
// taken out is closed by moving later entries back (Knuth, TAOCP 6.4, algorithm R), so that no marks pile up.

/// A map from addresses to sizes above 0.
struct AddressTable {
    private struct Slot {
        var address: UInt64
        /// 0 in a slot without an entry.
        var size: UInt64
    }

    private var slots = [Slot](repeating: Slot(address: 0, size: 0), count: 16)
    /// How many entries there are.
    private(set) var count = 0

    /// Where an address is looked for first: Fibonacci hashing (Knuth, TAOCP 6.4), for addresses are multiples of 16 and more.
    @inline(__always)
    private func home(_ address: UInt64) -> Int {
        Int((address &* 0x9E37_79B9_7F4A_7C15) >> UInt64(slots.count.leadingZeroBitCount + 1))
    }

    /// The size at an address, nil without one. Expected O(1).
    subscript(address: UInt64) -> UInt64? {
        let mask = slots.count - 1
        var at = home(address)
        while slots[at].size != 0 {
            if slots[at].address == address { return slots[at].size }
            at = (at + 1) & mask
        }
        return nil
    }

    /// Puts in an address that is not there. Expected O(1), amortised.
    mutating func insert(_ address: UInt64, _ size: UInt64) {
        if count * 2 >= slots.count { grow() }
        let mask = slots.count - 1
        var at = home(address)
        while slots[at].size != 0 { at = (at + 1) & mask }
        slots[at] = Slot(address: address, size: size)
        count += 1
    }

    /// Takes out an address that is there. Expected O(1).
    mutating func remove(_ address: UInt64) {
        let mask = slots.count - 1
        var hole = home(address)
        while slots[hole].address != address || slots[hole].size == 0 {
            if slots[hole].size == 0 { return }
            hole = (hole + 1) & mask
        }
        count -= 1
        var next = hole
        while true {
            next = (next + 1) & mask
            if slots[next].size == 0 { break }
            // An entry may move back to the hole unless its home lies behind it.
            if (next &- home(slots[next].address)) & mask >= (next &- hole) & mask {
                slots[hole] = slots[next]
                hole = next
            }
        }
        slots[hole].size = 0
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(address: 0, size: 0), count: old.count * 2)
        count = 0
        for slot in old where slot.size != 0 { insert(slot.address, slot.size) }
    }
}
