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
        discussion: """
            Same sizes, same order, same threads; each run in a fresh process. The program's own work is left out, so \
            the figures are the allocators' alone.

            Example: heaptrail record -o app.trace -- ./app && heaptrail replay app.trace
            """)

    @Argument(help: "The trace, binary or text; - is standard input.")
    var trace: String

    @Option(
        help:
            "Names, separated by commas: \(AllocatorCatalogue.names.joined(separator: ", ")) or a path (default: those installed)."
    )
    var allocators: String?

    @Option(help: "Timed runs on each allocator.")
    var runs = 10

    @Option(help: "What of a new block is written: first (the first byte of each page), all or none.")
    var touch = TouchArgument(touch: .first)

    @Option(help: ArgumentHelp("The executed program to replay, from 1; the last one unless given.", valueName: "n"))
    var image: Int?

    @Flag(help: "Print the result as JSON (heaptrail.replay/1).")
    var json = false

    func validate() throws {
        if runs < 1 { throw ValidationError("--runs takes a whole number from 1 on") }
        if let allocators, allocators.split(separator: ",").isEmpty {
            throw ValidationError("--allocators takes one name at least")
        }
    }

    func run() throws {
        var hasFailed = false
        try Failure.reported { () throws(Failure) in
            let executable = try replayProgram()
            var chosen = try resolve()
            let input = try TraceInput(path: trace)
            let plan = try input.plan(image: image)
            if allocators == nil, plan.events <= Self.simulatedEvents { chosen.simulated = SimulatedAllocator.allCases }
            let session = ReplaySession(
                plan: plan, allocators: chosen.real, simulations: chosen.simulated, runs: runs, touch: touch.touch,
                executable: executable)
            let progress = ProgressLine()
            var replay: Replay
            do throws(ReplayError) {
                replay = try session { progress.show("replaying", Double($0) / Double($1)) }
            } catch {
                progress.clear()
                throw Failure(status: .unavailable, "cannot replay \(trace): \(error)")
            }
            progress.clear()
            replay.rows += chosen.missing
            try Terminal.write(
                json ? replay.json().document() : replay.text(title: trace, width: Terminal.outputStyle.width))
            for row in replay.rows {
                guard let failure = row.failure else { continue }
                Terminal.tell(failure.hasPrefix(row.allocator) ? failure : "\(row.allocator) \(failure)")
            }
            try input.finish()
            hasFailed = replay.hasFailures
        }
        if hasFailed { throw ExitCode(ExitStatus.failed.rawValue) }
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

    /// Traces of more events are simulated only when that is asked for: it takes up to a microsecond an event.
    private static let simulatedEvents: UInt64 = 5_000_000

    /// What to replay on.
    private struct Choice {
        var real: [Allocator] = []
        var simulated: [SimulatedAllocator] = []
        /// Rows of those that are not to be had.
        var missing: [Replay.Row] = []
    }

    private func resolve() throws(Failure) -> Choice {
        let catalogue = AllocatorCatalogue()
        var choice = Choice()
        var firstError: AllocatorError?
        guard let allocators else {
            choice.real = AllocatorCatalogue.names.compactMap { try? catalogue.resolve($0) }
            return choice
        }
        for name in allocators.split(separator: ",").map(String.init) {
            if let simulated = SimulatedAllocator(named: name) {
                choice.simulated.append(simulated)
                continue
            }
            do throws(AllocatorError) {
                choice.real.append(try catalogue.resolve(name))
            } catch {
                if error.exitStatus == ExitStatus.usage.rawValue { throw Failure(status: .usage, "\(error)") }
                var row = Replay.Row(allocator: name)
                row.failure = "\(error)"
                choice.missing.append(row)
                firstError = firstError ?? error
            }
        }
        // Nothing to show beside it.
        if choice.real.isEmpty, choice.simulated.isEmpty, let firstError {
            throw Failure(status: ExitStatus(rawValue: firstError.exitStatus) ?? .unavailable, "\(firstError)")
        }
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
