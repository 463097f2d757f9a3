// Follows containers from block to block while the pass runs. A block takes the place of an older one
//  - by `realloc`: the two halves of a pair; or
//  - by allocation, copy and free: a block that a stack made to grow (or a Swift container's, of which frames cannot tell) and then, as the next event
//    of the same thread, the end of an older, smaller block of the same owner. Blocks that the elements' copies or the runtime make in between
//    are skipped, a few of them.
// Swift storage that takes no other block's place is the first of its container or a copy (StorageSizes). What the order of events tells beyond
// the frames is handed to the ledger, which counts those blocks apart.
//
// Memory: one entry for each live block that grew, may grow or is a copy, and sums for each distinct stack; nothing grows with events.

/// What the order of events says of a block that its frames do not.
enum OrderCause: UInt8 {
    case none
    case growth
    case copyOnWrite

    var cause: Cause? {
        switch self {
        case .none: nil
        case .growth: .growth
        case .copyOnWrite: .copyOnWrite
        }
    }
}

/// What storage without a predecessor is.
enum StorageOrigin {
    /// The first storage of its container.
    case first
    /// A copy: storage that it can be a copy of lives.
    case copy
    /// One or the other.
    case undecided
}

/// A block whose cause the order of events has told, for the ledger to count apart.
struct SettledBlock {
    var block: LiveBlock
    /// Usable bytes less bytes asked for, negative when not known.
    var slack: Int
    /// The number of the last peak before its allocation.
    var peakNumber: Int
    var cause: OrderCause
}

struct ChainTracker {
    /// What is known of a cell: its stack's class, and where its blocks are counted.
    struct CellClass {
        var stack = StackClass()
        var key = TypedStack(stack: 0, type: 0)
        /// Index into `storages`, -1 for blocks that are no Swift container's.
        var storage: Int32 = -1
        /// Whether its blocks may take the place of smaller ones.
        var mayGrow = false
        /// Whether entries are kept for its blocks.
        var isFollowed = false
        var isKnown = false
    }

    /// The way of one container so far.
    struct Chain {
        /// Bytes asked for at last.
        var size: Int
        /// The thread whose next event tells whether it replaces another block; nil once that is known.
        var waitingThread: UInt32?
        /// Index into `chains` of where it began to grow, -1 before.
        var record: Int32 = -1
        /// Index into `copies`, -1 for blocks that are no copies.
        var copy: Int32 = -1
        var steps: UInt32 = 0
        var inPlace: UInt32 = 0
        var remapped: UInt32 = 0
        var copied = 0
        var replaced = 0
        var remappedBytes = 0
    }

    /// Storage that waits for the end of the block that it replaces.
    struct Pending {
        var allocation: ObservedAllocation
        /// Events that may still come in between.
        var patience: Int
    }

    /// The block that a `realloc` is about to replace.
    struct Replaced {
        var block: LiveBlock
        var chain: Chain?

        init(block: LiveBlock, chain: Chain? = nil) {
            self.block = block
            self.chain = chain
        }
    }

    /// Events of the elements' copies or of the runtime that may come between new storage and the end of the old: metadata that is made on first
    /// use took 60.
    static let patience = 512
    /// From here on glibc gives pages of their own to blocks, which it moves by remapping.
    static let remapThreshold: UInt64 = 128 << 10

    let remaps: Bool
    /// Who owns what a stack made of blocks of a runtime type, and why.
    let attribution: (_ stack: UInt32, _ type: UInt64) -> Attribution
    var owners = OwnerNumbers()
    var classes: [CellClass] = []
    var storages: [StorageSizes] = []
    var storageNumbers: [TypedStack: Int32] = [:]
    /// Storages of owners that differ by the arguments of their types alone, where the runtime told no types.
    var storagesOfHead: [Int32: [(number: Int32, isBare: Bool)]] = [:]
    var pending: [UInt32: Pending] = [:]
    var replacing: [UInt32: Replaced] = [:]
    /// Live blocks that grew, may grow or are copies, by address.
    var followed: [UInt64: Chain] = [:]
    var chains: [(key: TypedStack, record: ChainRecord)] = []
    var copies: [(key: TypedStack, record: CopyRecord)] = []
    var chainNumbers: [TypedStack: Int32] = [:]
    var copyNumbers: [TypedStack: Int32] = [:]
    /// Swift storage that is a copy or the first of its container, by stack.
    var undecided: [TypedStack: BlockSum] = [:]
    /// What the ledger has to count apart; it takes them away.
    var settled: [SettledBlock] = []
    var hasSettled: Bool {
        @inline(__always) get { !settled.isEmpty }
    }

    /// - Parameters:
    ///   - remaps: whether the allocator moves pages of large blocks instead of copying them.
    ///   - attribution: asked once for each stack and type.
    init(remaps: Bool, attribution: @escaping (_ stack: UInt32, _ type: UInt64) -> Attribution) {
        self.remaps = remaps
        self.attribution = attribution
    }

    // MARK: - Events

    /// Takes an ALLOC, already counted by the ledger. Expected O(1).
    mutating func allocated(_ allocation: ObservedAllocation) {
        let cell = allocation.block.cell
        let isKnown = Int(cell) < classes.count && classes[Int(cell)].isKnown
        let kind = isKnown ? classes[Int(cell)] : classify(cell, stack: allocation.stack, type: allocation.type)
        if !pending.isEmpty { pass(allocation, kind) }
        if kind.storage >= 0 { storages[Int(kind.storage)].add(allocation.block.size, slack: allocation.slack) }
        if allocation.isReallocation {
            reallocate(allocation, kind)
        } else if kind.isFollowed || kind.waits(allocation.block.size) {
            follow(allocation, kind)
        }
    }

    /// Takes the end of a block, before the ledger forgets it. Expected O(1).
    mutating func freed(_ free: ObservedFree) {
        let cell = free.block.cell
        let isKnown = Int(cell) < classes.count && classes[Int(cell)].isKnown
        let kind = isKnown ? classes[Int(cell)] : classify(cell, stack: free.origin.stack, type: free.origin.type)
        let isReplaced = !pending.isEmpty && !free.isRepaired && pass(free, kind)
        let isFollowed = kind.isFollowed || kind.waits(free.block.size)
        if isFollowed, !pending.isEmpty, let thread = followed[free.block.address]?.waitingThread,
            let wait = pending.removeValue(forKey: thread)
        {
            settle(wait)
        }
        if kind.storage >= 0 { storages[Int(kind.storage)].remove(free.block.size) }
        guard isFollowed, !isReplaced else {
            if free.isReallocation { replacing[free.thread] = Replaced(block: free.block) }
            return
        }
        let chain = followed.removeValue(forKey: free.block.address)
        if free.isReallocation {
            replacing[free.thread] = Replaced(block: free.block, chain: chain)
        } else if let chain {
            if chain.copy >= 0 { copies[Int(chain.copy)].record.end(chain.size, isTemporary: free.isTemporary) }
            if chain.record >= 0 { end(chain) }
        }
    }

    /// Takes the end of the pass: what lives on has the size that it has.
    mutating func finish() {
        for wait in pending.values.sorted(by: { $0.allocation.thread < $1.allocation.thread }) { settle(wait) }
        pending = [:]
        for chain in followed.values where chain.record >= 0 {
            chains[Int(chain.record)].record.live += 1
            end(chain)
        }
        followed = [:]
    }
}
