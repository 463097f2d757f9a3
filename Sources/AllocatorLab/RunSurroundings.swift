// What is around every run of a program, whichever way it is run: environment, standard input, set-up, signals.

internal import Glibc

/// What is the same in every run: the environment, the standard input, the command before it, where signals arrive.
public struct RunSurroundings: Sendable {
    /// Every variable but those of the allocator.
    public var environment: [ByteString]
    /// The file that each run reads from its start.
    public var inputPath: String
    /// What is run before each run, unmeasured.
    public var setup: ShellCommand?
    /// Where signals arrive that end the comparison.
    public var interrupts: Interrupts
    /// Whether a measured program writes to a pipe, and what it writes is read and thrown away, instead of to `/dev/null`,
    /// for which some programs do less.
    public var readsOutput = false
    /// Seconds that a program has to end after it was sent a signal, before it is killed.
    public var secondsToEnd = 10.0
    /// Seconds after which a run is killed and counts as failed; nil where it may take as long as it does.
    public var secondsAtMost: Double?
    /// Whether processes that lost their parent are this process's children (`Interrupts.adoptOrphans`), so that those that
    /// a run leaves behind can be ended; only for a process that has no other children.
    public var adoptsOrphans = false

    /// This process's environment and, if it is a regular file, standard input, else `/dev/null`: a pipe could be read
    /// only once.
    public init(inputPath: String? = nil, setup: ShellCommand? = nil, interrupts: Interrupts = .none) {
        environment = ByteString.environment
        var status = stat()
        let isFile = fstat(0, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        self.inputPath = inputPath ?? (isFile ? "/proc/self/fd/0" : "/dev/null")
        self.setup = setup
        self.interrupts = interrupts
    }

    /// When a run that began then is killed, on the monotonic clock.
    func deadline(after began: UInt64) -> UInt64? { secondsAtMost.map { began + UInt64($0 * 1e9) } }

    /// What is said of a run that was killed for it.
    ///
    /// - Parameter subject: what took so long.
    func overtime(of subject: String) -> RunOutcome {
        .broken("\(subject) took more than \(Comparison.seconds(secondsAtMost ?? 0)) (--timeout) and was killed")
    }

    var watch: ChildWatch { ChildWatch(interrupts: interrupts, secondsToEnd: secondsToEnd) }

    /// Runs what comes before a run.
    ///
    /// - Returns: what is there when the run begins.
    func prepare() throws -> Leftovers {
        do {
            try setup?.runAsSetup(environment: environment, watch: watch)
        } catch {
            Leftovers(isOurs: adoptsOrphans, secondsToEnd: secondsToEnd).end()
            throw error
        }
        return Leftovers(isOurs: adoptsOrphans, secondsToEnd: secondsToEnd)
    }

    func openInput() throws(LaunchError) -> Int32 {
        let descriptor = open(inputPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LaunchError(action: inputPath, code: errno) }
        return descriptor
    }
}
