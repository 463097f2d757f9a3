// What chains and copies of one stack (and type) come to: sums, and final sizes in logarithmic buckets, each with the largest size that fell in it,
// so that a size read back is one that was reached. Plain values; every sum is the same whatever the order in which chains end.

/// Containers whose final size falls in one bucket.
struct ChainBucket {
    /// Containers, grown or not.
    var containers = 0
    /// The largest final size.
    var largest = 0
    /// The sum of final sizes.
    var bytes = 0
    /// Growth steps of these containers.
    var steps = 0
    /// Bytes copied by these steps.
    var copied = 0
    /// Bytes of the blocks that these steps replaced.
    var replaced = 0

    mutating func add(_ other: ChainBucket) {
        containers &+= other.containers
        largest = max(largest, other.largest)
        bytes &+= other.bytes
        steps &+= other.steps
        copied &+= other.copied
        replaced &+= other.replaced
    }
}

/// Containers that began to grow at one stack.
struct ChainRecord {
    /// Containers that grew at least once.
    var grown = 0
    /// Steps that left the block where it was: nothing was copied.
    var inPlace = 0
    /// Steps whose pages the allocator moved without copying them, and their bytes.
    var remapped = 0
    var remappedBytes = 0
    /// The most steps of one container.
    var longest = 0
    /// Containers that are live at the end.
    var live = 0
    /// By the bucket of the final size.
    var buckets: [Int: ChainBucket] = [:]

    mutating func add(_ other: ChainRecord) {
        grown &+= other.grown
        inPlace &+= other.inPlace
        remapped &+= other.remapped
        remappedBytes &+= other.remappedBytes
        longest = max(longest, other.longest)
        live &+= other.live
        for (bucket, sums) in other.buckets { buckets[bucket, default: ChainBucket()].add(sums) }
    }
}

extension BlockSum {
    mutating func add(_ size: Int) {
        blocks &+= 1
        bytes &+= size
    }

    mutating func add(_ other: BlockSum) {
        blocks &+= other.blocks
        bytes &+= other.bytes
    }
}

/// Copies that were made at one stack, and what became of them.
struct CopyRecord {
    var made = BlockSum()
    /// Those that grew, shrank or moved later: they were changed.
    var resized = BlockSum()
    /// Freed as the next event of the thread that had made them.
    var temporary = BlockSum()
    /// Freed later, their size never changed.
    var freed = BlockSum()

    /// A copy of `size` bytes has ended, its size never changed.
    mutating func end(_ size: Int, isTemporary: Bool) {
        if isTemporary { temporary.add(size) } else { freed.add(size) }
    }

    mutating func add(_ other: CopyRecord) {
        made.add(other.made)
        resized.add(other.resized)
        temporary.add(other.temporary)
        freed.add(other.freed)
    }
}
