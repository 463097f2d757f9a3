// One program that was started, from its start until it is reaped. The only file of the target, beside Interrupts.swift,
// that speaks to the C launcher. Whatever way its owner is left, the program does not outlive it.

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

/// A started program: ended, if need be by force, and reaped at the latest when the last reference goes.
final class ChildProcess {
    /// What to start.
    struct Request {
        /// The executable; it is not looked for.
        var path: String
        /// The arguments, the program's own name first.
        var arguments: [ByteString]
        /// Every variable it sees.
        var environment: [ByteString]
        /// Descriptors that become its 0, 1 and 2.
        var input: Int32
        var output: Int32
        var errors: Int32
        /// Whether it leads a process group of its own.
        var leadsGroup = false
    }

    /// What the kernel charged to it and the children it waited for.
    struct Usage {
        var outcome: RunOutcome
        var wallNanoseconds: UInt64
        var userNanoseconds: UInt64
        var systemNanoseconds: UInt64
        var peakResidentBytes: UInt64
        var minorFaults: UInt64
        var majorFaults: UInt64
        var voluntarySwitches: UInt64
        var involuntarySwitches: UInt64

        /// Adds what the kernel charged to a process that nobody of the run waited for.
        mutating func add(_ orphan: rusage) {
            func nanoseconds(_ time: timeval) -> UInt64 {
                UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_usec) * 1000
            }
            userNanoseconds += nanoseconds(orphan.ru_utime)
            systemNanoseconds += nanoseconds(orphan.ru_stime)
            peakResidentBytes = max(peakResidentBytes, UInt64(orphan.ru_maxrss) * 1024)
            minorFaults += UInt64(orphan.ru_minflt)
            majorFaults += UInt64(orphan.ru_majflt)
            voluntarySwitches += UInt64(orphan.ru_nvcsw)
            involuntarySwitches += UInt64(orphan.ru_nivcsw)
        }
    }

    /// Its process id.
    let pid: Int32
    /// When it was started, on the monotonic clock.
    let startedNanoseconds: UInt64
    /// Readable when it has ended; -1 where the kernel has no such descriptors.
    let handle: Int32

    private let leadsGroup: Bool
    private var usage: Usage?

    /// Starts a program and returns when it runs.
    ///
    /// - Throws: `LaunchError` when it cannot be started.
    init(_ request: Request) throws(LaunchError) {
        var process = ht_launch_process()
        let error = request.path.withCString { path in
            request.arguments.withCStrings { arguments in
                request.environment.withCStrings { variables in
                    var launch = ht_launch_request(
                        path: path, arguments: arguments, environment: variables, standard_input: request.input,
                        standard_output: request.output,
                        standard_error: request.errors, own_group: request.leadsGroup)
                    return ht_launch_start(&launch, &process)
                }
            }
        }
        guard error == 0 else { throw LaunchError(action: request.path, code: error) }
        pid = process.pid
        startedNanoseconds = process.started_ns
        leadsGroup = request.leadsGroup
        handle = ht_launch_handle(process.pid)
    }

    deinit {
        if usage == nil {
            killTree()
            _ = try? reap()
        }
        if handle >= 0 { close(handle) }
    }

    /// Whether it has ended; it stays to be reaped.
    var hasEnded: Bool {
        if usage != nil { return true }
        var information = siginfo_t()
        return waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 && information.si_signo != 0
    }

    /// Sends it a signal, unless it was reaped, when its id may be another's.
    func signal(_ number: Int32) {
        if usage == nil { kill(pid, number) }
    }

    /// Ends it and all that descends from it, at once.
    func killTree() {
        if usage != nil { return }
        ProcessTree(root: pid).signal(SIGKILL)
        // Its group holds those whose parents have ended; its own id stays taken until it is reaped.
        if leadsGroup { kill(-pid, SIGKILL) }
    }

    /// Waits for its end, if that has not come, and takes it off the kernel's books.
    ///
    /// - Parameter sparesGroup: whether what is left of its group goes on; else it is ended.
    /// - Throws: `LaunchError` when the kernel does not know it.
    @discardableResult
    func reap(sparesGroup: Bool = false) throws(LaunchError) -> Usage {
        if let usage { return usage }
        if leadsGroup, !sparesGroup {
            var information = siginfo_t()
            while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            kill(-pid, SIGKILL)
        }
        var process = ht_launch_process(pid: pid, started_ns: startedNanoseconds)
        var charged = ht_launch_usage()
        let error = ht_launch_wait(&process, &charged)
        guard error == 0 else { throw LaunchError(action: "wait4", code: error) }
        let result = Usage(
            outcome: RunOutcome(waitStatus: charged.wait_status), wallNanoseconds: charged.wall_ns,
            userNanoseconds: charged.user_ns, systemNanoseconds: charged.system_ns,
            peakResidentBytes: charged.peak_rss_bytes, minorFaults: charged.minor_faults,
            majorFaults: charged.major_faults, voluntarySwitches: charged.voluntary_switches,
            involuntarySwitches: charged.involuntary_switches)
        usage = result
        return result
    }
}

extension RunOutcome {
    fileprivate init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signaled(signal)
    }
}
