// A value behind a lock, and the guard that is the only way to it. Owns the lock's storage: one object that holds the
// POSIX mutex and the value, so that both keep their addresses.

internal import Glibc

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
    public init(_ value: sending Value) { storage = MutexStorage(value) }

    /// Waits for the lock.
    ///
    /// - Returns: The guard, which stays in the scope that asked for it and keeps the mutex alive.
    @_lifetime(immortal)
    public func lock() -> MutexGuard<Value> {
        storage.lock()
        return MutexGuard(storage)
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
        var guardian = MutexGuard(storage)
        return try body(&guardian.value)
    }
}

/// The proof that a ``Mutex`` is locked, and the way to its value.
///
/// The mutex is unlocked when the guard goes. A guard can neither be copied, nor leave the scope that locked, nor be
/// sent to another thread: a POSIX mutex must be unlocked by the thread that locked it, and the compiler sees to that.
public struct MutexGuard<Value>: ~Copyable, ~Escapable {
    private let storage: MutexStorage<Value>

    // Immortal: the guard holds the storage itself, so that no other value has to outlive it. It is `~Escapable` to be
    // kept out of escaping closures, the only way to another thread.
    @_lifetime(immortal)
    fileprivate init(_ storage: MutexStorage<Value>) { self.storage = storage }

    deinit { storage.unlock() }

    /// The locked value, read and changed in place.
    public var value: Value {
        _read { yield storage.value.pointee }
        _modify { yield &storage.value.pointee }
    }
}

@available(*, unavailable, message: "a mutex is unlocked by the thread that locked it")
extension MutexGuard: Sendable {}

/// The POSIX mutex and the value in one object.
private final class MutexStorage<Value> {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    let value: UnsafeMutablePointer<Value>
    private let block: UnsafeMutableRawPointer
    private static var valueOffset: Int {
        let alignment = MemoryLayout<Value>.alignment
        return (MemoryLayout<pthread_mutex_t>.size + alignment - 1) / alignment * alignment
    }
    private static var layout: AllocationLayout {
        AllocationLayout(
            size: valueOffset + MemoryLayout<Value>.size,
            alignment: max(MemoryLayout<pthread_mutex_t>.alignment, MemoryLayout<Value>.alignment))
    }

    init(_ initial: sending Value) {
        do throws(AllocationError) {
            block = try SystemAllocator().allocate(Self.layout)
        } catch {
            fatalError("no memory for a mutex: \(error)")
        }
        mutex = block.bindMemory(to: pthread_mutex_t.self, capacity: 1)
        value = (block + Self.valueOffset).bindMemory(to: Value.self, capacity: 1)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ERRORCHECK))
        let status = pthread_mutex_init(mutex, &attributes)
        precondition(status == 0, "a mutex without shared attributes needs no resource that could be missing")
        pthread_mutexattr_destroy(&attributes)
        value.initialize(to: initial)
    }

    deinit {
        value.deinitialize(count: 1)
        pthread_mutex_destroy(mutex)
        SystemAllocator().deallocate(block, Self.layout)
    }

    func lock() {
        let status = pthread_mutex_lock(mutex)
        precondition(status == 0, "this thread holds the mutex already")
    }

    func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }

    func unlock() {
        let status = pthread_mutex_unlock(mutex)
        precondition(status == 0, "a mutex is unlocked by the thread that locked it")
    }
}
