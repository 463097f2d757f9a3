// Runs a program, untraced, under an allocator, and reports what was measured of it.

internal import Glibc

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

    /// Runs the program once; what it writes is thrown away.
    ///
    /// - Throws: `LaunchError` when it cannot be started, `Interrupted`, `ShellCommandError`.
    public func measure(on allocator: Allocator) throws -> RunMeasurement {
        let leftovers = try surroundings.prepare()
        defer { leftovers.end() }
        let null = try NullDevice()
        let pipe = surroundings.readsOutput ? try OutputPipe(isKept: false) : nil
        let child = try start(on: allocator, output: pipe?.sink ?? null.descriptor, errors: null.descriptor)
        pipe?.closeSink()
        var observer = RunObserver(
            sampler: ResidentSampler(process: child.pid, startedNanoseconds: child.startedNanoseconds))
        var usage = try waitForEnd(of: child, pipes: pipe.map { [$0] } ?? [], observer: &observer)
        leftovers.end()
        for orphan in leftovers.charged { usage.add(orphan) }
        return RunMeasurement(usage, observer.sampler)
    }

    /// Runs the program once, reading its outputs as they come; nothing of them is kept but the last line of standard
    /// error.
    ///
    /// What a process it leaves behind prints after its end is not waited for.
    ///
    /// - Throws: as `measure`.
    public func rehearse(on allocator: Allocator) throws -> Rehearsal {
        let leftovers = try surroundings.prepare()
        defer { leftovers.end() }
        let output = try OutputPipe()
        let errors = try OutputPipe()
        let child = try start(on: allocator, output: output.sink, errors: errors.sink)
        output.closeSink()
        errors.closeSink()
        var observer = RunObserver(lookout: ProcessLookout(process: child.pid))
        let outcome = try waitForEnd(of: child, pipes: [output, errors], observer: &observer).outcome
        let left = leftovers.end()
        return Rehearsal(
            outcome: allocator.refusal(in: errors.beginning) ?? outcome, output: output.fingerprint,
            complaint: errors.lastLine, notes: [allocator.warning(in: errors.beginning), Self.note(ofLeft: left)],
            programs: observer.lookout?.programs() ?? [])
    }

    private static func note(ofLeft names: [String]) -> String? {
        if names.isEmpty { return nil }
        let more = names.count > 1 ? " and \(names.count - 1) more" : ""
        return
            "the program leaves processes behind (\(names[0])\(more)): they were ended after each run, what they used "
            + "until then is in its figures"
    }

    private func waitForEnd(
        of child: ChildProcess, pipes: [OutputPipe] = [], observer: inout RunObserver
    ) throws -> ChildProcess.Usage {
        let watch = surroundings.watch
        let event: ChildWatch.Event
        do {
            let deadline = surroundings.deadline(after: child.startedNanoseconds)
            event = try watch.wait(for: [child], pipes: pipes, observer: &observer, until: deadline)
        } catch {
            watch.end(child, after: error)
            try child.reap()
            throw error
        }
        if event == .timeIsUp { child.killTree() }
        var usage = try child.reap()
        if event == .timeIsUp { usage.outcome = surroundings.overtime(of: subject) }
        return usage
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

    /// What the allocator has to say of its options, at the beginning of standard error; nil where it says nothing. It goes
    /// on without them.
    func warning(in errors: String) -> String? {
        if variables.isEmpty { return nil }
        let line = errors.split(separator: "\n").first { $0.hasPrefix("<jemalloc>: ") || $0.hasPrefix("mimalloc: ") }
        return line.map { "the allocator says: \($0)" }
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
