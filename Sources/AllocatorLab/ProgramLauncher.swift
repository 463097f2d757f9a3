// Runs a program, untraced, under an allocator: what it finds around it, and what is measured of it.

internal import Glibc

/// What is the same in every run: the environment, the standard input, the command before it, where signals arrive.
public struct RunSurroundings: Sendable {
    /// Every variable but those of the allocator.
    public var environment: [String]
    /// The file that each run reads from its start.
    public var inputPath: String
    /// What is run before each run, unmeasured.
    public var setup: ShellCommand?
    /// Where signals arrive that end the comparison.
    public var interrupts: Interrupts
    /// Seconds that a program has to end after it was sent a signal, before it is killed.
    public var secondsToEnd = 10.0

    /// This process's environment and, if it is a regular file, standard input, else `/dev/null`: a pipe could be read
    /// only once.
    public init(inputPath: String? = nil, setup: ShellCommand? = nil, interrupts: Interrupts = .none) {
        var variables: [String] = []
        var cursor = environ
        while let entry = cursor.pointee {
            variables.append(String(cString: entry))
            cursor += 1
        }
        environment = variables
        var status = stat()
        let isFile = fstat(0, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        self.inputPath = inputPath ?? (isFile ? "/proc/self/fd/0" : "/dev/null")
        self.setup = setup
        self.interrupts = interrupts
    }

    var watch: ChildWatch { ChildWatch(interrupts: interrupts, secondsToEnd: secondsToEnd) }

    func prepare() throws {
        try setup?.runAsSetup(environment: environment, watch: watch)
    }

    func openInput() throws(LaunchError) -> Int32 {
        let descriptor = open(inputPath, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw LaunchError(action: inputPath, code: errno) }
        return descriptor
    }
}

/// Starts one program over and over, each time with an allocator of choice.
public struct ProgramLauncher: ProgramRunning {
    private let program: Program
    private let surroundings: RunSurroundings

    /// Prepares to run `program` in this process's folder.
    public init(_ program: Program, in surroundings: RunSurroundings = RunSurroundings()) {
        self.program = program
        self.surroundings = surroundings
    }

    /// What ends with a status, for messages.
    public var subject: String { "the program" }

    /// Runs the program once with both outputs discarded.
    ///
    /// - Throws: `LaunchError` when it cannot be started, `Interrupted`, `ShellCommandError`.
    public func measure(on allocator: Allocator) throws -> RunMeasurement {
        try surroundings.prepare()
        let null = try NullDevice()
        let child = try start(on: allocator, output: null.descriptor, errors: null.descriptor)
        var sampler: ResidentSampler? = ResidentSampler(
            process: child.pid, startedNanoseconds: child.startedNanoseconds)
        try waitForEnd(of: child, sampler: &sampler)
        return RunMeasurement(try child.reap(), sampler)
    }

    /// Runs the program once, reading its outputs as they come; nothing of them is kept but the last line of standard
    /// error.
    ///
    /// What a process it leaves behind prints after its end is not waited for.
    ///
    /// - Throws: as `measure`.
    public func rehearse(on allocator: Allocator) throws -> Rehearsal {
        try surroundings.prepare()
        let output = try OutputPipe()
        let errors = try OutputPipe()
        let child = try start(on: allocator, output: output.sink, errors: errors.sink)
        output.closeSink()
        errors.closeSink()
        var sampler: ResidentSampler?
        try waitForEnd(of: child, pipes: [output, errors], sampler: &sampler)
        let outcome = try child.reap().outcome
        return Rehearsal(
            outcome: allocator.refusal(in: errors.beginning) ?? outcome, output: output.fingerprint,
            complaint: errors.lastLine)
    }

    private func waitForEnd(
        of child: ChildProcess, pipes: [OutputPipe] = [], sampler: inout ResidentSampler?
    ) throws {
        let watch = surroundings.watch
        do {
            _ = try watch.wait(for: [child], pipes: pipes, sampler: &sampler)
        } catch {
            watch.end(child, by: error.isFromTerminal ? nil : error.signal)
            throw error
        }
    }

    private func start(on allocator: Allocator, output: Int32, errors: Int32) throws(LaunchError) -> ChildProcess {
        let input = try surroundings.openInput()
        defer { close(input) }
        return try ChildProcess(
            ChildProcess.Request(
                path: program.path, arguments: program.arguments,
                environment: allocator.environment(over: surroundings.environment), input: input, output: output,
                errors: errors))
    }
}

extension Allocator {
    /// The loader's word, at the beginning of standard error, that it goes on without the library; nil where it says
    /// nothing. The figures would be another allocator's.
    func refusal(in errors: String) -> RunOutcome? {
        guard let libraryPath, errors.contains("object '\(libraryPath)' from LD_PRELOAD cannot be preloaded") else {
            return nil
        }
        let line = errors.split(separator: "\n").first { $0.contains("'\(libraryPath)' from LD_PRELOAD") } ?? ""
        let reason = line.split(separator: "(").dropFirst().last?.prefix { $0 != ")" }
        return .broken("the loader cannot preload \(libraryPath)" + (reason.map { " (\($0))" } ?? ""))
    }
}

extension RunMeasurement {
    /// The kernel's account of a run, and what was read from outside.
    init(_ usage: ChildProcess.Usage, _ sampler: ResidentSampler?) {
        self.init(
            outcome: usage.outcome, wallNanoseconds: usage.wallNanoseconds, userNanoseconds: usage.userNanoseconds,
            systemNanoseconds: usage.systemNanoseconds, peakResidentBytes: usage.peakResidentBytes,
            minorFaults: usage.minorFaults, majorFaults: usage.majorFaults,
            voluntarySwitches: usage.voluntarySwitches, involuntarySwitches: usage.involuntarySwitches,
            resident: sampler?.series ?? TimeSeries(), readingNanoseconds: sampler?.spentNanoseconds ?? 0)
    }
}
