// Events decoded and merged on a thread of their own, while the caller's thread analyses the ones before: a ring of batches between the two,
// guarded by two counters that the kernel keeps. Batches are handed over in order, so nothing depends on how the threads run.

internal import CMachine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif
internal import Synchronization

/// A ring of batches that one thread fills and another empties.
final class EventPipe: @unchecked Sendable {
    // Unchecked: each batch is touched only by the side that took it from its counter, which orders all accesses; `merger` is the filling
    // thread's from `start` to `finish`.
    private static let batches = 4
    private static let batchEvents = 4096

    private let merger: EventMerger
    private let events: UnsafeMutablePointer<HeapEvent>
    private let counts: UnsafeMutablePointer<Int>
    /// How many batches may be filled, and how many may be emptied.
    private let free: UnsafeMutablePointer<sem_t>
    private let filled: UnsafeMutablePointer<sem_t>
    private let isStopped = Atomic(false)
    private var thread = pthread_t()
    /// The batch that the emptying side holds or waits for.
    private var number = 0
    private var isHolding = false

    /// Starts to fill; nil when the system gives no thread.
    init?(_ merger: EventMerger) {
        self.merger = merger
        events = .allocate(capacity: Self.batches * Self.batchEvents)
        counts = .allocate(capacity: Self.batches)
        free = .allocate(capacity: 1)
        filled = .allocate(capacity: 1)
        sem_init(free, 0, UInt32(Self.batches))
        sem_init(filled, 0, 0)
        let this = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<EventPipe>.fromOpaque(argument!).takeRetainedValue().fill()
                return nil
            }, this.toOpaque())
        if status != 0 {
            this.release()
            return nil
        }
    }

    deinit {
        sem_destroy(free)
        sem_destroy(filled)
        free.deallocate()
        filled.deallocate()
        counts.deallocate()
        events.deallocate()
    }

    private func batch(_ number: Int) -> UnsafeMutableBufferPointer<HeapEvent> {
        UnsafeMutableBufferPointer(start: events + number * Self.batchEvents, count: Self.batchEvents)
    }

    private static func wait(_ counter: UnsafeMutablePointer<sem_t>) {
        while sem_wait(counter) != 0 {}  // EINTR is its only failure
    }

    /// The filling thread.
    private func fill() {
        var number = 0
        while true {
            Self.wait(free)
            // Relaxed: a stop needs no more than to be seen some time; the join orders the rest.
            if isStopped.load(ordering: .relaxed) { return }
            let count = merger.fill(batch(number))
            counts[number] = count
            sem_post(filled)
            if count == 0 { return }
            number = (number + 1) % Self.batches
        }
    }

    /// The next batch, which lasts until the call after; nil behind the last.
    func next() -> UnsafeBufferPointer<HeapEvent>? {
        if isHolding {
            sem_post(free)
            number = (number + 1) % Self.batches
        }
        Self.wait(filled)
        isHolding = counts[number] > 0
        return isHolding ? UnsafeBufferPointer(rebasing: batch(number)[..<counts[number]]) : nil
    }

    /// Ends the filling, wherever it is. To be called once, after the last `next`.
    func finish() {
        isStopped.store(true, ordering: .relaxed)
        sem_post(free)
        pthread_join(thread, nil)
    }

    /// Processors that this process may run on.
    static var processors: Int { Int(ht_machine_processors()) }
}
