// A set that is an array while it is small and a hash table when it has grown. Owns one block at a time, tagged with the
// cause it was made by; the switch between the two shapes shows in the block's size.

public import HeaptrailTags

/// A set that starts as an array and becomes a hash table.
///
/// Up to ``arrayLimit`` elements lie in a row and are found by comparison alone, which for a handful of them is faster and
/// smaller than hashing. One more, and they move to an open-addressing table, for good. A set cannot be copied by accident:
/// ``clone()`` says so.
///
/// Blocks, for elements of stride `s` bytes: arrays of 4 and 8 elements (`4s`, `8s`), then tables of 32, 64, 128, … slots
/// (`s + 1` bytes a slot), at most three quarters full.
public struct AdaptiveSet<Element: Hashable>: ~Copyable {
    /// The most elements that are kept as an array: 8.
    @inlinable
    public static var arrayLimit: Int { 8 }

    @usableFromInline var storage: AdaptiveSetStorage<Element>

    /// The empty set; it takes no memory.
    @inlinable
    public init() { storage = .empty }

    @inlinable
    deinit { storage.destroy() }

    /// The number of elements.
    @inlinable
    public var count: Int { storage.count }

    /// True where there is no element.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// True once the set has become a hash table.
    @inlinable
    public var isHashTable: Bool { storage.shape == .table }

    /// The bytes of the set's block, as asked of the allocator.
    @inlinable
    public var bytesAllocated: Int { storage.layout.size }

    /// True where the set holds `element`.
    ///
    /// - Parameter element: What to look for.
    /// - Returns: Whether it is there.
    /// - Complexity: O(1) expected; at most ``arrayLimit`` comparisons while an array.
    @inlinable
    public func contains(_ element: Element) -> Bool { storage.position(of: element).isFound }

    /// Adds an element that is not there yet.
    ///
    /// - Parameter element: The element.
    /// - Returns: True where it was added.
    /// - Complexity: O(1) expected, amortised.
    @discardableResult @inlinable
    public mutating func insert(_ element: Element) -> Bool {
        guard !storage.position(of: element).isFound else { return false }
        if storage.isFull {
            let cause: AllocationCause = storage.shape == .empty ? .construct : .growth
            var larger = AdaptiveSetStorage<Element>.make(storage.nextShape, storage.nextSlots, Self.tag(cause))
            storage.forEachSlot { larger.insertNew($0.move()) }
            storage.count = 0
            storage.destroy()
            storage = larger
        }
        storage.insertNew(element)
        return true
    }

    /// Takes an element out.
    ///
    /// - Parameter element: The element.
    /// - Returns: True where it was there.
    /// - Complexity: O(1) expected.
    @discardableResult @inlinable
    public mutating func remove(_ element: Element) -> Bool {
        let position = storage.position(of: element)
        guard position.isFound else { return false }
        storage.remove(at: position.slot)
        return true
    }

    /// Calls `body` with every element: in order of insertion while an array that nothing was removed from, else in no order.
    ///
    /// - Parameter body: What to do with an element.
    /// - Throws: What `body` throws.
    /// - Complexity: O(slots).
    @inlinable
    public func forEach<Failure: Error>(_ body: (Element) throws(Failure) -> Void) throws(Failure) {
        for slot in 0..<storage.slots where storage.isTaken(slot) {
            try body(storage.elements[slot])
        }
    }

    /// A copy of the set.
    ///
    /// - Returns: The copy: one block of the same size, none where the set is empty.
    /// - Complexity: O(slots).
    @inlinable
    public func clone() -> AdaptiveSet {
        var copy = AdaptiveSet()
        if storage.shape != .empty {
            copy.storage = AdaptiveSetStorage.make(storage.shape, storage.slots, Self.tag(.clone))
            forEach { copy.storage.insertNew($0) }
        }
        return copy
    }

    @inlinable
    static func tag(_ cause: AllocationCause) -> OwnerTag {
        OwnerTag.cached(
            for: ObjectIdentifier(Self.self), family: "Set",
            spelling: { "AdaptiveSet<\(OwnerTag.spelling(of: Element.self))>" }, cause: cause)
    }
}

// The set owns its block alone; sending it sends its elements.
extension AdaptiveSet: @unchecked Sendable where Element: Sendable {}
