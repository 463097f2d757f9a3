// Runs one program to its end and collects what it printed.
// Standard output and error go to unlinked files, not to pipes: a chatty child can never block, a grandchild that
// outlives it cannot hold the test up, and no descriptor leaks into a child that another thread starts meanwhile.
// The child leads its own process group, so that a timeout ends all of it.

internal import Glibc

/// The environment a program is started with.
public struct ProcessEnvironment: Sendable {
    /// Every variable the program will see.
    public let variables: [String: String]

    /// Exactly the given variables and no others.
    public static func exactly(_ variables: [String: String]) -> ProcessEnvironment {
        ProcessEnvironment(variables: variables)
    }

    /// The test process's own environment, with `additions` set and `removals` taken out.
    ///
    /// `LD_PRELOAD` and every `HEAPTRAIL_` variable of the test process are left out, so that a test means the same
    /// under a profiler as without one.
    public static func inherited(
        adding additions: [String: String] = [:], removing removals: [String] = []
    ) -> ProcessEnvironment {
        var variables: [String: String] = [:]
        var cursor = environ
        while let entry = cursor.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            cursor += 1
        }
        variables = variables.filter { $0.key != "LD_PRELOAD" && !$0.key.hasPrefix("HEAPTRAIL_") }
        for name in removals { variables[name] = nil }
        return ProcessEnvironment(variables: variables.merging(additions) { _, new in new })
    }
}

/// Runs a program and waits for its end.
///
/// - Parameters:
///   - executable: a path, or a name to be looked up in `PATH`.
///   - arguments: the arguments after the program's own name.
///   - environment: what the program sees; by default the test's environment without preloads.
///   - workingDirectory: where it starts; nil is the test's own.
///   - stdin: the bytes it can read; none by default. They come from a file, so it may seek.
///   - timeout: seconds after which its process group is killed and the result says `timedOut`.
/// - Throws: `TestSupportError` when the program cannot be started at all.
public func run(
    _ executable: String, _ arguments: [String] = [], environment: ProcessEnvironment = .inherited(),
    workingDirectory: String? = nil, stdin: [UInt8] = [], timeout: Double = 60
) throws -> ProcessResult {
    guard let path = Tool.find(executable) else { throw TestSupportError("\(executable): no such program") }
    let input = try ScratchFile(stdin)
    let output = try ScratchFile()
    let errors = try ScratchFile()
    let pid = try spawn(
        path, [executable] + arguments, environment.variables, workingDirectory, [input, output, errors])

    let (status, timedOut) = try wait(for: pid, timeout: timeout)
    return ProcessResult(
        pid: pid, status: ProcessStatus(waitStatus: status), stdoutBytes: try output.contents(),
        stderrBytes: try errors.contents(), timedOut: timedOut)
}

/// Runs a program as `run` does and throws unless it exits with status 0 in time.
///
/// - Returns: its standard output.
/// - Throws: `TestSupportError` that quotes the end of its standard error.
@discardableResult
public func runChecked(
    _ executable: String, _ arguments: [String] = [], environment: ProcessEnvironment = .inherited(),
    workingDirectory: String? = nil, stdin: [UInt8] = [], timeout: Double = 60
) throws -> String {
    let result = try run(
        executable, arguments, environment: environment, workingDirectory: workingDirectory, stdin: stdin,
        timeout: timeout)
    guard result.isSuccess else {
        let how = result.timedOut ? "still ran after \(timeout) s" : "ended with \(result.status)"
        let command = ([executable] + arguments).joined(separator: " ")
        throw TestSupportError("\(command): \(how)\n\(result.stderr.suffix(4000))")
    }
    return result.stdout
}

/// Starts `path` in a process group of its own, with `files` as its descriptors 0, 1 and 2 and default signals.
private func spawn(
    _ path: String, _ arguments: [String], _ environment: [String: String], _ workingDirectory: String?,
    _ files: [ScratchFile]
) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, file) in files.enumerated() {
        posix_spawn_file_actions_adddup2(&actions, file.descriptor, Int32(number))
    }
    if let workingDirectory { try addChangeDirectory(&actions, workingDirectory) }

    // What other tests have open at this moment is not the child's.
    addCloseFrom(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var every = sigset_t()
    sigfillset(&every)
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &every)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
        &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    var argumentPointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] =
        environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (argumentPointers + variables).forEach { free($0) } }

    var pid: pid_t = 0
    var error = posix_spawn(&pid, path, &actions, &attributes, &argumentPointers, &variables)
    // A program that was just written is busy while a child which another test forked meanwhile holds the descriptor that
    // wrote it; that lasts until the child's exec.
    for _ in 0..<1000 where error == ETXTBSY {
        usleep(2000)
        error = posix_spawn(&pid, path, &actions, &attributes, &argumentPointers, &variables)
    }
    guard error == 0 else { throw TestSupportError("\(path): \(String(cString: strerror(error)))") }
    return pid
}

/// `posix_spawn_file_actions_addclosefrom_np`, which glibc has since 2.34; without it descriptors are inherited.
private func addCloseFrom(_ actions: inout posix_spawn_file_actions_t, _ descriptor: Int32) {
    typealias Function =
        @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return }
    _ = unsafeBitCast(symbol, to: Function.self)(&actions, descriptor)
}

/// Adds a change of directory. glibc's function is not in Swift's view of the C library, so it is looked up by name.
private func addChangeDirectory(_ actions: inout posix_spawn_file_actions_t, _ directory: String) throws {
    typealias AddChangeDirectory =
        @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) -> Int32
    guard let symbol = dlsym(nil, "posix_spawn_file_actions_addchdir_np") else {
        throw TestSupportError("this C library cannot start a program in another directory")
    }
    _ = unsafeBitCast(symbol, to: AddChangeDirectory.self)(&actions, directory)
}

/// Waits for `pid`, polling every few milliseconds so that the timeout needs no signal and no thread.
private func wait(for pid: pid_t, timeout: Double) throws -> (status: Int32, timedOut: Bool) {
    let deadline = ContinuousClock.now + .seconds(timeout)
    var status: Int32 = 0
    var pause: UInt32 = 500
    while true {
        switch waitpid(pid, &status, WNOHANG) {
        case pid: return (status, false)
        case -1 where errno != EINTR: throw TestSupportError("waitpid: \(String(cString: strerror(errno)))")
        default: break
        }
        if ContinuousClock.now >= deadline { break }
        usleep(pause)
        pause = min(pause * 2, 10_000)
    }
    // A process that changed its group is still reached by its own id.
    kill(-pid, SIGKILL)
    kill(pid, SIGKILL)
    while waitpid(pid, &status, 0) == -1 && errno == EINTR {}
    return (status, true)
}

/// An unlinked temporary file behind a close-on-exec descriptor.
private final class ScratchFile {
    let descriptor: Int32

    /// Makes a file that holds `bytes`, positioned at its start and opened for appending, so that a child that opens
    /// `/dev/stdout` again cannot overwrite what is there.
    init(_ bytes: [UInt8] = []) throws {
        let path = "/tmp/heaptrail-test-\(getpid())-\(UInt64.random(in: .min ... .max))"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0o600)
        guard file >= 0 else { throw TestSupportError("\(path): \(String(cString: strerror(errno)))") }
        unlink(path)
        descriptor = file
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw TestSupportError("write: \(String(cString: strerror(errno)))") }
            written += count
        }
        lseek(file, 0, SEEK_SET)
    }

    deinit { close(descriptor) }

    /// Everything in the file, wherever the shared file position is.
    func contents() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
            guard count >= 0 else { throw TestSupportError("pread: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }
}
