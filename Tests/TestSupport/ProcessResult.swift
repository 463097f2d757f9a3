// What a child process left behind: how it ended and what it printed. Plain values, made by `run` in ProcessRunner.swift.

/// How a process ended.
public enum ProcessStatus: Equatable, Sendable, CustomStringConvertible {
    /// It returned from `main` or called `exit`; the value is the exit status.
    case exited(Int32)
    /// A signal ended it; the value is the signal's number.
    case signaled(Int32)

    /// Whether the process exited with status 0.
    public var isSuccess: Bool { self == .exited(0) }

    /// A reading of the status for failure messages.
    public var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .signaled(let signal): "signal \(signal)"
        }
    }

    /// Decodes the status word of `waitpid`.
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }
}

/// The outcome of one run of a program.
public struct ProcessResult: Sendable {
    /// The process id it had.
    public let pid: Int32
    /// How it ended.
    public let status: ProcessStatus
    /// Every byte it wrote to standard output.
    public let stdoutBytes: [UInt8]
    /// Every byte it wrote to standard error.
    public let stderrBytes: [UInt8]
    /// Whether it outlived its timeout and was killed for that; `status` is then SIGKILL's.
    public let timedOut: Bool

    /// Standard output as UTF-8, malformed bytes replaced.
    public var stdout: String { String(decoding: stdoutBytes, as: UTF8.self) }
    /// Standard error as UTF-8, malformed bytes replaced.
    public var stderr: String { String(decoding: stderrBytes, as: UTF8.self) }
    /// Whether the process exited with status 0 in time.
    public var isSuccess: Bool { status.isSuccess && !timedOut }
    /// The exit status, or nil when a signal ended the process.
    public var exitStatus: Int32? {
        if case .exited(let status) = status { status } else { nil }
    }
}

/// A failure of the helpers themselves, as opposed to one of the program under test.
public struct TestSupportError: Error, CustomStringConvertible {
    /// What failed, in one line.
    public let description: String

    /// Makes an error that reads `description`.
    public init(_ description: String) {
        self.description = description
    }
}
