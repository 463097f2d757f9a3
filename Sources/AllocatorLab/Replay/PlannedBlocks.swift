// The live blocks of a trace by address, as the planner needs them: open addressing with linear probing, 24 bytes a place, no tombstones
// (Knuth, TAOCP 6.4, algorithm R).

/// Finds the slot of a block by its address in the traced program.
struct PlannedBlocks: ~Copyable {
    private struct Entry {
        var address: UInt64
        var block: PlannedBlock

        /// A place without a block. Any address can be a block's, 0 too: what a trace says is not for this table to judge.
        static var empty: Entry { Entry(address: 0, block: PlannedBlock(slot: 0, stream: .max, operations: 0)) }
        var isEmpty: Bool {
            @inline(__always) get { block.stream == .max }
        }
    }

    private var entries: UnsafeMutablePointer<Entry>
    private var bits = 12
    private(set) var count = 0

    init() { entries = Self.empty(bits: 12) }

    deinit { entries.deallocate() }

    private static func empty(bits: Int) -> UnsafeMutablePointer<Entry> {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: 1 << bits)
        entries.initialize(repeating: .empty, count: 1 << bits)
        return entries
    }

    @inline(__always)
    private func home(_ address: UInt64) -> Int {
        Int(truncatingIfNeeded: (address &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - bits))
    }

    @inline(__always)
    private func place(of address: UInt64) -> Int {
        let mask = (1 << bits) - 1
        var place = home(address)
        while !entries[place].isEmpty, entries[place].address != address { place = (place + 1) & mask }
        return place
    }

    /// Puts a block in, or another one in its place. Expected O(1).
    mutating func insert(_ block: PlannedBlock, at address: UInt64) {
        if (count + 1) * 4 > 3 << bits { grow() }
        let place = place(of: address)
        if entries[place].isEmpty { count += 1 }
        entries[place] = Entry(address: address, block: block)
    }

    /// Takes a block out; nil where none is at the address. Expected O(1).
    mutating func remove(_ address: UInt64) -> PlannedBlock? {
        var hole = place(of: address)
        guard !entries[hole].isEmpty else { return nil }
        let block = entries[hole].block
        let mask = (1 << bits) - 1
        var next = hole
        while true {
            next = (next + 1) & mask
            guard !entries[next].isEmpty else { break }
            // It may move to the hole unless its home lies behind that.
            if (next - home(entries[next].address)) & mask >= (next - hole) & mask {
                entries[hole] = entries[next]
                hole = next
            }
        }
        entries[hole] = .empty
        count -= 1
        return block
    }

    private mutating func grow() {
        let old = entries
        let places = 1 << bits
        bits += 1
        entries = Self.empty(bits: bits)
        for index in 0..<places where !old[index].isEmpty { entries[place(of: old[index].address)] = old[index] }
        old.deallocate()
    }
}
