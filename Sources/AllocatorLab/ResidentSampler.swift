// The resident set of a running program over time, read from outside at intervals that grow with the run, so that a run of
// any length costs little memory and a bounded share of one processor. The program is neither stopped nor entered.

internal import Glibc

/// Reads the resident set of a process and its descendants now and then.
///
/// The figure is the resident pages of `/proc/PID/statm`, summed over the processes; pages that several share (a
/// library's code, memory not yet written after a fork) count for each. `smaps_rollup` would divide them up, but takes the
/// program's memory-map lock and walks its page tables: it would hold up what is being timed.
struct ResidentSampler {
    /// What was read so far.
    private(set) var series = TimeSeries()
    /// Nanoseconds that reading took.
    private(set) var spentNanoseconds: UInt64 = 0

    private let tree: ProcessTree
    private let startedNanoseconds: UInt64
    /// The processes that the last reading counted.
    private(set) var members: [Int32]
    private var membersDue: UInt64 = 0
    private var due: UInt64 = 0

    /// The shortest time between two readings.
    static let shortestInterval: UInt64 = 1_000_000
    /// A run's readings are at least a 512th of its length apart.
    private static let readingsARun: UInt64 = 512
    /// After a reading, and after looking for new processes, this many times what it took passes: 1 % each at most.
    private static let rest: UInt64 = 100

    /// Prepares to read the tree below a process that was started at a time of the monotonic clock.
    init(process: Int32, startedNanoseconds: UInt64) {
        tree = ProcessTree(root: process)
        members = [process]
        self.startedNanoseconds = startedNanoseconds
    }

    /// Milliseconds until the next reading is due, at least 1 unless it is due now.
    var millisecondsToNext: Int32 {
        let now = Self.now()
        return now >= due ? 0 : Int32((due - now + 999_999) / 1_000_000)
    }

    /// Reads if the time has come.
    mutating func readIfDue() {
        if Self.now() >= due { read() }
    }

    /// Reads now.
    ///
    /// - Parameter anew: whether to look for new processes although the time for that has not come: for a reading that counts by itself.
    /// - Returns: the resident set in bytes, 0 where the program has ended.
    @discardableResult
    mutating func read(anew: Bool = false) -> UInt64 {
        let began = Self.now()
        var treeEnd = began
        if anew || began >= membersDue {
            members = tree.members()
            treeEnd = Self.now()
            membersDue = treeEnd + max(Self.shortestInterval, (treeEnd - began) * Self.rest)
        }
        let bytes = ProcessTree.residentBytes(of: members)
        let end = Self.now()
        let elapsed = end - min(end, startedNanoseconds)
        // A program that has just ended has no memory; that is no reading of it.
        if bytes > 0 { series.append(nanoseconds: elapsed, value: bytes) }
        spentNanoseconds += end - began
        due = end + max(Self.shortestInterval, elapsed / Self.readingsARun, (end - treeEnd) * Self.rest)
        return bytes
    }

    /// Nanoseconds of the monotonic clock.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
