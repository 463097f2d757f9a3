// Many threads, one dictionary, and who of them allocates.

import Glibc
import HeaptrailTags
import SmartPointers

/// 32 threads count one key into one dictionary behind a mutex. Each looks with a borrowed key and counts with a key of its
/// own: of those 32, the dictionary keeps the first.
enum MutexWorkload: Workload {
    static let name = "mutex"
    static let summary = "32 threads count into one dictionary keyed by Cow; each allocates one key"

    static let threads = 32

    static let expected = [
        ExpectedRow("Class", "Mutex<Tally>", .construct, allocations: 1),
        ExpectedRow("Dictionary", "Dictionary<Cow<BorrowedString>, Int>", .construct, allocations: 1),
        ExpectedRow("Cow", "Cow<BorrowedString>", .copyOnWrite, allocations: threads),
    ]

    static let counters = ["Cow.borrowed": threads, "Cow.owned": threads]

    static func run(_ options: Options) throws(WorkloadError) {
        warmUp { Shared(Mutex(Tally())).countOnce() }
        let tally = attributed("Dictionary", "Dictionary<Cow<BorrowedString>, Int>", .construct) { opaque(Tally()) }
        let mutex = Mutex(tally)
        try Shared(mutex).runThreads()
        let locked = mutex.lock()
        for (key, count) in locked.value.counts { say("mutex: \(key) counted \(count) times") }
        say("mutex: \(locked.value.repeats) threads found the key there")
    }
}

/// What the mutex guards.
private struct Tally {
    /// With room from the start: it never grows.
    var counts = [Cow<BorrowedString>: Int](minimumCapacity: opaque(4))
    /// How many threads found their key counted already.
    var repeats = 0
}

/// What the threads share.
private final class Shared: Sendable {
    private let tally: Mutex<Tally>

    init(_ tally: Mutex<Tally>) { self.tally = tally }

    func runThreads() throws(WorkloadError) {
        var threads: [pthread_t] = []
        var status: Int32 = 0
        while threads.count < MutexWorkload.threads && status == 0 {
            var thread = pthread_t()
            let reference = Unmanaged.passUnretained(self).toOpaque()
            status = pthread_create(&thread, nil, { Shared.start($0) }, reference)
            if status == 0 { threads.append(thread) }
        }
        for thread in threads { pthread_join(thread, nil) }
        guard status == 0 else { throw WorkloadError(message: "no thread: \(String(cString: strerror(status)))") }
    }

    private static func start(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        // `runThreads` keeps the object until every thread has been joined.
        Unmanaged<Shared>.fromOpaque(argument).takeUnretainedValue().countOnce()
        return nil
    }

    func countOnce() {
        let text = BorrowedString("https://example.com/rust")
        let borrowed = Cow(borrowing: text)
        let owned = Cow<BorrowedString>(owningResultOf: { text.toOwned() })
        tally.withLock { tally in
            if tally.counts[borrowed] != nil { tally.repeats += 1 }
            tally.counts[owned, default: 0] += 1
        }
    }
}
