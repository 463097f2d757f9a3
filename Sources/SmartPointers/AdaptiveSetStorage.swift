// The block behind `AdaptiveSet`: an array, or a hash table with linear probing. Owns the layout (elements first, then
// one byte a slot for a table) and nothing of when to change it. Freed by hand: `AdaptiveSet` is the owner.

public import HeaptrailTags

@usableFromInline
struct AdaptiveSetStorage<Element: Hashable> {
    @usableFromInline
    enum Shape: Equatable {
        case empty
        case array
        case table
    }

    @usableFromInline let shape: Shape
    /// The places for elements; a power of two in a table.
    @usableFromInline let slots: Int
    @usableFromInline var count = 0
    @usableFromInline let elements: UnsafeMutablePointer<Element>
    /// One byte a slot, 1 where an element is; only in a table.
    @usableFromInline let taken: UnsafeMutablePointer<UInt8>

    @inlinable
    static var empty: AdaptiveSetStorage {
        // A block of no bytes: the allocator gives a pointer that is never read.
        make(.empty, 0, nil)
    }

    @inlinable
    static func make(_ shape: Shape, _ slots: Int, _ tag: OwnerTag?) -> AdaptiveSetStorage {
        let layout = layout(shape, slots)
        do throws(AllocationError) {
            guard let tag else { return AdaptiveSetStorage(shape, slots, try SystemAllocator().allocate(layout)) }
            let block = try withOwnerTag(tag) { () throws(AllocationError) in try SystemAllocator().allocate(layout) }
            return AdaptiveSetStorage(shape, slots, block)
        } catch {
            fatalError("no memory for a set: \(error)")
        }
    }

    @inlinable
    init(_ shape: Shape, _ slots: Int, _ block: UnsafeMutableRawPointer) {
        self.shape = shape
        self.slots = slots
        elements = block.bindMemory(to: Element.self, capacity: slots)
        let marks = block + MemoryLayout<Element>.stride * slots
        taken = marks.bindMemory(to: UInt8.self, capacity: shape == .table ? slots : 0)
        if shape == .table { taken.initialize(repeating: 0, count: slots) }
    }

    @inlinable
    var layout: AllocationLayout { Self.layout(shape, slots) }

    @inlinable
    static func layout(_ shape: Shape, _ slots: Int) -> AllocationLayout {
        let marks = shape == .table ? slots : 0
        return AllocationLayout(
            size: MemoryLayout<Element>.stride * slots + marks, alignment: MemoryLayout<Element>.alignment)
    }

    @inlinable
    var isFull: Bool { shape == .table ? 4 * (count + 1) > 3 * slots : count == slots }

    /// The shape and slots to move to when full: 4, 8, then a table of 32, doubling.
    @inlinable
    var nextShape: Shape { slots < AdaptiveSet<Element>.arrayLimit ? .array : .table }

    @inlinable
    var nextSlots: Int {
        switch shape {
        case .empty: AdaptiveSet<Element>.arrayLimit / 2
        case .array: slots < AdaptiveSet<Element>.arrayLimit ? AdaptiveSet<Element>.arrayLimit : 4 * slots
        case .table: 2 * slots
        }
    }

    @inlinable
    func isTaken(_ slot: Int) -> Bool { shape == .table ? taken[slot] != 0 : slot < count }

    /// Where an element is, or the free slot where it would go.
    @inlinable
    func position(of element: Element) -> (slot: Int, isFound: Bool) {
        guard shape == .table else {
            for slot in 0..<count where elements[slot] == element { return (slot, true) }
            return (count, false)
        }
        var slot = home(of: element)
        while taken[slot] != 0 {
            if elements[slot] == element { return (slot, true) }
            slot = (slot + 1) & (slots - 1)
        }
        return (slot, false)
    }

    /// Adds an element that is not there, where there is room.
    @inlinable
    mutating func insertNew(_ element: Element) {
        let slot = position(of: element).slot
        (elements + slot).initialize(to: element)
        if shape == .table { taken[slot] = 1 }
        count += 1
    }

    /// Takes the element of a slot out and closes the gap.
    @inlinable
    mutating func remove(at removed: Int) {
        (elements + removed).deinitialize(count: 1)
        count -= 1
        guard shape == .table else {
            if removed < count { (elements + removed).moveInitialize(from: elements + count, count: 1) }
            return
        }
        // Linear probing without tombstones: pull back every element whose way from home leads through the gap.
        var gap = removed
        var slot = (gap + 1) & (slots - 1)
        while taken[slot] != 0 {
            let distanceFromHome = (slot - home(of: elements[slot])) & (slots - 1)
            if distanceFromHome >= (slot - gap) & (slots - 1) {
                (elements + gap).moveInitialize(from: elements + slot, count: 1)
                gap = slot
            }
            slot = (slot + 1) & (slots - 1)
        }
        taken[gap] = 0
    }

    /// Calls `body` with the address of every element.
    @inlinable
    func forEachSlot(_ body: (UnsafeMutablePointer<Element>) -> Void) {
        for slot in 0..<slots where isTaken(slot) { body(elements + slot) }
    }

    /// Ends the elements that `count` still covers and frees the block.
    @inlinable
    func destroy() {
        if count > 0 { forEachSlot { $0.deinitialize(count: 1) } }
        SystemAllocator().deallocate(elements, layout)
    }

    @inlinable
    func home(of element: Element) -> Int { element.hashValue & (slots - 1) }
}
