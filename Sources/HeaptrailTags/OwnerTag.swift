// The owner tag: what a program says about who owns the blocks it is about to allocate, and why they are made.
// Owns the Swift face of `heaptrail_tags.h`. Without the preload every call here is a load and a branch: no string is
// built, nothing is interned, nothing is allocated.

internal import CHeaptrailTags

/// Why a block of memory was made.
///
/// The raw value is the word that traces and reports use.
public enum AllocationCause: String, Sendable, CaseIterable {
    /// A value was made for the first time.
    case construct
    /// A container outgrew its storage.
    case growth
    /// A copy was asked for by name.
    case clone
    /// A shared or borrowed value was about to change.
    case copyOnWrite
    /// A value moved to the heap because its size or type is not known statically.
    case boxing
    /// A closure captured a variable.
    case capture
    /// A value was converted to another type.
    case conversion
    /// The language's run-time needed it.
    case runtime
    /// Not known.
    case unknown
}

/// The owner of allocations: a family, a type in its language's spelling, a cause and a language.
///
/// Make a tag once (a `static let`, say) and use it with ``withOwnerTag(_:_:)``. Equal tags share one process-wide
/// identity. Without the preload a tag is empty, and making it evaluates none of its arguments.
public struct OwnerTag: Sendable, Equatable {
    /// The tag's process-wide id; 0 without the preload.
    @usableFromInline let id: UInt32

    /// Interns a tag.
    ///
    /// - Parameters:
    ///   - family: What kind of owner, such as `Box`, `String`, `Array`. Reports group by it.
    ///   - type: The owner's type as its language spells it, such as `Box<Matrix>`. Not evaluated without the preload.
    ///   - cause: Why the blocks are made.
    ///   - language: `swift`, `rust`, `c++` or `c`.
    /// - Complexity: O(length of the strings), once; O(1) without the preload.
    public init(
        family: @autoclosure () -> String, type: @autoclosure () -> String, cause: AllocationCause = .unknown,
        language: @autoclosure () -> String = "swift"
    ) {
        guard ht_tags_are_recorded() != 0 else {
            id = 0
            return
        }
        // Strings built for the tag are the tag's own cost: kept apart from whatever tag is in force here.
        ht_tag_push(Self.bookkeepingID)
        defer { ht_tag_pop() }
        id = ht_tag_intern(family(), type(), cause.rawValue, language())
    }

    /// True while a recorder is there to receive tags.
    public static var isRecorded: Bool { ht_tags_are_recorded() != 0 }

    @usableFromInline func push() {
        guard ht_tags_are_recorded() != 0, ht_tags_are_suspended() == 0 else { return }
        ht_tag_push(id)
    }

    @usableFromInline func pop() {
        guard ht_tags_are_recorded() != 0, ht_tags_are_suspended() == 0 else { return }
        ht_tag_pop()
    }

    init(id: UInt32) { self.id = id }

    /// The owner of what tags themselves cost and of what runs while tags are suspended.
    static var bookkeepingID: UInt32 { ht_tag_intern("Runtime", "OwnerTag", "runtime", "swift") }
}

/// Runs `body`; every block that it allocates on this thread is owned by `tag`.
///
/// Tags nest, at least 64 deep, and the innermost wins. The tag ends with `body`, however `body` ends. It belongs to the
/// thread and not to a task, so `body` is synchronous.
///
/// - Parameters:
///   - tag: The owner.
///   - body: The work to attribute.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
@inlinable
public func withOwnerTag<Result: ~Copyable, Failure: Error>(
    _ tag: OwnerTag, _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    tag.push()
    defer { tag.pop() }
    return try body()
}

/// Runs `body` with this thread's tags and counters suspended: what it allocates belongs to the run-time.
///
/// For a first use that sets run-time metadata up on the heap, so that a later, counted use allocates what it must and no
/// more.
///
/// - Parameter body: The work to keep out of the account.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func withOwnerTagsSuspended<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
    ht_tag_push(OwnerTag.bookkeepingID)
    ht_tags_suspend()
    defer {
        ht_tags_resume()
        ht_tag_pop()
    }
    return try body()
}
