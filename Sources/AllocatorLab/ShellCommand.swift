// Command lines that the user gave for the shell: what sets a run up, what drives a server, what asks whether it is ready.

internal import Glibc

/// A command that has to succeed and did not.
public struct ShellCommandError: Error, Equatable, CustomStringConvertible {
    /// What happened, in one line.
    public let description: String
}

/// One command line for `/bin/sh`, run without another allocator.
public struct ShellCommand: Equatable, Sendable {
    /// As it was typed.
    public let text: String

    /// Takes a command line.
    public init(_ text: String) {
        self.text = text
    }

    /// How it is started.
    func request(environment: [ByteString], input: Int32, output: Int32, errors: Int32) -> ChildProcess.Request {
        ChildProcess.Request(
            path: "/bin/sh", arguments: ["sh", "-c", ByteString(text)], environment: environment, input: input,
            output: output,
            errors: errors)
    }

    /// Runs it to its end, its output discarded.
    ///
    /// - Parameters:
    ///   - other: a process without which it is of no use: when that ends, it is killed.
    ///   - pipes: that process's output, to be taken in meanwhile.
    ///   - deadline: when it is killed, on the monotonic clock.
    /// - Returns: how it ended, nil for being killed, and the last line it wrote to standard error.
    /// - Throws: `Interrupted`, after it was ended; `LaunchError`.
    func run(
        environment: [ByteString], watch: ChildWatch, beside other: ChildProcess? = nil, pipes: [OutputPipe] = [],
        until deadline: UInt64? = nil
    ) throws -> (outcome: RunOutcome?, complaint: String?) {
        let null = try NullDevice()
        let errors = try OutputPipe()
        let child = try ChildProcess(
            request(
                environment: environment, input: null.descriptor, output: null.descriptor, errors: errors.sink))
        errors.closeSink()
        let event: ChildWatch.Event
        do {
            var observer = RunObserver()
            event = try watch.wait(
                for: [child] + (other.map { [$0] } ?? []), pipes: [errors] + pipes, observer: &observer, until: deadline
            )
        } catch {
            watch.end(child, after: error, pipes: [errors] + pipes)
            try child.reap()
            throw error
        }
        guard event == .ended(0) else {
            child.killTree()
            try child.reap()
            return (nil, errors.lastLine)
        }
        return (try child.reap().outcome, errors.lastLine)
    }

    /// Runs it as what sets a run up.
    ///
    /// - Throws: `ShellCommandError` unless it exits with status 0.
    func runAsSetup(environment: [ByteString], watch: ChildWatch) throws {
        let (outcome, complaint) = try run(environment: environment, watch: watch)
        guard outcome == .exited(0) else {
            let end = outcome.map { "\($0.words(plural: false))" } ?? "did not end"
            let said = complaint.map { ": \($0)" } ?? ""
            throw ShellCommandError(description: "the setup command '\(text)' \(end)\(said)")
        }
    }
}

/// `/dev/null`, open for both ways for as long as the value lives.
struct NullDevice: ~Copyable {
    let descriptor: Int32

    init() throws(LaunchError) {
        descriptor = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw LaunchError(action: "/dev/null", code: errno) }
    }

    deinit { close(descriptor) }
}
