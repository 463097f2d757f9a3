// One heap value with one owner. Owns its block's whole life: allocated at init, freed when the box leaves its scope.
// The block is tagged `Box<Value>`; the value's own parts are made outside the tag and keep their own owners.

public import HeaptrailTags

/// One value on the heap with one owner, in an allocator of the caller's choice.
///
/// A box cannot be copied; it is moved, and its value dies with its last owner: at the end of a scope, when it is
/// consumed, or when it is replaced.
///
/// ```swift
/// let box = Box(Matrix())          // one block of MemoryLayout<Matrix>.size bytes
/// print(box.value.trace)
/// // freed here
/// ```
public struct AllocatorBox<Value: ~Copyable, Source: Allocator>: ~Copyable {
    /// The block; nil once the value has been moved out.
    @usableFromInline var pointer: UnsafeMutablePointer<Value>?
    /// The allocator that the block came from and goes back to.
    public let allocator: Source
    // Always nil. An unoptimised client of Swift 6.3.1 never runs the deinit of a noncopyable struct from another module
    // where a stored property of generic type (`allocator`) leaves that instance without a reference to count.
    @usableFromInline let keepsDeinit: AnyObject? = nil

    /// Moves a value to the heap.
    ///
    /// The value is built by the caller first, on the stack where it is large: see ``init(in:initializingInPlace:)``.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - allocator: Where the block comes from.
    /// - Throws: ``AllocationError``; the value is destroyed then.
    @inlinable
    public init(_ value: consuming Value, in allocator: Source) throws(AllocationError) {
        let pointer = try Self.allocateBlock(in: allocator)
        pointer.initialize(to: value)
        self.pointer = pointer
        self.allocator = allocator
    }

    /// Builds a value where it will live, without it ever being on the stack.
    ///
    /// - Parameters:
    ///   - allocator: Where the block comes from.
    ///   - initialize: Given the uninitialised block; must have initialised it when it returns.
    /// - Throws: ``AllocationError``.
    @inlinable
    public init(
        in allocator: Source, initializingInPlace initialize: (UnsafeMutablePointer<Value>) -> Void
    ) throws(AllocationError) {
        let pointer = try Self.allocateBlock(in: allocator)
        initialize(pointer)
        self.pointer = pointer
        self.allocator = allocator
    }

    @inlinable
    deinit {
        guard let pointer else { return }
        pointer.deinitialize(count: 1)
        allocator.deallocate(pointer, AllocationLayout(of: Value.self))
    }

    /// The value, read and changed in place.
    public var value: Value {
        @inlinable _read { yield live.pointee }
        @inlinable _modify { yield &live.pointee }
    }

    /// Moves the value out and frees the block.
    ///
    /// - Returns: The value.
    @inlinable
    public consuming func intoValue() -> Value {
        let block = live
        pointer = nil
        let value = block.move()
        allocator.deallocate(block, AllocationLayout(of: Value.self))
        return value
    }

    @inlinable
    var live: UnsafeMutablePointer<Value> {
        guard let pointer else { preconditionFailure("a box whose value was moved out is gone itself") }
        return pointer
    }

    @inlinable
    static func allocateBlock(in allocator: Source) throws(AllocationError) -> UnsafeMutablePointer<Value> {
        let tag = OwnerTag.cached(
            for: ObjectIdentifier(Self.self), family: "Box", spelling: { "Box<\(OwnerTag.spelling(of: Value.self))>" },
            cause: .construct)
        let layout = AllocationLayout(of: Value.self)
        let block = try withOwnerTag(tag) { () throws(AllocationError) in try allocator.allocate(layout) }
        return block.bindMemory(to: Value.self, capacity: 1)
    }
}

// A box owns its value as a variable would; sending one sends the value.
extension AllocatorBox: @unchecked Sendable where Value: Sendable & ~Copyable {}

/// A box in the system's heap.
public typealias Box<Value: ~Copyable> = AllocatorBox<Value, SystemAllocator>

extension AllocatorBox where Value: ~Copyable, Source == SystemAllocator {
    /// Moves a value to the system's heap; stops the program where there is no memory, as the language itself does.
    ///
    /// - Parameter value: The value.
    @inlinable
    public init(_ value: consuming Value) {
        do throws(AllocationError) {
            try self.init(value, in: SystemAllocator())
        } catch {
            fatalError("no memory for a box: \(error)")
        }
    }

    /// Builds a value in place in the system's heap; stops the program where there is no memory.
    ///
    /// - Parameter initialize: Given the uninitialised block; must have initialised it when it returns.
    @inlinable
    public init(initializingInPlace initialize: (UnsafeMutablePointer<Value>) -> Void) {
        do throws(AllocationError) {
            try self.init(in: SystemAllocator(), initializingInPlace: initialize)
        } catch {
            fatalError("no memory for a box: \(error)")
        }
    }
}
