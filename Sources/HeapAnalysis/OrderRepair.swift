// Order repair by address. Two threads' clocks may be skewed or coarse, so an ALLOC can be read before the FREE that made its address free.
// The allocator cannot have handed out a live address: the older block is dead, its FREE is merely late. It is closed at once and its FREE is
// *owed*. An owed FREE that does not come within a window of events is reported as missing; nothing is dropped silently.
//
// Which block a FREE of such an address means follows from program order: a thread that allocated the live block and then frees the address
// frees that block; any other thread settles the oldest debt first.
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

    private struct Address {
        /// The thread that allocated the block that now lives there.
        var liveThread: UInt32
        var owed: Deque<OwedFree>
    }

    /// Events to wait for an owed FREE.
    let window: UInt64
    private var addresses: [UInt64: Address] = [:]
    private var order: Deque<(address: UInt64, event: UInt64)> = []
    /// FREEs that never came.
    private(set) var missing = 0

    init(window: UInt64) { self.window = window }

    /// Whether no FREE is owed: the hot path asks nothing else.
    @inline(__always)
    var isIdle: Bool { order.isEmpty }

    /// Notes that the block at `address` was closed because `thread` allocated the address anew.
    mutating func owe(_ owed: OwedFree, at address: UInt64, liveThread thread: UInt32) {
        if window == 0 {
            missing += 1
            return
        }
        addresses[address, default: Address(liveThread: thread, owed: [])].owed.append(owed)
        addresses[address]?.liveThread = thread
        order.append((address, owed.event))
    }

    /// Notes that `thread` allocated an address that was not live.
    mutating func allocated(_ address: UInt64, by thread: UInt32) {
        addresses[address]?.liveThread = thread
    }

    /// Takes the debt that a FREE by `thread` settles, or nil when the FREE means the live block.
    mutating func settle(_ address: UInt64, by thread: UInt32, isLive: Bool) -> OwedFree? {
        guard var entry = addresses[address] else { return nil }
        if isLive, entry.liveThread == thread { return nil }
        let owed = entry.owed.removeFirst()
        if entry.owed.isEmpty { addresses[address] = nil } else { addresses[address] = entry }
        return owed
    }

    /// Gives up the FREEs that were owed for longer than the window at event number `event`.
    mutating func expire(at event: UInt64) {
        while let oldest = order.first, oldest.event &+ window < event {
            order.removeFirst()
            giveUp(oldest.address, event: oldest.event)
        }
    }

    /// Gives up every FREE that is still owed.
    mutating func finish() {
        while let oldest = order.popFirst() { giveUp(oldest.address, event: oldest.event) }
    }

    private mutating func giveUp(_ address: UInt64, event: UInt64) {
        guard var entry = addresses[address], let first = entry.owed.first, first.event <= event else { return }
        entry.owed.removeFirst()
        missing += 1
        if entry.owed.isEmpty { addresses[address] = nil } else { addresses[address] = entry }
    }
}
