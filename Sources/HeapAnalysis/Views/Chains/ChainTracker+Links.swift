// Which block takes the place of which, and what storage is that takes no other's.

extension ChainTracker {
    // MARK: - Allocations

    /// Starts to follow a block that a stack made to grow, or as a copy.
    mutating func follow(_ allocation: ObservedAllocation, _ kind: CellClass) {
        var chain = Chain(size: Int(clamping: allocation.block.size))
        if kind.stack.cause == .clone || kind.stack.cause == .copyOnWrite && !kind.stack.isAmbiguous {
            chain.copy = copyRecord(kind.key)
            copies[Int(chain.copy)].record.made.add(chain.size)
        } else {
            pending[allocation.thread] = Pending(allocation: allocation, patience: Self.patience)
            chain.waitingThread = allocation.thread
            if kind.stack.cause == .growth { chain.record = chainRecord(kind.key) }
        }
        followed[allocation.block.address] = chain
    }

    /// Takes the second half of a `realloc`.
    mutating func reallocate(_ allocation: ObservedAllocation, _ kind: CellClass) {
        guard let old = replacing.removeValue(forKey: allocation.thread) else { return }
        let block = allocation.block
        var chain = old.chain ?? Chain(size: 0)
        chain.size = Int(clamping: block.size)
        if chain.copy >= 0, block.size != old.block.size {
            copies[Int(chain.copy)].record.resized.add(Int(clamping: old.block.size))
            chain.copy = -1
        }
        if block.size > old.block.size {
            if chain.record < 0 { chain.record = chainRecord(kind.key) }
            chain.steps &+= 1
            if block.address == old.block.address {
                chain.inPlace &+= 1
            } else if remaps, old.block.size >= Self.remapThreshold, block.isPageOfItsOwn, old.block.isPageOfItsOwn {
                chain.remapped &+= 1
                chain.remappedBytes &+= Int(clamping: old.block.size)
            } else {
                chain.copied &+= Int(clamping: old.block.size)
                chain.replaced &+= Int(clamping: old.block.size)
            }
        }
        guard chain.record >= 0 || chain.copy >= 0 else { return }
        classes[Int(block.cell)].isFollowed = true
        followed[block.address] = chain
    }

    // MARK: - What replaces what

    /// An allocation comes after storage of its thread that waits for its predecessor's end.
    mutating func pass(_ allocation: ObservedAllocation, _ kind: CellClass) {
        guard let wait = pending[allocation.thread] else { return }
        let isSwift = classes[Int(wait.allocation.block.cell)].storage >= 0
        let isElement = !kind.waits(allocation.block.size)
        let mayComeBetween = !allocation.isReallocation && (isSwift ? kind.stack.isRuntime : isElement)
        goOn(wait, isPossible: mayComeBetween)
    }

    /// The end of a block comes after storage of its thread that waits for its predecessor's end.
    /// - Returns: whether the block is that predecessor.
    mutating func pass(_ free: ObservedFree, _ kind: CellClass) -> Bool {
        guard let wait = pending[free.thread], wait.allocation.block.address != free.block.address else {
            return false
        }
        let waiting = classes[Int(wait.allocation.block.cell)]
        let block = wait.allocation.block
        if !free.isReallocation, free.block.size < block.size, free.block.time < block.time,
            kind.isSameOwner(as: waiting), !waiting.stack.isHashTable || kind.waits(free.block.size)
        {
            replace(free.block, kind, by: wait, waiting)
            return true
        }
        goOn(wait, isPossible: waiting.storage >= 0 && kind.stack.isRuntime && !free.isReallocation)
        return false
    }

    private mutating func goOn(_ wait: Pending, isPossible: Bool) {
        let thread = wait.allocation.thread
        if isPossible, wait.patience > 0 {
            pending[thread]?.patience -= 1
        } else {
            pending[thread] = nil
            settle(wait)
        }
    }

    /// The block that waited has taken the place of `old`.
    private mutating func replace(_ old: LiveBlock, _ kind: CellClass, by wait: Pending, _ waiting: CellClass) {
        let block = wait.allocation.block
        let bytes = Int(clamping: old.size)
        var chain =
            (kind.isFollowed || kind.mayGrow ? followed.removeValue(forKey: old.address) : nil) ?? Chain(size: bytes)
        if chain.copy >= 0 { copies[Int(chain.copy)].record.resized.add(bytes) }
        if chain.record < 0 { chain.record = chainRecord(waiting.key) }
        chain.copy = -1
        chain.waitingThread = nil
        chain.size = Int(clamping: block.size)
        chain.steps &+= 1
        chain.copied &+= bytes
        chain.replaced &+= bytes
        followed[block.address] = chain
        pending[wait.allocation.thread] = nil
        if waiting.stack.isAmbiguous, waiting.stack.cause != .growth { tell(wait, .growth) }
    }

    /// The block that waited takes no other's place.
    mutating func settle(_ wait: Pending) {
        let block = wait.allocation.block
        guard var chain = followed[block.address] else { return }
        let kind = classes[Int(block.cell)]
        chain.waitingThread = nil
        if kind.stack.isAmbiguous {
            switch origin(of: block.size, kind) {
            case .first:
                if chain.record < 0 { chain.record = chainRecord(kind.key) }
                if kind.stack.cause != .growth { tell(wait, .growth) }
            case .copy:
                var key = kind.key
                if kind.stack.cause != .copyOnWrite {
                    key.order = .copyOnWrite
                    tell(wait, .copyOnWrite)
                }
                chain.record = -1
                chain.copy = copyRecord(key)
                copies[Int(chain.copy)].record.made.add(chain.size)
            case .undecided: undecided[kind.key, default: BlockSum()].add(chain.size)
            }
        }
        followed[block.address] = kind.isFollowed ? chain : nil
    }

    /// What storage that takes no other's place is. O(distinct sizes of the type).
    private func origin(of size: UInt64, _ kind: CellClass) -> StorageOrigin {
        let storage = kind.stack.storage
        let isCopied = kind.stack.cause == .copyOnWrite
        if storages[Int(kind.storage)].isFirst(size, in: storage, isCopied: isCopied) { return .first }
        if isCopied { return .copy }
        var hasOthers = false
        for number in relatedStorages(kind) {
            let own = number == kind.storage ? 1 : 0
            if storages[Int(number)].hasSource(of: size, in: storage, own: own) { return .copy }
            hasOthers = hasOthers || storages[Int(number)].hasOthers(than: own)
        }
        return hasOthers ? .undecided : .first
    }

    /// The storages that a container of this cell may have been copied from: of its type, and of those whose arguments are not known.
    private func relatedStorages(_ kind: CellClass) -> [Int32] {
        if kind.key.type != 0 { return [kind.storage] }
        let ofHead = storagesOfHead[kind.stack.head] ?? []
        return ofHead.filter { $0.number == kind.storage || $0.isBare || kind.stack.isBare }.map(\.number)
    }

    private mutating func tell(_ wait: Pending, _ cause: OrderCause) {
        let allocation = wait.allocation
        settled.append(
            SettledBlock(
                block: allocation.block, slack: allocation.slack, peakNumber: allocation.peakNumber, cause: cause))
    }

    // MARK: - Sums

    /// Counts a chain that has come to its end.
    mutating func end(_ chain: Chain) {
        let number = Int(chain.record)
        let steps = Int(chain.steps)
        if steps > 0 { chains[number].record.grown &+= 1 }
        chains[number].record.inPlace &+= Int(chain.inPlace)
        chains[number].record.remapped &+= Int(chain.remapped)
        chains[number].record.remappedBytes &+= chain.remappedBytes
        chains[number].record.longest = max(chains[number].record.longest, steps)
        let bucket = LifetimeBucket.index(of: UInt64(chain.size))
        let sums = ChainBucket(
            containers: 1, largest: chain.size, bytes: chain.size, steps: steps, copied: chain.copied,
            replaced: chain.replaced)
        chains[number].record.buckets[bucket, default: ChainBucket()].add(sums)
    }

    private mutating func chainRecord(_ key: TypedStack) -> Int32 {
        if let known = chainNumbers[key] { return known }
        let number = Int32(truncatingIfNeeded: chains.count)
        chainNumbers[key] = number
        chains.append((key, ChainRecord()))
        return number
    }

    private mutating func copyRecord(_ key: TypedStack) -> Int32 {
        if let known = copyNumbers[key] { return known }
        let number = Int32(truncatingIfNeeded: copies.count)
        copyNumbers[key] = number
        copies.append((key, CopyRecord()))
        return number
    }

    /// Finds out what is to be known of a cell's blocks. Once for each cell.
    mutating func classify(_ cell: UInt32, stack: UInt32, type: UInt64) -> CellClass {
        while classes.count <= Int(cell) { classes.append(CellClass()) }
        var found = CellClass()
        found.stack = owners.stackClass(of: attribution(stack, type))
        found.key = TypedStack(stack: stack, type: type)
        found.isKnown = true
        let cause = found.stack.cause
        found.isFollowed = cause == .growth || cause == .clone || cause == .copyOnWrite || found.stack.isAmbiguous
        // A node is as large as the next, so that what is larger than what it replaces is the buckets.
        found.mayGrow = cause == .growth || found.stack.isAmbiguous || found.stack.isHashTable
        if found.stack.storage != .other { found.storage = storage(of: found.stack, type: type) }
        classes[Int(cell)] = found
        return found
    }

    /// The storage sizes of a type: by its id, or by its owner where the runtime did not tell it.
    private mutating func storage(of stack: StackClass, type: UInt64) -> Int32 {
        let key = TypedStack(stack: type == 0 ? UInt32(bitPattern: stack.owner) : 0, type: type)
        if let known = storageNumbers[key] { return known }
        let number = Int32(truncatingIfNeeded: storages.count)
        storageNumbers[key] = number
        storages.append(StorageSizes(stride: stack.stride.map { Int($0) }))
        if type == 0 { storagesOfHead[stack.head, default: []].append((number, stack.isBare)) }
        return number
    }
}

extension ChainTracker.CellClass {
    /// Whether a block of this size may take the place of a smaller one. Small blocks of hash tables are nodes.
    func waits(_ size: UInt64) -> Bool { mayGrow && (!stack.isHashTable || size >= 64) }

    /// Whether blocks of this cell and of another belong to the same kind of container.
    func isSameOwner(as other: Self) -> Bool {
        if key.type != 0, other.key.type != 0 { return key.type == other.key.type }
        if stack.owner == other.stack.owner { return true }
        return stack.head == other.stack.head && (stack.isBare || other.stack.isBare)
    }
}

extension LiveBlock {
    /// Whether it begins where glibc's blocks do that have pages of their own.
    fileprivate var isPageOfItsOwn: Bool { address & 0xFFF == 16 }
}
