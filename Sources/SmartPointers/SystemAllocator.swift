// The allocator that the process already has: libc's malloc family, and so whatever allocator is preloaded over it.
// The calls are kept out of line so that the optimiser cannot prove a block unused and drop it: a profiler's workloads
// must allocate in every build.

internal import Glibc

/// Memory from `malloc`, `realloc` and `free`, with `posix_memalign` above malloc's own alignment.
public struct SystemAllocator: Allocator, Hashable {
    /// The alignment in bytes that `malloc` gives by itself on 64-bit systems.
    static let naturalAlignment = 16

    /// Makes the allocator; it holds nothing.
    public init() {}

    /// A block of exactly `layout.size` requested bytes.
    ///
    /// - Parameter layout: The size and alignment wanted.
    /// - Returns: The block's address.
    /// - Throws: ``AllocationError/outOfMemory(_:)``.
    @inline(never)
    public func allocate(_ layout: AllocationLayout) throws(AllocationError) -> UnsafeMutableRawPointer {
        guard layout.size > 0 else { return Self.emptyBlock(layout) }
        var pointer: UnsafeMutableRawPointer?
        if layout.alignment <= Self.naturalAlignment {
            pointer = malloc(layout.size)
        } else if posix_memalign(&pointer, layout.alignment, layout.size) != 0 {
            pointer = nil
        }
        guard let pointer else { throw .outOfMemory(layout) }
        return pointer
    }

    /// Gives a block back to `free`.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - layout: The layout that it has.
    @inline(never)
    public func deallocate(_ pointer: UnsafeMutableRawPointer, _ layout: AllocationLayout) {
        guard layout.size > 0 else { return }
        free(pointer)
    }

    /// Makes a block larger by `realloc`, in place where the heap allows it.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``; the old block is then still live.
    public func grow(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer {
        precondition(
            new.size >= old.size && new.alignment == old.alignment, "grow keeps the alignment and never shrinks")
        return try resize(pointer, from: old, to: new)
    }

    /// Makes a block smaller by `realloc`, in place where the heap allows it.
    ///
    /// - Parameters:
    ///   - pointer: A live block of this allocator.
    ///   - old: The layout that it has.
    ///   - new: The layout wanted.
    /// - Returns: The block's address now.
    /// - Throws: ``AllocationError/outOfMemory(_:)``; the old block is then still live.
    public func shrink(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer {
        precondition(
            new.size <= old.size && new.alignment == old.alignment, "shrink keeps the alignment and never grows")
        return try resize(pointer, from: old, to: new)
    }

    @inline(never)
    private func resize(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer {
        if old.size > 0, new.size > 0, new.alignment <= Self.naturalAlignment {
            guard let moved = realloc(pointer, new.size) else { throw .outOfMemory(new) }
            return moved
        }
        // realloc keeps no alignment above malloc's own, and would free a block resized to nothing.
        let moved = try allocate(new)
        moved.copyMemory(from: pointer, byteCount: min(old.size, new.size))
        deallocate(pointer, old)
        return moved
    }

    /// The pointer that stands for a block without bytes: its own alignment as an address.
    private static func emptyBlock(_ layout: AllocationLayout) -> UnsafeMutableRawPointer {
        guard let pointer = UnsafeMutableRawPointer(bitPattern: layout.alignment) else {
            preconditionFailure("an alignment is at least 1")
        }
        return pointer
    }
}
