// `heaptrail replay`: the calls of a trace, performed again on several allocators.

internal import AllocatorLab
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport

/// Performs a trace's calls on each of several allocators and sets time and memory side by side.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Performs a trace's own calls on several allocators and compares time and memory.",
        usage: "heaptrail replay [OPTIONS] TRACE",
        discussion: """
            Same sizes, same order, same threads; each run in a fresh process. The program's own work is left out, so \
            the figures are the allocators' alone. An allocator's options make a row of their own.

            Examples:
              heaptrail record -o app.trace -- ./app && heaptrail replay app.trace
              heaptrail replay app.trace --allocators glibc,./libmine.so,sim:bestfit
              heaptrail replay app.trace --allocators glibc,glibc:MALLOC_ARENA_MAX=1
            """)

    @Argument(help: ArgumentHelp("The trace, binary or text; - is standard input.", valueName: "trace"))
    var traces: [String] = []

    @Option(help: ArgumentHelp(Self.allocatorsHelp, valueName: "list"))
    var allocators: String?

    @Option(help: ArgumentHelp("Timed runs on each allocator.", valueName: "n"))
    var runs = 10

    @Option(
        help: ArgumentHelp(
            "What of a new block is written: first (the first byte of each page), all or none.", valueName: "what"))
    var touch = TouchArgument(touch: .first)

    @Option(help: ArgumentHelp("Kill a run that takes longer; its allocator counts as failed.", valueName: "seconds"))
    var timeout: Double?

    @Option(help: ArgumentHelp("The executed program to replay, from 1; the last one unless given.", valueName: "n"))
    var image: Int?

    @Option(
        defaultAsFlag: Self.standardOutput,
        help: ArgumentHelp(
            "Print the result as JSON (heaptrail.replay/1), or write it to a file beside the table.",
            valueName: "file"))
    var json: String?

    @Flag(help: "Overwrite an existing JSON file.")
    var force = false

    private static let allocatorsHelp =
        "Names, separated by commas: \(known.joined(separator: ", ")) or a path (default: those installed, and simulated ones up to \(simulatedEvents / 1_000_000) million events)."
    private static let known = AllocatorCatalogue.names + SimulatedAllocator.allCases.map(\.name)
    /// What `--json` without a file means.
    private static let standardOutput = "-"
    /// Traces of more events are simulated only when that is asked for: it takes up to a microsecond an event.
    private static let simulatedEvents: UInt64 = 5_000_000

    func validate() throws {
        if runs < 1 || runs > 100_000 { throw ValidationError("--runs takes a whole number from 1 on") }
        if let allocators, AllocatorList.items(of: allocators).isEmpty {
            throw ValidationError("--allocators takes one name at least")
        }
        if let timeout, !(timeout > 0 && timeout <= 1e9) {
            throw ValidationError("--timeout is a number of seconds above 0, such as 60")
        }
        let count = operands.traces.count
        if count != 1 {
            let given = count == 0 ? "no trace was named" : "\(count) traces were named, one is replayed"
            throw ValidationError("\(given); type: heaptrail replay TRACE")
        }
    }

    /// The trace and where JSON goes. `--json` takes the word behind it, which is the trace where that would be missing otherwise.
    private var operands: (traces: [String], json: String?) {
        guard traces.isEmpty, let json, CommandLine.arguments.contains(json), json != Self.standardOutput else {
            return (traces, json)
        }
        return ([json], Self.standardOutput)
    }

    func run() throws {
        // What an allocator under test starts, and takes out of its process group, ends with this command at the latest.
        Interrupts.supervise()
        var status: Int32 = 0
        try Failure.reported { () throws(Failure) in
            let trace = operands.traces[0]
            let json = operands.json
            if let json, json != Self.standardOutput {
                if !force { try OutputFile.refuseExisting(json) }
                try OutputFile.refuseSame(json, as: trace)
            }
            let executable = try replayProgram()
            var choice = try resolve()
            let input = try TraceInput(path: trace)
            let plan = try input.plan(image: image)
            if allocators == nil, plan.events <= Self.simulatedEvents { choice.simulated = SimulatedAllocator.allCases }
            var replay = try self.replay(plan, of: trace, on: choice, executable: executable)
            replay.rows += choice.missing
            try show(replay, besides: choice.missing, title: trace, json: json)
            try input.finish()
            status = choice.status ?? (replay.hasFailures ? ExitStatus.failed.rawValue : 0)
        }
        if status != 0 { throw ExitCode(status) }
    }

    private func replay(
        _ plan: ReplayPlan, of trace: String, on choice: Choice, executable: String
    ) throws(Failure) -> Replay {
        let session = ReplaySession(
            plan: plan, allocators: choice.real, simulations: choice.simulated, runs: runs, touch: touch.touch,
            executable: executable, secondsAtMost: timeout)
        let progress = ProgressLine()
        defer { progress.clear() }
        do throws(ReplayError) {
            return try session { progress.show("replaying", Double($0) / Double($1)) }
        } catch {
            progress.clear()
            throw Failure(status: .unavailable, "cannot replay \(trace): \(error)")
        }
    }

    /// - Parameter missing: rows whose failure is a sentence of its own; the others' goes on from the allocator's name.
    private func show(
        _ replay: Replay, besides missing: [Replay.Row], title: String, json: String?
    ) throws(Failure) {
        if json == Self.standardOutput {
            try Terminal.write(replay.json().document())
        } else {
            try Terminal.write(replay.text(title: TextStyle.printable(title), width: Terminal.outputStyle.width))
        }
        for row in replay.rows.dropLast(missing.count) {
            if let failure = row.failure { Terminal.tell("\(row.allocator) \(failure)") }
        }
        for failure in missing.compactMap(\.failure) { Terminal.tell(failure) }
        // Last, so that a file that cannot be written does not cost the result.
        if let json, json != Self.standardOutput {
            try OutputFile.write(replay.json().document(), to: json, overwriting: force)
        }
    }

    private func replayProgram() throws(Failure) -> String {
        do {
            return try InstalledFiles.replay()
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(status: .noInput, "\(error)")
        }
    }

    /// What to replay on.
    private struct Choice {
        var real: [Allocator] = []
        var simulated: [SimulatedAllocator] = []
        /// Rows of those that are not to be had.
        var missing: [Replay.Row] = []
        /// The exit status that the first of them means.
        var status: Int32?
    }

    private func resolve() throws(Failure) -> Choice {
        let catalogue = AllocatorCatalogue()
        var choice = Choice()
        guard let allocators else {
            choice.real = AllocatorCatalogue.names.compactMap { try? catalogue.resolve($0) }
            return choice
        }
        var firstError: AllocatorError?
        for item in AllocatorList.items(of: allocators) {
            if let simulated = SimulatedAllocator(named: item) {
                choice.simulated.append(simulated)
                continue
            }
            do throws(AllocatorError) {
                choice.real.append(try AllocatorList.resolve(item, in: catalogue))
            } catch {
                var row = Replay.Row(allocator: item)
                row.failure = "\(error)"
                choice.missing.append(row)
                firstError = firstError ?? error
            }
        }
        guard let firstError else { return choice }
        // Nothing to show beside it.
        if choice.real.isEmpty, choice.simulated.isEmpty {
            throw Failure(status: ExitStatus(rawValue: firstError.exitStatus) ?? .unavailable, "\(firstError)")
        }
        choice.status = firstError.exitStatus
        return choice
    }
}

/// The value of `--touch`.
struct TouchArgument: ExpressibleByArgument {
    var touch: ReplayTouch

    init(touch: ReplayTouch) { self.touch = touch }

    init?(argument: String) {
        guard let touch = ReplayTouch(rawValue: argument.lowercased()) else { return nil }
        self.touch = touch
    }

    var defaultValueDescription: String { touch.rawValue }

    static var allValueStrings: [String] { ReplayTouch.allCases.map(\.rawValue) }
}
