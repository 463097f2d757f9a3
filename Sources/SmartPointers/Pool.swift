// A bounded pool of reusable items, such as connections. Owns who has which item: idle ones wait in a list, a busy one
// is held by its guard and comes back when the guard goes.

internal import Glibc
internal import HeaptrailTags

/// Why a pool gave no item.
public enum PoolError: Error, Sendable, Equatable {
    /// Every item was busy for as long as the caller would wait.
    case timedOut
}

/// At most `capacity` items, made when first needed and reused from then on.
///
/// A `Pool` is a handle: copies of it share the items. ``acquire(timeout:)`` gives a ``PoolGuard``, which returns its
/// item when it leaves scope.
public struct Pool<Item>: @unchecked Sendable {
    // Sendable: the state is reached under its lock only, and an item is with one guard at a time.
    fileprivate let state: PoolState<Item>

    /// Makes an empty pool.
    ///
    /// - Parameters:
    ///   - capacity: The most items there will be, at least 1.
    ///   - make: Makes an item; called outside the lock, at most `capacity` times over the pool's life.
    public init(capacity: Int, make: @escaping @Sendable () -> sending Item) {
        precondition(capacity > 0, "a pool has room for an item")
        let tag = OwnerTag.cached(
            for: ObjectIdentifier(Self.self), family: "Class",
            spelling: { "Pool<\(OwnerTag.spelling(of: Item.self))>" },
            cause: .construct)
        OwnerTag.prepare(PoolState<Item>.self)
        state = withOwnerTag(tag) { PoolState(capacity: capacity, make: make) }
    }

    /// An item: an idle one, else a new one while the pool may grow, else the first to come back in time.
    ///
    /// - Parameter timeout: The longest wait; zero or less asks without waiting.
    /// - Returns: The guard that holds the item.
    /// - Throws: ``PoolError/timedOut``.
    public func acquire(timeout: Duration) throws(PoolError) -> PoolGuard<Item> {
        PoolGuard(try state.acquire(timeout: timeout), of: state)
    }

    /// How many items have been made so far.
    public var itemsMade: Int { state.itemsMade }
}

/// One item of a ``Pool`` for as long as the guard lives.
///
/// The item goes back when the guard leaves its scope, on every path out of it.
public struct PoolGuard<Item>: ~Copyable {
    /// The item. It must not be kept past the guard's life.
    public var item: Item
    private let state: PoolState<Item>

    fileprivate init(_ item: Item, of state: PoolState<Item>) {
        self.item = item
        self.state = state
    }

    deinit { state.giveBack(item) }
}

private final class PoolState<Item> {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let returned = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let make: @Sendable () -> sending Item
    private let capacity: Int
    private var idle: [Item] = []
    private var made = 0

    init(capacity: Int, make: @escaping @Sendable () -> sending Item) {
        self.capacity = capacity
        self.make = make
        idle.reserveCapacity(capacity)
        pthread_mutex_init(mutex, nil)
        // The deadline is on the monotonic clock: a change of the date neither cuts nor stretches a wait.
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(returned, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(returned)
        pthread_mutex_destroy(mutex)
        returned.deallocate()
        mutex.deallocate()
    }

    var itemsMade: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return made
    }

    func acquire(timeout: Duration) throws(PoolError) -> Item {
        var deadline = Self.deadline(after: timeout)
        pthread_mutex_lock(mutex)
        while true {
            if let item = idle.popLast() {
                pthread_mutex_unlock(mutex)
                return item
            }
            if made < capacity {
                made += 1
                pthread_mutex_unlock(mutex)
                return make()
            }
            if timeout <= .zero || pthread_cond_timedwait(returned, mutex, &deadline) == ETIMEDOUT {
                // An item may have come back as the time ran out.
                let item = idle.popLast()
                pthread_mutex_unlock(mutex)
                guard let item else { throw .timedOut }
                return item
            }
        }
    }

    func giveBack(_ item: Item) {
        pthread_mutex_lock(mutex)
        idle.append(item)
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(returned)
    }

    private static func deadline(after timeout: Duration) -> timespec {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let (seconds, attoseconds) = timeout.components
        let nanoseconds = now.tv_nsec + Int(attoseconds / 1_000_000_000)
        // A wait past the clock's end is a wait for ever; the cap keeps the sum from overflowing.
        let wholeSeconds = now.tv_sec + Int(clamping: min(seconds, 1 << 40))
        return timespec(tv_sec: wholeSeconds + nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
    }
}
