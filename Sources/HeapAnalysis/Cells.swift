// The cells of a pass: one per distinct (stack, type) and, only when a grouping asks for it, size and thread. Each holds the sums that rows are
// made of. A hash index of 32-bit cell numbers lies over one flat buffer; cells are numbered by first use, so the same trace gives the same cells.
// Keys of a stack alone, which are nearly all, are looked up in an array by the stack's id.
internal import CMachine

/// What makes two allocations fall into one cell. Parts that the grouping does not ask for are 0.
struct CellKey: Hashable {
    /// The stack's id in its image, 0 when none was recorded.
    var stack: UInt32
    /// Serial of the thread that allocated.
    var thread: UInt32
    /// Bytes asked for and, above them, the alignment code: see `sizePart`.
    var size: UInt64
    /// Id of the runtime type the recorder saw, 0 for none.
    var type: UInt64
    /// What the order of events told of the cause, where frames do not.
    var order = OrderCause.none

    private static let alignmentShift: UInt64 = 48

    /// A size below 2^48 and an alignment code as one part of a key.
    @inline(__always)
    static func sizePart(_ size: UInt64, alignmentCode: UInt8) -> UInt64 {
        size | UInt64(alignmentCode) &<< alignmentShift
    }

    /// Bytes asked for, of a key that keeps them apart.
    var bytesAsked: Int { Int(size & (1 << Self.alignmentShift - 1)) }
    /// The alignment code, of a key that keeps sizes apart.
    var alignmentCode: UInt8 { UInt8(truncatingIfNeeded: size >> Self.alignmentShift) }
}

/// A block's part in the sums of its cell.
struct BlockAmount {
    var bytes: Int
    /// Usable bytes less bytes asked for, negative when not known.
    var slack: Int
    /// Whether it was live at the last peak.
    var wasAtPeak: Bool
}

/// Sums over the allocations of one cell, in `HeapLedger.units`.
struct Cell {
    let key: CellKey
    var allocations = 0
    var frees = 0
    var bytes = 0
    var liveBlocks = 0
    var liveBytes = 0
    var temporary = 0
    var slackBytes = 0
    /// Allocations whose usable size was not known; with any of them the cell's slack is not known.
    var withoutSlack = 0
    /// `liveBytes` when the peak of number `peakNumber` was reached. Stands for the last peak only when the numbers agree; otherwise the
    /// cell has not changed since that peak and `liveBytes` is the value.
    var bytesAtPeak = 0
    var blocksAtPeak = 0
    var peakNumber = 0

    init(key: CellKey) { self.key = key }

    /// Counts a live block in or, with a `sign` of -1, out.
    fileprivate mutating func count(_ block: BlockAmount, _ sign: Int, peak: Int) {
        keepPeak(peak)
        allocations &+= sign
        bytes &+= sign &* block.bytes
        liveBlocks &+= sign
        liveBytes &+= sign &* block.bytes
        if block.slack >= 0 { slackBytes &+= sign &* block.slack } else { withoutSlack &+= sign }
        if block.wasAtPeak {
            bytesAtPeak &+= sign &* block.bytes
            blocksAtPeak &+= sign
        }
    }

    /// To be called before every change of the live sums: keeps the value the last peak saw.
    @inline(__always)
    mutating func keepPeak(_ number: Int) {
        if peakNumber != number {
            peakNumber = number
            bytesAtPeak = liveBytes
            blocksAtPeak = liveBlocks
        }
    }
}

struct CellTable: ~Copyable {
    private(set) var cells: UnsafeMutablePointer<Cell>
    private var capacity = 1024
    /// Cells in use; they are numbered from 0.
    private(set) var count = 0
    private var index: UnsafeMutablePointer<UInt32>
    private var mask = 2047
    private var shift: UInt64 = 53
    /// Cells of keys that are a stack alone, by its id; `unused` where there is none. Ids far beyond the number of cells have no place here.
    private var near: UnsafeMutablePointer<UInt32>
    private var nearCount = 1024

    private static let unused = UInt32.max

    init() {
        cells = .allocate(capacity: capacity)
        index = .allocate(capacity: mask + 1)
        index.initialize(repeating: Self.unused, count: mask + 1)
        near = .allocate(capacity: nearCount)
        near.initialize(repeating: Self.unused, count: nearCount)
    }

    deinit {
        cells.deallocate()
        index.deallocate()
        near.deallocate()
    }

    /// Whether a key is a stack alone and has its place in `near`, if that is long enough.
    @inline(__always)
    private func isPlain(_ key: CellKey) -> Bool {
        key.size | key.type | UInt64(key.thread) | UInt64(key.order.rawValue) == 0
    }

    /// Fetches the cell that an allocation from `stack` will be counted in, where it is one by stack alone.
    @inline(__always)
    func prefetch(stack: UInt32) {
        guard Int(stack) < nearCount, near[Int(stack)] != Self.unused else { return }
        prefetch(number: near[Int(stack)])
    }

    /// Fetches a cell, which takes two lines.
    @inline(__always)
    func prefetch(number: UInt32) {
        ht_machine_prefetch(cells + Int(number))
        ht_machine_prefetch(UnsafeRawPointer(cells + Int(number)) + 64)
    }

    @inline(__always)
    private func home(_ key: CellKey) -> Int {
        var hash = (UInt64(key.stack) | UInt64(key.thread) &<< 32) &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash &>> 32
        hash = (hash ^ key.size ^ (key.type &<< 20)) &* 0xD6E8_FEB8_6659_FD93
        return Int(truncatingIfNeeded: hash &>> shift)
    }

    /// The number of the cell for `key`, made when it is new. Expected O(1).
    @inline(__always)
    mutating func cell(for key: CellKey) -> UInt32 {
        if isPlain(key), Int(key.stack) < nearCount {
            let number = near[Int(key.stack)]
            if number != Self.unused { return number }
        }
        var slot = home(key)
        while true {
            let number = index[slot]
            if number == Self.unused { return add(key, at: slot) }
            if cells[Int(number)].key == key { return number }
            slot = (slot &+ 1) & mask
        }
    }

    /// Moves a live block from a cell to the one that differs from it by what the order of events told. Expected O(1).
    /// - Returns: the number of that cell.
    mutating func move(_ block: BlockAmount, from number: UInt32, to order: OrderCause, peak: Int) -> UInt32 {
        var key = cells[Int(number)].key
        key.order = order
        let target = cell(for: key)
        cells[Int(number)].count(block, -1, peak: peak)
        cells[Int(target)].count(block, 1, peak: peak)
        return target
    }

    @inline(never)
    private mutating func add(_ key: CellKey, at slot: Int) -> UInt32 {
        if count == capacity {
            let larger = UnsafeMutablePointer<Cell>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: cells, count: count)
            cells.deallocate()
            cells = larger
            capacity *= 2
        }
        let number = UInt32(count)
        (cells + count).initialize(to: Cell(key: key))
        index[slot] = number
        count += 1
        if isPlain(key) { note(stack: key.stack, number) }
        if count * 2 > mask + 1 { growIndex() }
        return number
    }

    private mutating func note(stack: UInt32, _ number: UInt32) {
        if Int(stack) >= nearCount {
            guard Int(stack) < 4 * count + 1024 else { return }
            var larger = nearCount
            while larger <= Int(stack) { larger *= 2 }
            let old = near
            near = .allocate(capacity: larger)
            near.update(from: old, count: nearCount)
            (near + nearCount).initialize(repeating: Self.unused, count: larger - nearCount)
            old.deallocate()
            nearCount = larger
            // Cells of those stacks that had no place until now are found by the index; they need none.
        }
        near[Int(stack)] = number
    }

    private mutating func growIndex() {
        index.deallocate()
        mask = mask * 2 + 1
        shift -= 1
        index = .allocate(capacity: mask + 1)
        index.initialize(repeating: Self.unused, count: mask + 1)
        for number in 0..<count {
            var slot = home(cells[number].key)
            while index[slot] != Self.unused { slot = (slot &+ 1) & mask }
            index[slot] = UInt32(number)
        }
    }
}
