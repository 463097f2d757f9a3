// Order repair by address. Two threads' stamps may be skewed, coarse, or taken early (a processor runs its counter's read ahead of a load that it
// waits for), so the events of one address can be read in an order in which they cannot have happened. Two cases, each bounded by a window of events:
//
// - An ALLOC of a live address. The allocator cannot have handed it out: the older block is dead, its FREE is merely late. The block is
//   closed at once and its FREE is *owed*; one that does not come is reported as missing.
// - A FREE of an address at which nothing lives, and then the ALLOC by another thread that it must have followed. The FREE is kept as *early* and
//   closes the block as soon as it appears; one whose block does not come is reported as unmatched.
//
// Program order decides what is ambiguous: a thread's own events are never out of order, so a thread that allocated the live block and then frees
// its address frees that block, and a FREE is never early for an ALLOC of its own thread. Nothing is dropped silently.
internal import DequeModule

struct OrderRepair {
    /// A FREE that was not seen yet for a block that is already closed.
    struct OwedFree {
        /// The cell of the closed block.
        var cell: UInt32
        var weight: Float
        /// Number of the event that closed the block.
        var event: UInt64
    }

    /// A FREE of an address at which no block was known.
    struct EarlyFree {
        /// The thread that freed.
        var thread: UInt32
        /// Its stamp, in ticks.
        var time: UInt64
        /// Number of the event.
        var event: UInt64
    }

    private struct Owing {
        /// The thread that allocated the block that now lives there.
        var liveThread: UInt32
        var frees: Deque<OwedFree>
    }

    /// Ticks by which a FREE may precede its block: a tenth of a millisecond of a processor's counter, a hundred times what was seen. Beyond
    /// that an unknown block was freed, and its address used again.
    static let largestSkew: UInt64 = 1 << 18

    /// Events to wait for what is owed, and to keep what is early.
    let window: UInt64
    private var owing: [UInt64: Owing] = [:]
    private var early: [UInt64: Deque<EarlyFree>] = [:]
    /// Every debt and early FREE in the order of their events, settled ones included until the window has passed them.
    private var order: Deque<(address: UInt64, event: UInt64)> = []
    /// FREEs that never came.
    private(set) var missing = 0
    /// FREEs whose block never came.
    private(set) var unmatched = 0

    init(window: UInt64) { self.window = window }

    /// Whether nothing is pending: the hot path asks nothing else.
    @inline(__always)
    var isIdle: Bool { order.isEmpty }

    /// Notes that the block at `address` was closed because `thread` allocated the address anew.
    mutating func owe(_ owed: OwedFree, at address: UInt64, liveThread thread: UInt32) {
        if window == 0 {
            missing += 1
            return
        }
        owing[address, default: Owing(liveThread: thread, frees: [])].frees.append(owed)
        owing[address]?.liveThread = thread
        order.append((address, owed.event))
    }

    /// Notes a FREE of an address at which no block is known.
    mutating func keep(_ free: EarlyFree, at address: UInt64) {
        if window == 0 {
            unmatched += 1
            return
        }
        early[address, default: []].append(free)
        order.append((address, free.event))
    }

    /// Notes that `thread` allocated an address that was not live.
    mutating func allocated(_ address: UInt64, by thread: UInt32) { owing[address]?.liveThread = thread }

    /// Takes the early FREE that means a block that `thread` allocates at `time`, if there is one.
    mutating func takeEarly(_ address: UInt64, for thread: UInt32, at time: UInt64) -> EarlyFree? {
        guard var frees = early[address],
            let index = frees.firstIndex(where: { $0.thread != thread && time &- $0.time <= Self.largestSkew })
        else { return nil }
        let free = frees.remove(at: index)
        early[address] = frees.isEmpty ? nil : frees
        return free
    }

    /// Takes the debt that a FREE by `thread` settles, or nil when the FREE means the live block or none.
    mutating func settle(_ address: UInt64, by thread: UInt32, isLive: Bool) -> OwedFree? {
        guard var entry = owing[address] else { return nil }
        if isLive, entry.liveThread == thread { return nil }
        let owed = entry.frees.removeFirst()
        owing[address] = entry.frees.isEmpty ? nil : entry
        return owed
    }

    /// Gives up what has been pending for longer than the window at event number `event`.
    @inline(never)
    mutating func expire(at event: UInt64) {
        while let oldest = order.first, oldest.event &+ window < event {
            order.removeFirst()
            giveUp(oldest.address, event: oldest.event)
        }
    }

    /// Gives up everything that is still pending.
    mutating func finish() {
        while let oldest = order.popFirst() { giveUp(oldest.address, event: oldest.event) }
    }

    private mutating func giveUp(_ address: UInt64, event: UInt64) {
        if var entry = owing[address], entry.frees.first?.event == event {
            entry.frees.removeFirst()
            missing += 1
            owing[address] = entry.frees.isEmpty ? nil : entry
        }
        if var frees = early[address], let index = frees.firstIndex(where: { $0.event == event }) {
            frees.remove(at: index)
            unmatched += 1
            early[address] = frees.isEmpty ? nil : frees
        }
    }
}
