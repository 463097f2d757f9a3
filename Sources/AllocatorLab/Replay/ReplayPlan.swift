// What a replay performs, as the C loop reads it: a file without a name, and what is said of it.

internal import CReplay
internal import Glibc
public import HeapAnalysis

/// The calls of a trace, ready to be performed again any number of times.
public struct ReplayPlan: Sendable {
    /// ALLOC and FREE events that the plan performs.
    public internal(set) var events: UInt64 = 0
    /// Threads that make the calls.
    public internal(set) var threads = 0
    /// Threads that are there at once, at most.
    public internal(set) var mostThreads = 0
    /// The most bytes that are live at once.
    public internal(set) var peakBytes: UInt64 = 0
    /// Events that are over when they are.
    public internal(set) var peakEvent: UInt64 = 0
    /// Bytes live at the end.
    public internal(set) var liveBytes: UInt64 = 0
    /// Blocks live at once at most, and those slots kept beside them for other threads.
    public internal(set) var slots: UInt64 = 0
    /// Events between two points of the curve.
    public internal(set) var sampleStep: UInt64 = 1
    /// Live bytes at each point of the curve, the last one at the end.
    public internal(set) var curve: [UInt64] = []
    /// Nanoseconds after the first event at each point of the curve; empty where the trace's times are no times.
    public internal(set) var times: [UInt64] = []
    /// Who owns blocks, by the numbers that the plan's calls name; several numbers may be one owner.
    public internal(set) var owners: [Owner] = []
    /// What every run must say of the calls that it made.
    public internal(set) var hash: UInt64 = 0
    /// Times that a thread has to wait for another one, so that no block is freed before it was allocated.
    public internal(set) var waits: UInt64 = 0
    /// Bytes of the file.
    public internal(set) var fileBytes: UInt64 = 0
    /// What of the program's calls is not in it.
    public internal(set) var gaps = ReplayGaps()

    /// The file.
    let file: PlanFile

    /// When so many events were over, as far as the curve's points tell; nil where the trace's times are no times.
    func nanoseconds(atEvent event: UInt64) -> UInt64? {
        guard let last = times.last else { return nil }
        if event >= events { return last }
        let point = Int(event / sampleStep)
        let after = times[min(point, times.count - 1)]
        let before = point == 0 ? 0 : times[min(point, times.count) - 1]
        let share = Double(event % sampleStep) / Double(sampleStep)
        return before + UInt64(Double(after - min(before, after)) * share)
    }
}

/// A file without a name in the folder for temporary files; it goes with its last user.
final class PlanFile: Sendable {
    /// Its descriptor.
    let descriptor: Int32

    /// Opens a new one.
    ///
    /// - Throws: `ReplayError` when that cannot be done.
    init(purpose: String) throws(ReplayError) {
        var failure: Int32 = 0
        // Not /tmp: it is memory on many machines, and a plan may be larger than that.
        let folders = [FileProbe.variable("TMPDIR"), "/var/tmp", "/tmp"].compactMap { $0 }
        for folder in folders {
            var path = Array("\(folder)/heaptrail-\(purpose)-XXXXXX".utf8CString)
            let descriptor = mkstemp(&path)
            if descriptor >= 0 {
                _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
                unlink(path)
                self.descriptor = descriptor
                return
            }
            failure = errno
        }
        throw ReplayError.system(action: "cannot create a file in \(folders[0])", code: failure)
    }

    deinit { close(descriptor) }

    /// Writes bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(ReplayError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(written))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(action: "cannot write the plan of the replay", code: errno) }
            written += count
        }
    }

    /// All of it, or its last bytes.
    func contents(last most: Int = .max) throws(ReplayError) -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(action: "fstat", code: errno) }
        var bytes = [UInt8](repeating: 0, count: min(most, Int(status.st_size)))
        let start = Int(status.st_size) - bytes.count
        var read = 0
        while read < bytes.count {
            let count = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress! + read, buffer.count - read, off_t(start + read))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .system(action: "cannot read the result of a replay", code: errno) }
            read += count
        }
        return bytes
    }
}

/// Why a trace cannot be replayed.
public enum ReplayError: Error, Equatable, CustomStringConvertible {
    /// A system call failed.
    case system(action: String, code: Int32)
    /// The trace has more of something than a replay can hold.
    case tooLarge(String)
    /// The plan is not what the trace says.
    case mismatch(String)

    /// What happened, in one line.
    public var description: String {
        switch self {
        case .system(let action, 0): action
        case .system(let action, let code): "\(action): \(String(cString: strerror(code)))"
        case .tooLarge(let what), .mismatch(let what): what
        }
    }
}
