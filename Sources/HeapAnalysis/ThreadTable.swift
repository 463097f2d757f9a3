// What the pass knows of each thread: its event counts, and the block it allocated last if that is still its latest event (which is what makes
// a free "temporary"). Serials are small and dense in real traces; a flat map serves them, a dictionary whatever else a file may contain.

/// Events of one thread. Counts are of events, whoever owned the blocks.
struct ThreadCounts {
    var serial: UInt32
    var allocations = 0
    var frees = 0
    var bytes = 0
    /// Address of the allocation that was this thread's latest event, else `noAllocation`.
    var lastAllocation = ThreadCounts.noAllocation
    /// Time of that allocation: tells its block from a later one at the same address.
    var lastAllocationTime: UInt64 = 0

    /// Stands for "the latest event was a free, or there was none".
    static let noAllocation: UInt64 = 1
}

struct ThreadTable: ~Copyable {
    private static let directLimit: UInt32 = 1 << 20
    private static let unused = UInt32.max

    private(set) var states: UnsafeMutablePointer<ThreadCounts>
    private(set) var count = 0
    private var capacity = 64
    private var direct: [UInt32] = []
    private var others: [UInt32: UInt32] = [:]
    private var lastSerial: UInt32 = 0
    private var lastIndex = -1

    init() { states = .allocate(capacity: capacity) }

    deinit { states.deallocate() }

    /// The index in `states` of the thread with `serial`. O(1).
    @inline(__always)
    mutating func index(of serial: UInt32) -> Int {
        if serial == lastSerial, lastIndex >= 0 { return lastIndex }
        return find(serial)
    }

    @inline(never)
    private mutating func find(_ serial: UInt32) -> Int {
        var index = Self.unused
        if serial < Self.directLimit {
            if Int(serial) >= direct.count {
                direct.append(contentsOf: repeatElement(Self.unused, count: Int(serial) + 1 - direct.count))
            }
            index = direct[Int(serial)]
            if index == Self.unused {
                index = add(serial)
                direct[Int(serial)] = index
            }
        } else {
            index = others[serial] ?? add(serial)
            others[serial] = index
        }
        lastSerial = serial
        lastIndex = Int(index)
        return lastIndex
    }

    private mutating func add(_ serial: UInt32) -> UInt32 {
        if count == capacity {
            let larger = UnsafeMutablePointer<ThreadCounts>.allocate(capacity: capacity * 2)
            larger.moveInitialize(from: states, count: count)
            states.deallocate()
            states = larger
            capacity *= 2
        }
        (states + count).initialize(to: ThreadCounts(serial: serial))
        count += 1
        return UInt32(count - 1)
    }
}
