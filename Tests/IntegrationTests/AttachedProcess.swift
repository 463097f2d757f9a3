// A process that goes on while a test talks to it over pipes, line by line; it is ended with the value.

internal import Foundation
internal import Glibc
internal import TestSupport

/// A running process with its input and one of its outputs in the test's hands.
final class AttachedProcess {
    /// Its id.
    let pid: Int32
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffered: [UInt8] = []

    /// Starts a program.
    /// - Parameter readsErrors: its lines are those of standard error rather than of standard output.
    init(
        _ program: String, _ arguments: [String], environment: ProcessEnvironment = .inherited(),
        readsErrors: Bool = false
    ) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = environment.variables
        process.standardInput = input
        process.standardOutput = readsErrors ? FileHandle.nullDevice : output
        process.standardError = readsErrors ? output : FileHandle.nullDevice
        try process.run()
        pid = process.processIdentifier
    }

    deinit {
        if process.isRunning { kill(pid, SIGKILL) }
    }

    /// The next line, without its end. Waits a minute at most.
    func line() throws -> String {
        while true {
            if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffered.removeFirst(end + 1) }
                return String(decoding: buffered[..<end], as: UTF8.self)
            }
            var poller = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 60_000) > 0 else { throw TestSupportError("process \(pid) says nothing") }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw TestSupportError("process \(pid) ended without a line: \(buffered)") }
            buffered += more
        }
    }

    /// Writes to its standard input.
    func write(_ text: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }

    /// Closes its standard input.
    func endInput() { try? input.fileHandleForWriting.close() }

    /// How it ended. Waits a minute at most.
    func status() throws -> ProcessStatus {
        for _ in 0..<6000 where process.isRunning { usleep(10_000) }
        guard !process.isRunning else { throw TestSupportError("process \(pid) does not end") }
        return process.terminationReason == .exit
            ? .exited(process.terminationStatus) : .signaled(process.terminationStatus)
    }

    /// The letter of its state in /proc.
    var state: Character? {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.first { $0 != " " }
    }

    /// Whether this system lets one process of ours trace another.
    static let isPermitted: Bool = {
        if geteuid() == 0 { return true }
        let scope = try? String(contentsOfFile: "/proc/sys/kernel/yama/ptrace_scope", encoding: .utf8)
        return scope == nil || scope?.hasPrefix("0") == true
    }()
}
