// A value behind a lock, and the guard that is the only way to it. Owns the lock's storage: one object that holds the
// POSIX mutex and the value, so that both keep their addresses.

internal import Glibc
internal import HeaptrailTags

/// A value that one thread at a time can reach.
///
/// A `Mutex` is a handle: copies of it share one value, as captured by several threads. ``lock()`` waits and gives a
/// ``MutexGuard``; the value is unlocked when the guard goes, by whatever way the scope is left.
///
/// ```swift
/// let counts = Mutex([String: Int]())
/// do {
///     var counts = counts.lock()
///     counts.value["rust", default: 0] += 1
/// }   // unlocked here
/// ```
///
/// The lock is not recursive: locking twice on one thread stops the program. A reference that the value holds must not be
/// kept past its guard; that rule is the caller's.
public struct Mutex<Value>: @unchecked Sendable {
    // Sendable: the storage's value is reached under its lock only, and what goes in is sent in (`sending`).
    fileprivate let storage: MutexStorage<Value>

    /// Makes a mutex around a value.
    ///
    /// - Parameter value: The value; the caller gives it up.
    public init(_ value: sending Value) { storage = MutexStorage.make(value) }

    /// Waits for the lock.
    ///
    /// - Returns: The guard, which cannot outlive the variable that this was called on. A mutex that is a property of a
    ///   class is bound to a `let` first, or used by ``withLock(_:)``.
    @_lifetime(borrow self)
    public func lock() -> MutexGuard<Value> {
        storage.lock()
        return MutexGuard(storage, lockedIn: self)
    }

    /// Waits for the lock and holds it while `body` runs.
    ///
    /// - Parameter body: Run with the value while it is locked.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; the lock is free again then.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var guardian = lock()
        return try body(&guardian.value)
    }

    /// Takes the lock if nobody holds it.
    ///
    /// - Parameter body: Run with the value while it is locked.
    /// - Returns: What `body` returns; nil where somebody holds the lock.
    /// - Throws: What `body` throws; the lock is free again then.
    public func withLockIfAvailable<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard storage.tryLock() else { return nil }
        var guardian = MutexGuard(storage, lockedIn: self)
        return try body(&guardian.value)
    }
}

/// The proof that a ``Mutex`` is locked, and the way to its value.
///
/// The mutex is unlocked when the guard goes. A guard can neither be copied, nor leave the scope that locked, nor be
/// sent to another thread: a POSIX mutex must be unlocked by the thread that locked it, and the compiler sees to that.
public struct MutexGuard<Value>: ~Copyable, ~Escapable {
    private let storage: MutexStorage<Value>

    // Not Sendable is not enough: region isolation lets a value that nobody else refers to be sent even so, into
    // `Task.detached` for one. Bound to the lifetime of `mutex`, the guard cannot be captured by an escaping closure at all.
    @_lifetime(borrow mutex)
    fileprivate init(_ storage: MutexStorage<Value>, lockedIn mutex: borrowing Mutex<Value>) { self.storage = storage }

    deinit { storage.unlock() }

    /// The locked value, read and changed in place.
    public var value: Value {
        _read { yield storage.value.pointee }
        _modify { yield &storage.value.pointee }
    }
}

@available(*, unavailable, message: "a mutex is unlocked by the thread that locked it")
extension MutexGuard: Sendable {}

/// The POSIX mutex and the value in one object, so that both keep their addresses.
private final class MutexStorage<Value>: ManagedBuffer<pthread_mutex_t, Value> {
    static func make(_ initial: sending Value) -> MutexStorage {
        let tag = OwnerTag.cached(
            for: ObjectIdentifier(Self.self), family: "Class",
            spelling: { "Mutex<\(OwnerTag.spelling(of: Value.self))>" },
            cause: .construct)
        OwnerTag.prepare(Self.self)
        let object = withOwnerTag(tag) { Self.create(minimumCapacity: 1) { _ in pthread_mutex_t() } }
        object.withUnsafeMutablePointers { mutex, value in
            // Error checking: relocking and foreign unlocking are reported instead of being a deadlock or a broken lock.
            var attributes = pthread_mutexattr_t()
            pthread_mutexattr_init(&attributes)
            pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ERRORCHECK))
            let status = pthread_mutex_init(mutex, &attributes)
            precondition(status == 0, "a mutex without shared attributes needs no resource that could be missing")
            pthread_mutexattr_destroy(&attributes)
            value.initialize(to: initial)
        }
        return unsafeDowncast(object, to: MutexStorage.self)
    }

    deinit {
        withUnsafeMutablePointers { mutex, value in
            value.deinitialize(count: 1)
            pthread_mutex_destroy(mutex)
        }
    }

    /// The value's place, which it keeps for the object's life.
    var value: UnsafeMutablePointer<Value> { withUnsafeMutablePointerToElements { $0 } }

    func lock() {
        let status = withUnsafeMutablePointerToHeader { pthread_mutex_lock($0) }
        precondition(status == 0, "this thread holds the mutex already")
    }

    func tryLock() -> Bool { withUnsafeMutablePointerToHeader { pthread_mutex_trylock($0) } == 0 }

    func unlock() {
        let status = withUnsafeMutablePointerToHeader { pthread_mutex_unlock($0) }
        precondition(status == 0, "a mutex is unlocked by the thread that locked it")
    }
}
