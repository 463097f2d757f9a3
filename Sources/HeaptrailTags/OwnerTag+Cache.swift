// One tag for each generic specialisation, found again without a lock: Swift has no static stored property in a generic
// type. A fixed open-addressing table in its own mapping (never on the traced heap), keyed by the type's metadata
// address and the cause; a full table means interning again, which is slower and still right.

internal import CHeaptrailTags
internal import Glibc
internal import Synchronization

/// A slot: `key` is published after `id`, so whoever sees the key (acquire) sees the id that was stored before (release).
private struct TagSlot: ~Copyable {
    let claim = Atomic<UInt>(0)
    let key = Atomic<UInt>(0)
    let id = Atomic<UInt32>(0)
}

private let slotCount = 4096

/// The table, or nil where no memory can be mapped. Zero-filled pages are valid empty slots.
private nonisolated(unsafe) let slots: UnsafeMutablePointer<TagSlot>? = {
    let bytes = slotCount * MemoryLayout<TagSlot>.stride
    let mapping = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != MAP_FAILED else { return nil }
    return mapping.bindMemory(to: TagSlot.self, capacity: slotCount)
}()

extension OwnerTag {
    /// The tag of a type for a cause, interned at its first use and looked up without a lock after that.
    ///
    /// For generic types, which cannot hold a `static let`.
    ///
    /// - Parameters:
    ///   - owner: The type whose identity keys the look-up. One type must always come with the same family and spelling.
    ///   - family: The owner's family.
    ///   - spelling: The owner's type as reports show it; evaluated at the first use, and not at all without the preload.
    ///   - cause: Why the blocks are made.
    /// - Returns: The tag; the empty tag without the preload.
    /// - Complexity: O(1) expected.
    public static func cached(
        for owner: ObjectIdentifier, family: StaticString, spelling: () -> String, cause: AllocationCause
    ) -> OwnerTag {
        guard ht_tags_are_recorded() != 0 else { return OwnerTag(id: 0) }
        let key = UInt(bitPattern: owner) << 4 | cause.index
        guard let slots else { return OwnerTag(family: family.description, type: spelling(), cause: cause) }
        var position = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> 40) % slotCount
        for _ in 0..<16 {
            if slots[position].key.load(ordering: .acquiring) == key {
                return OwnerTag(id: slots[position].id.load(ordering: .relaxed))
            }
            if slots[position].claim.load(ordering: .relaxed) == 0 { break }
            position = (position + 1) % slotCount
        }
        let tag = OwnerTag(family: family.description, type: spelling(), cause: cause)
        // 0 is no tag: nothing is being recorded just now, and may be later.
        if tag.id != 0, slots[position].claim.compareExchange(expected: 0, desired: key, ordering: .relaxed).exchanged {
            slots[position].id.store(tag.id, ordering: .relaxed)
            slots[position].key.store(key, ordering: .releasing)
        }
        return tag
    }

    /// A type's name as its source spells it, without module prefixes: `Matrix`, `Array<Point>`.
    ///
    /// - Parameter type: The type, copyable or not.
    /// - Returns: The spelling.
    public static func spelling(of type: any (~Copyable & ~Escapable).Type) -> String {
        // The name function predates noncopyable types; a metatype is the same pointer either way.
        _typeName(unsafeBitCast(type, to: Any.Type.self), qualified: false)
    }
}

extension AllocationCause {
    /// A number below 16 that tells the causes of one owner apart; addresses of types leave four bits for it.
    fileprivate var index: UInt {
        switch self {
        case .construct: 0
        case .growth: 1
        case .clone: 2
        case .copyOnWrite: 3
        case .boxing: 4
        case .capture: 5
        case .conversion: 6
        case .runtime: 7
        case .unknown: 8
        }
    }
}
