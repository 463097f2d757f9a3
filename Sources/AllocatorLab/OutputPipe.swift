// What a program prints, taken in as it comes and not kept: its fingerprint, its beginning and its last line.

internal import Glibc

/// Length and hash of a program's output.
public struct OutputFingerprint: Equatable, Sendable {
    /// How many bytes there were.
    public private(set) var count: UInt64 = 0
    /// FNV-1a, 64 bits.
    public private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The fingerprint of no output.
    public init() {}

    /// Takes more output in.
    public mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            count += 1
        }
    }
}

/// A pipe from a program to this process.
final class OutputPipe {
    /// The end to give to the program.
    private(set) var sink: Int32
    /// The end to wait for; -1 after the end of the output.
    private(set) var source: Int32
    /// Of all that was read.
    private(set) var fingerprint = OutputFingerprint()

    private let isKept: Bool
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private var taken: UInt64 = 0
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private static let headBytes = 4096
    private static let tailBytes = 1024
    private static let mostPipeBytes: UInt64 = 1 << 20

    /// Makes a pipe that no program inherits by accident.
    ///
    /// - Parameter isKept: whether to fingerprint what comes; else it is only read.
    init(isKept: Bool = true) throws(LaunchError) {
        self.isKept = isKept
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LaunchError(action: "pipe", code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (source, sink) = (ends[0], ends[1])
    }

    deinit {
        closeSink()
        if source >= 0 { close(source) }
    }

    /// To be called when the program has its end, so that the end of its output can be seen.
    func closeSink() {
        if sink >= 0 { close(sink) }
        sink = -1
    }

    /// Reads what there is, up to one buffer; waits where there is nothing.
    func take() {
        guard source >= 0 else { return }
        let count = read(source, &buffer, buffer.count)
        if count > 0 {
            taken += UInt64(count)
            guard isKept else { return }
            fingerprint.append(buffer[..<count])
            head += buffer[..<min(count, Self.headBytes - min(head.count, Self.headBytes))]
            tail = Array((tail + buffer[max(0, count - Self.tailBytes)..<count]).suffix(Self.tailBytes))
        } else if count == 0 || errno != EINTR {
            close(source)
            source = -1
        }
    }

    /// Reads what there is without waiting for more, and no more than a pipe can hold: what a process prints that was left
    /// behind is not waited for.
    func drain() {
        let end = taken + Self.mostPipeBytes
        while source >= 0, taken < end {
            var descriptor = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, 0) > 0 else { return }
            take()
        }
    }

    /// The first bytes of the output, as text.
    var beginning: String { String(decoding: head, as: UTF8.self) }

    /// The last line that has something in it, cut to a length fit for a message; nil where there is none.
    var lastLine: String? {
        let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline)
        let line = lines.last { $0.contains { !$0.isWhitespace } }
        return line.map { $0.count > 160 ? "…" + $0.suffix(159) : String($0) }
    }
}
