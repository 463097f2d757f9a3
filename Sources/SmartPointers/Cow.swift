// A value that is borrowed until it has to change. Owns the one decision (borrowed or owned), the tag of the copy, and
// the two counters that tell how often the copy was avoided.

public import HeaptrailTags

/// Borrowed content until it is changed, its own copy from then on.
///
/// Reading is the same either way: ``withBorrow(_:)``, `==`, hashing. The copy is made once, by ``toMut(_:)`` or
/// ``intoOwned()``, and is owned by `Cow<…>` with cause `copyOnWrite`. The counters `Cow.borrowed` and `Cow.owned` count
/// how each `Cow` came to be: a view taken, an owner taken in, or a view copied.
///
/// A borrowed `Cow` follows the lifetime rule of its view.
public struct Cow<Borrowed: ToOwned> {
    @usableFromInline
    enum Content {
        case borrowed(Borrowed)
        case owned(Borrowed.Owned)
        /// Only while `toMut` has the owner out, so that the owner is never shared then.
        case moved
    }

    @usableFromInline var content: Content

    /// Borrows: nothing is copied.
    ///
    /// - Parameter view: The content, under its own lifetime rule.
    @inlinable
    public init(borrowing view: Borrowed) {
        content = .borrowed(view)
        CowCounters.borrowed.add()
    }

    /// Takes an owner in; the `Cow` then has nothing left to copy.
    ///
    /// - Parameter owner: The content.
    @inlinable
    public init(owning owner: Borrowed.Owned) {
        content = .owned(owner)
        CowCounters.owned.add()
    }

    /// Takes in an owner that `make` builds, its allocations owned by this `Cow` with cause `copyOnWrite`.
    ///
    /// For content that cannot be borrowed as it stands: text with escapes, say, that is decoded into a new string.
    ///
    /// - Parameter make: Builds the owner.
    @inlinable
    public init(owningResultOf make: () -> Borrowed.Owned) {
        content = .owned(withOwnerTag(Self.copyTag, make))
        CowCounters.owned.add()
    }

    /// True while nothing has been copied.
    @inlinable
    public var isBorrowed: Bool {
        if case .borrowed = content { true } else { false }
    }

    /// True where the content is the `Cow`'s own.
    @inlinable
    public var isOwned: Bool { !isBorrowed }

    /// Calls `body` with a view of the content, whoever owns it; the view is valid during the call.
    ///
    /// - Parameter body: What reads the view; it must not let the view out.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    @inlinable
    public func withBorrow<Result, Failure: Error>(
        _ body: (Borrowed) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch content {
        case .borrowed(let view): try body(view)
        case .owned(let owner): try owner.withBorrow(body)
        case .moved: preconditionFailure("a Cow is not read while it is being changed")
        }
    }

    /// Changes the content, after copying it where it is borrowed.
    ///
    /// Only the copy is the `Cow`'s; what `body` allocates keeps its own owner.
    ///
    /// - Parameter body: Given the owner to change in place.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; the `Cow` is then owned, with whatever `body` had changed.
    /// - Complexity: O(content) the first time, O(1) after that.
    @inlinable
    public mutating func toMut<Result, Failure: Error>(
        _ body: (inout Borrowed.Owned) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var owner = takeOwner()
        defer { content = .owned(owner) }
        return try body(&owner)
    }

    /// The content as an owner, copied where it is borrowed.
    ///
    /// - Returns: The owner.
    /// - Complexity: O(content) where it is borrowed, else O(1).
    @inlinable
    public consuming func intoOwned() -> Borrowed.Owned { takeOwner() }

    @inlinable
    mutating func takeOwner() -> Borrowed.Owned {
        switch content {
        case .borrowed(let view):
            content = .moved
            let owner = withOwnerTag(Self.copyTag) { view.toOwned() }
            CowCounters.owned.add()
            return owner
        case .owned(let owner):
            content = .moved
            return owner
        case .moved: preconditionFailure("a Cow is not changed while it is being changed")
        }
    }

    @inlinable
    static var copyTag: OwnerTag {
        OwnerTag.cached(
            for: ObjectIdentifier(Self.self), family: "Cow",
            spelling: { "Cow<\(OwnerTag.spelling(of: Borrowed.self))>" },
            cause: .copyOnWrite)
    }
}

/// The counters of all `Cow` types; a generic type can hold none itself.
@usableFromInline
enum CowCounters {
    @usableFromInline static let borrowed = EventCounter("Cow.borrowed")
    @usableFromInline static let owned = EventCounter("Cow.owned")
}

extension Cow: Equatable where Borrowed: Equatable {
    /// True where the content is equal, whoever owns it.
    @inlinable
    public static func == (left: Cow, right: Cow) -> Bool {
        left.withBorrow { leftView in right.withBorrow { rightView in leftView == rightView } }
    }
}

extension Cow: Hashable where Borrowed: Hashable {
    /// Hashes the content: a borrowed and an owned `Cow` of the same content hash alike.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        withBorrow { view in view.hash(into: &hasher) }
    }
}

extension Cow: CustomStringConvertible where Borrowed: CustomStringConvertible {
    /// The content's description.
    @inlinable
    public var description: String { withBorrow { $0.description } }
}

extension Cow.Content: Sendable where Borrowed: Sendable, Borrowed.Owned: Sendable {}
extension Cow: Sendable where Borrowed: Sendable, Borrowed.Owned: Sendable {}
