// Runs a server under an allocator while a second command drives it. The command is timed; processor time, faults and
// memory are the server's. On whatever way the run is left, the server is ended.

internal import Glibc

/// Starts a server, waits until it is ready, runs the command that drives it, and ends the server again.
///
/// The command runs without the allocator. The server is sent SIGTERM when the command has ended, and SIGKILL if it goes
/// on for ten seconds. The kernel's figures of the server are those of its whole life, start and end included.
public struct ServerRunner: ProgramRunning {
    private let program: Program
    private let drive: ShellCommand
    private let readiness: Readiness
    private let secondsToReady: Double
    private let surroundings: RunSurroundings

    /// Prepares to run a server.
    ///
    /// - Parameters:
    ///   - program: the server, which must stay in the foreground.
    ///   - drive: the command that is timed.
    ///   - readiness: how the server's readiness is told.
    ///   - secondsToReady: how long that may take.
    ///   - surroundings: what is the same in every run.
    public init(
        _ program: Program, drive: ShellCommand, readiness: Readiness = .listening, secondsToReady: Double = 30,
        in surroundings: RunSurroundings = RunSurroundings()
    ) {
        self.program = program
        self.drive = drive
        self.readiness = readiness
        self.secondsToReady = secondsToReady
        self.surroundings = surroundings
    }

    /// What ends with a status, for messages.
    public var subject: String { "the drive command" }

    /// Runs server and command once, their output discarded.
    ///
    /// - Throws: `LaunchError` when they cannot be started, `Interrupted`, `ShellCommandError`.
    public func measure(on allocator: Allocator) throws -> RunMeasurement {
        try run(on: allocator, rehearsing: false).measurement
    }

    /// Runs server and command once and fingerprints the command's output.
    ///
    /// - Throws: as `measure`.
    public func rehearse(on allocator: Allocator) throws -> Rehearsal {
        try run(on: allocator, rehearsing: true).rehearsal
    }

    private func run(
        on allocator: Allocator, rehearsing: Bool
    ) throws -> (measurement: RunMeasurement, rehearsal: Rehearsal) {
        let leftovers = try surroundings.prepare()
        defer { leftovers.end() }
        // Else the command would drive, and the figures be those of, another server.
        if case .port(let port) = readiness, Readiness.accepts(port) {
            throw ShellCommandError(
                description: "port \(port) is in use already: end what serves it, or choose another for this server")
        }
        let null = try NullDevice()
        let input = try surroundings.openInput()
        defer { close(input) }
        let serverErrors = rehearsing ? try OutputPipe() : nil
        let server = try ChildProcess(
            ChildProcess.Request(
                path: program.path, arguments: program.arguments,
                environment: allocator.environment(over: surroundings.environment), input: input,
                output: serverErrors?.sink ?? null.descriptor, errors: serverErrors?.sink ?? null.descriptor,
                leadsGroup: true))
        serverErrors?.closeSink()
        let pipes = serverErrors.map { [$0] } ?? []
        defer {
            // After an error; a server that has ended stays as it is.
            _ = try? surroundings.watch.end(server, by: SIGTERM, pipes: pipes)
            _ = try? server.reap()
        }
        var observer = RunObserver(
            sampler: ResidentSampler(process: server.pid, startedNanoseconds: server.startedNanoseconds),
            lookout: rehearsing ? ProcessLookout(process: server.pid) : nil)

        var driven = try waitUntilReady(server, pipes: pipes, observer: &observer).map {
            Driven(outcome: .broken($0), wallNanoseconds: 0)
        }
        if driven == nil {
            driven = try runDrive(of: server, pipes: pipes, observer: &observer, rehearsing: rehearsing)
        }
        let residentAfter = observer.sampler?.read(anew: true)
        observer.lookout?.look()
        let endedItself = try surroundings.watch.end(server, by: SIGTERM, pipes: pipes)
        // A shell that has started the server ends before it, and does not wait for it.
        var usage = try server.reap(sparesGroup: surroundings.adoptsOrphans)
        leftovers.end()
        for orphan in leftovers.charged { usage.add(orphan) }
        guard var driven else { throw LaunchError(action: drive.text, code: ECHILD) }
        // A command can be told of the server's end, and end, before the server's end is to be seen.
        if case .signaled(let signal) = usage.outcome, endedItself, signal != SIGTERM, driven.outcome.isExit {
            driven.outcome = .broken(Self.ended(.signaled(signal), "while it was driven or when it was to end"))
        }
        var measurement = RunMeasurement(usage, observer.sampler)
        measurement.outcome = driven.outcome
        measurement.wallNanoseconds = driven.wallNanoseconds
        measurement.residentAfterDrive = residentAfter
        let beginning = serverErrors?.beginning ?? ""
        let killed =
            "the server went on for \(Comparison.seconds(surroundings.secondsToEnd)) after SIGTERM and was killed"
        return (
            measurement,
            Rehearsal(
                outcome: allocator.refusal(in: beginning) ?? driven.outcome, output: driven.output,
                complaint: driven.outcome.isExit ? driven.complaint : serverErrors?.lastLine,
                notes: [allocator.warning(in: beginning), endedItself ? nil : killed],
                programs: observer.lookout?.programs() ?? [])
        )
    }

    private static func ended(_ outcome: RunOutcome, _ when: String = "while it was driven") -> String {
        let background = outcome == .exited(0) ? "; if it goes to the background, have it stay in the foreground" : ""
        return "the server \(outcome.words(plural: false)) \(when)" + background
    }

    /// A server that crashes may have much to write before it ends.
    private static let nanosecondsToCrash: UInt64 = 300_000_000

    /// What came of the command.
    private struct Driven {
        var outcome: RunOutcome
        var wallNanoseconds: UInt64
        var output = OutputFingerprint()
        var complaint: String?
    }

    /// Waits for the server.
    ///
    /// - Returns: why it will not be ready, nil when it is.
    private func waitUntilReady(
        _ server: ChildProcess, pipes: [OutputPipe], observer: inout RunObserver
    ) throws -> String? {
        let watch = surroundings.watch
        let deadline = ResidentSampler.now() + UInt64(secondsToReady * 1e9)
        while ResidentSampler.now() < deadline {
            let next = ResidentSampler.now() + readiness.pauseMilliseconds * 1_000_000
            if try watch.wait(for: [server], pipes: pipes, observer: &observer, until: next) == .ended(0) {
                return Self.ended(try server.reap().outcome, "before it was ready")
            }
            let isReady = try readiness.isReady(
                server, environment: surroundings.environment, watch: watch, pipes: pipes, until: deadline)
            if isReady, !server.hasEnded { return nil }
        }
        return "the server was not ready within \(Comparison.seconds(secondsToReady))"
    }

    private func runDrive(
        of server: ChildProcess, pipes: [OutputPipe], observer: inout RunObserver, rehearsing: Bool
    ) throws -> Driven {
        let null = try NullDevice()
        let output = rehearsing ? try OutputPipe() : nil
        let errors = rehearsing ? try OutputPipe() : nil
        let child = try ChildProcess(
            drive.request(
                environment: surroundings.environment, input: null.descriptor,
                output: output?.sink ?? null.descriptor, errors: errors?.sink ?? null.descriptor))
        output?.closeSink()
        errors?.closeSink()
        let watch = surroundings.watch
        let all = pipes + [output, errors].compactMap { $0 }
        let first: ChildWatch.Event
        do {
            first = try watch.wait(
                for: [child, server], pipes: all, observer: &observer,
                until: surroundings.deadline(after: child.startedNanoseconds))
        } catch {
            watch.end(child, after: error, pipes: all)
            try child.reap()
            throw error
        }
        guard first == .ended(0) else {
            // The command may wait for an answer for ever.
            child.killTree()
            try child.reap()
            let outcome =
                first == .timeIsUp
                ? surroundings.overtime(of: subject) : .broken(Self.ended(try server.reap().outcome))
            return Driven(outcome: outcome, wallNanoseconds: 0)
        }
        let usage = try child.reap()
        // A command that failed may have done so because the server is about to end.
        let patience = usage.outcome == .exited(0) ? 0 : Self.nanosecondsToCrash
        if try watch.wait(for: server, pipes: pipes, until: ResidentSampler.now() + patience) == .ended(0) {
            return Driven(outcome: .broken(Self.ended(try server.reap().outcome)), wallNanoseconds: 0)
        }
        return Driven(
            outcome: usage.outcome, wallNanoseconds: usage.wallNanoseconds,
            output: output?.fingerprint ?? OutputFingerprint(), complaint: errors?.lastLine)
    }
}
