// Runs a program, untraced, under an allocator. The only file of the target that speaks to the C launcher.

internal import CLaunch
internal import Glibc

/// A system call that failed while a program was run.
public struct LaunchError: Error, Equatable, CustomStringConvertible {
    /// What was tried.
    public let action: String
    /// The `errno` it failed with.
    public let code: Int32

    /// The action and the system's own words.
    public var description: String { "\(action): \(String(cString: strerror(code)))" }
}

/// Starts one program over and over, each time with an allocator of choice.
///
/// Standard error goes to `/dev/null`. Standard input is read anew from its start in every run if it is a regular file,
/// else it is `/dev/null`: a pipe could be read only once.
public struct ProgramLauncher: ProgramRunning {
    private let program: Program
    private let environment: [String]
    private let inputPath: String

    /// Prepares to run `program` in this process's environment and folder.
    public init(_ program: Program) {
        self.program = program
        var variables: [String] = []
        var cursor = environ
        while let entry = cursor.pointee {
            variables.append(String(cString: entry))
            cursor += 1
        }
        environment = variables
        var status = stat()
        let isFile = fstat(0, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        inputPath = isFile ? "/proc/self/fd/0" : "/dev/null"
    }

    /// Runs the program once with both outputs discarded.
    ///
    /// - Throws: `LaunchError` when it cannot be started.
    public func measure(on allocator: Allocator) throws -> RunMeasurement {
        let output = try open("/dev/null", O_WRONLY)
        defer { close(output) }
        let process = try start(on: allocator, output: output)
        let usage = try wait(for: process)
        return RunMeasurement(
            outcome: RunOutcome(waitStatus: usage.wait_status), wallNanoseconds: usage.wall_ns,
            cpuNanoseconds: usage.user_ns + usage.system_ns, peakResidentBytes: usage.peak_rss_bytes,
            minorFaults: usage.minor_faults)
    }

    /// Runs the program once, reading its standard output as it comes; nothing of it is kept.
    ///
    /// What a process it leaves behind prints after its end is not waited for.
    ///
    /// - Throws: `LaunchError` when it cannot be started.
    public func fingerprint(on allocator: Allocator) throws -> (outcome: RunOutcome, output: OutputFingerprint) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LaunchError(action: "pipe", code: errno) }
        let (source, sink) = (ends[0], ends[1])
        defer { close(source) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let started = Result { try start(on: allocator, output: sink) }
        close(sink)
        let process = try started.get()

        var fingerprint = OutputFingerprint()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var descriptor = pollfd(fd: source, events: Int16(POLLIN), revents: 0)
        while true {
            // An end without end of file (a child of its own has the pipe) shows as silence from a process that is over.
            if poll(&descriptor, 1, 100) == 0, isOver(process.pid) { break }
            if descriptor.revents == 0 { continue }
            let count = read(source, &buffer, buffer.count)
            if count == 0 { break }
            if count > 0 { fingerprint.append(buffer[..<count]) }
        }
        return (RunOutcome(waitStatus: try wait(for: process).wait_status), fingerprint)
    }

    private func start(on allocator: Allocator, output: Int32) throws -> ht_launch_process {
        let input = try open(inputPath, O_RDONLY)
        defer { close(input) }
        let errors = try open("/dev/null", O_WRONLY)
        defer { close(errors) }
        var arguments: [UnsafePointer<CChar>?] = program.arguments.map { UnsafePointer(strdup($0)) } + [nil]
        var variables: [UnsafePointer<CChar>?] =
            Self.preloading(allocator, in: environment).map { UnsafePointer(strdup($0)) } + [nil]
        defer { (arguments + variables).forEach { free(UnsafeMutablePointer(mutating: $0)) } }
        var process = ht_launch_process()
        let error = program.path.withCString { path in
            arguments.withUnsafeMutableBytes { arguments in
                variables.withUnsafeMutableBytes { variables in
                    var request = ht_launch_request(
                        path: path, arguments: arguments.baseAddress?.assumingMemoryBound(to: Strings.self),
                        environment: variables.baseAddress?.assumingMemoryBound(to: Strings.self),
                        standard_input: input, standard_output: output, standard_error: errors)
                    return ht_launch_start(&request, &process)
                }
            }
        }
        guard error == 0 else { throw LaunchError(action: program.path, code: error) }
        return process
    }

    private typealias Strings = UnsafeMutablePointer<CChar>?

    private func wait(for process: ht_launch_process) throws -> ht_launch_usage {
        var process = process
        var usage = ht_launch_usage()
        let error = ht_launch_wait(&process, &usage)
        guard error == 0 else { throw LaunchError(action: "wait4", code: error) }
        return usage
    }

    /// Whether the process has ended; it stays to be waited for.
    private func isOver(_ pid: Int32) -> Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo != 0
    }

    private func open(_ path: String, _ flags: Int32) throws -> Int32 {
        let descriptor = Glibc.open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw LaunchError(action: path, code: errno) }
        return descriptor
    }

    /// The environment with the allocator's library first among the preloads; the user's own stay behind it.
    static func preloading(_ allocator: Allocator, in environment: [String]) -> [String] {
        guard let library = allocator.libraryPath else { return environment }
        let key = "LD_PRELOAD="
        let own = environment.first { $0.hasPrefix(key) }?.dropFirst(key.count) ?? ""
        return environment.filter { !$0.hasPrefix(key) } + [own.isEmpty ? key + library : "\(key)\(library) \(own)"]
    }
}

extension RunOutcome {
    fileprivate init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }
}
