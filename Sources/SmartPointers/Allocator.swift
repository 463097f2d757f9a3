// What an allocator is: four calls over a layout, with a typed error. Owns the protocol, the layout and the error;
// the allocators themselves are one file each.

/// The size and alignment of a block, both in bytes.
public struct AllocationLayout: Sendable, Hashable {
    /// The bytes asked for, at least 0.
    public let size: Int
    /// The alignment in bytes, a power of two.
    public let alignment: Int

    /// Makes a layout.
    ///
    /// - Parameters:
    ///   - size: Bytes, at least 0.
    ///   - alignment: A power of two.
    public init(size: Int, alignment: Int) {
        precondition(size >= 0, "a size is not negative")
        precondition(alignment > 0 && alignment & (alignment - 1) == 0, "an alignment is a power of two")
        self.size = size
        self.alignment = alignment
    }

    /// The layout of one value: its size without the padding that an array would add.
    ///
    /// - Parameter type: The value's type.
    public init<Value: ~Copyable>(of type: Value.Type) {
        self.init(size: MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.alignment)
    }

    /// The layout of `count` values in a row.
    ///
    /// - Parameters:
    ///   - type: The element type.
    ///   - count: How many, at least 0.
    public init<Value: ~Copyable>(arrayOf type: Value.Type, count: Int) {
        self.init(size: MemoryLayout<Value>.stride * count, alignment: MemoryLayout<Value>.alignment)
    }
}

/// Why an allocator gave no memory.
public enum AllocationError: Error, Sendable, Equatable {
    /// There is no block of this layout to be had.
    case outOfMemory(AllocationLayout)
}

/// A source of memory.
///
/// A block stays with the allocator that made it, and every later call names the layout that it was last given.
/// A layout of size 0 takes no memory: its pointer is aligned, not nil, and must not be read.
public protocol Allocator: Sendable {
    /// A block of at least `layout.size` bytes, uninitialised.
    ///
    /// - Parameter layout: The size and alignment wanted.
    /// - Returns: The block's address, aligned as asked.
    /// - Throws: ``AllocationError/outOfMemory(_:)``.
    func allocate(_ layout: AllocationLayout) throws(AllocationError) -> UnsafeMutableRawPointer

    /// Gives a block back.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - layout: The layout that it has.
    func deallocate(_ pointer: UnsafeMutableRawPointer, _ layout: AllocationLayout)

    /// Makes a block larger, keeping its bytes; the block may move.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator. Still live after an error, gone after success.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted: the same alignment, a size no smaller.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``.
    /// - Complexity: O(`old.size`) where the block moves.
    func grow(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer

    /// Makes a block smaller, keeping the bytes that remain; the block may move.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator. Still live after an error, gone after success.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted: the same alignment, a size no larger.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``.
    /// - Complexity: O(`new.size`) where the block moves.
    func shrink(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer
}
