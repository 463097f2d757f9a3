// Many threads, one dictionary, and who of them allocates.

import Glibc
import HeaptrailTags
import SmartPointers

/// 32 threads count one key into one dictionary behind a mutex; every second thread brings a key of its own.
enum MutexWorkload: Workload {
    static let name = "mutex"
    static let summary = "32 threads count into one dictionary keyed by Cow; 16 of them allocate a key"

    static let threads = 32

    static let expected = [
        ExpectedRow("Class", "Mutex<Dictionary<Cow<BorrowedString>, Int>>", .construct, allocations: 1),
        ExpectedRow("Class", "Mutex<Int>", .construct, allocations: 1),
        ExpectedRow("Dictionary", "Dictionary<Cow<BorrowedString>, Int>", .construct, allocations: 1),
        ExpectedRow("Cow", "Cow<BorrowedString>", .copyOnWrite, allocations: threads / 2),
    ]

    static let counters = ["Cow.borrowed": threads / 2, "Cow.owned": threads / 2]

    static func run(_ options: Options) throws(WorkloadError) {
        warmUp {
            var sample = opaque(Counts(minimumCapacity: opaque(4)))
            for number in 1...2 { sample[Shared.key(ofThread: number), default: 0] += 1 }
            _ = Shared(Mutex(sample))
        }
        let counts = attributed("Dictionary", "Dictionary<Cow<BorrowedString>, Int>", .construct) {
            opaque(Counts(minimumCapacity: opaque(4)))
        }
        let mutex = Mutex(counts)
        try Shared(mutex).runThreads()
        let locked = mutex.lock()
        for (key, count) in locked.value { print("mutex: \(key) counted \(count) times") }
    }
}

private typealias Counts = [Cow<BorrowedString>: Int]

/// What the threads share; each takes its number from it.
private final class Shared: Sendable {
    let counts: Mutex<Counts>
    private let arrivals = Mutex(0)

    init(_ counts: Mutex<Counts>) { self.counts = counts }

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

    /// The one key that all threads count: owned by threads of odd number, borrowed by the others.
    static func key(ofThread number: Int) -> Cow<BorrowedString> {
        let text = BorrowedString("https://example.com/rust")
        return number % 2 == 0 ? Cow(borrowing: text) : Cow(owningResultOf: { text.toOwned() })
    }

    private func countOnce() {
        let key = Self.key(ofThread: takeNumber())
        let counts = counts
        var locked = counts.lock()
        locked.value[key, default: 0] += 1
    }

    private func takeNumber() -> Int {
        arrivals.withLock { count in
            count += 1
            return count
        }
    }
}
