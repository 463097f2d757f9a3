// `heaptrail compare`: one program, untraced, on several allocators in turn; or a server, driven by a second command.

internal import AllocatorLab
import ArgumentParser
internal import Glibc
internal import ProfileExport

/// Runs a program on each of several allocators and sets time and memory side by side.
struct CompareCommand: ParsableCommand {
    /// Where the program's output goes.
    enum Output: String, ExpressibleByArgument {
        case null, pipe
    }

    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Runs a program, untraced, on several allocators and compares time and memory.",
        usage: """
            heaptrail compare [OPTIONS] -- PROGRAM [ARGUMENT ...]
            heaptrail compare [OPTIONS] --drive COMMAND -- SERVER [ARGUMENT ...]
            """,
        discussion: """
            Each allocator's library is preloaded in turn, round by round, after a round to warm up. The program's \
            output is compared in that first round and discarded; its standard input is read anew from the start in \
            every run if it is a regular file or --stdin names one, else it is empty.

            An allocator's options are environment variables behind a colon: jemalloc:MALLOC_CONF=narenas:1, several \
            separated by blanks. A comma within a value is written \\, in --allocators and as it is in --allocator.

            A difference is stated only where the runs bear it out with 99 % confidence, which takes 10 runs at least.

            Examples:
              heaptrail compare --allocators glibc,jemalloc --runs 20 -- jq . big.json
              heaptrail compare --drive 'redis-benchmark -q -t set' -- redis-server
            """)

    @Option(
        help: ArgumentHelp(
            "Separated by commas: \(AllocatorCatalogue.names.joined(separator: ", ")) or a path, with options (default: glibc,jemalloc).",
            valueName: "list"))
    var allocators: String?

    @Option(help: ArgumentHelp("One more allocator, commas being part of it; may be repeated.", valueName: "item"))
    var allocator: [String] = []

    @Option(name: [.customShort("r"), .long], help: ArgumentHelp("Timed runs on each allocator.", valueName: "n"))
    var runs = 10

    @Option(name: [.customShort("w"), .long], help: ArgumentHelp("Rounds to warm up, at least 1.", valueName: "n"))
    var warmup = 1

    @Option(
        name: [.long, .customLong("prepare")],
        help: ArgumentHelp("A shell command run before each run, not measured.", valueName: "command"))
    var setup: String?

    @Option(
        name: [.long, .customLong("input")],
        help: ArgumentHelp("The file that is the program's standard input.", valueName: "file"))
    var stdin: String?

    @Option(
        help: ArgumentHelp(
            "Where the program's output goes: null, for which GNU grep and tar do less, or pipe, read and thrown away.",
            valueName: "null|pipe"))
    var output = Output.null

    @Option(
        help: ArgumentHelp(
            "The program is a server: time this shell command against it, then end it (SIGTERM; SIGKILL after 10 s).",
            valueName: "command"))
    var drive: String?

    @Option(
        help: ArgumentHelp(
            "When the server is ready: a port that accepts, or a shell command that succeeds (default: it listens).",
            valueName: "port|command"))
    var ready: String?

    @Option(help: ArgumentHelp("How long the server may take to be ready.", valueName: "seconds"))
    var readyTimeout = 30.0

    @Option(help: ArgumentHelp("Kill a run that takes longer; it counts as failed.", valueName: "seconds"))
    var timeout: Double?

    @Option(
        defaultAsFlag: "-", parsing: .next,
        help: ArgumentHelp(
            "Print the result as JSON (heaptrail.compare/1), or write it to a file beside the table.",
            valueName: "file"))
    var json: String?

    @Flag(help: "Overwrite an existing JSON file.")
    var force = false

    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
    var command: [String] = []

    func validate() throws {
        if runs < 1 || runs > 100_000 { throw ValidationError("--runs takes a whole number from 1 on") }
        if warmup < 1 || warmup > 100_000 {
            throw ValidationError("--warmup takes a whole number from 1 on: the first round compares the output")
        }
        if items.isEmpty { throw ValidationError("--allocators takes one name at least") }
        if drive != nil, output == .pipe {
            throw ValidationError("--output goes without --drive: a server's output is not read")
        }
        if drive == nil, ready != nil { throw ValidationError("--ready goes with --drive COMMAND") }
        if let timeout, !(timeout > 0 && timeout <= 1e9) {
            throw ValidationError("--timeout is a number of seconds above 0, such as 60")
        }
        if let drive, drive.allSatisfy(\.isWhitespace) { throw ValidationError("--drive takes a shell command") }
        if let ready, Int(ready) != nil, UInt16(ready) ?? 0 == 0 {
            throw ValidationError("--ready takes a port from 1 to 65535, or a shell command")
        }
        if !(readyTimeout > 0 && readyTimeout <= 1e6) {
            throw ValidationError("--ready-timeout is a number of seconds above 0, such as 60")
        }
    }

    func run() throws {
        try Self.checkPassthrough(command.first)
        let words = try ProgramWords.words(behind: command)
        guard !words.isEmpty else {
            throw Failure(status: .usage, "name the program after --, as in: heaptrail compare -- jq . a.json")
        }
        if let json, json != "-", !force { try OutputFile.refuseExisting(json) }
        if let stdin, access(stdin, R_OK) != 0 {
            throw Failure(status: .noInput, "\(stdin): \(String(cString: strerror(errno))); --stdin takes a file")
        }
        Interrupts.supervise()
        let progress = ProgressLine()
        let (comparison, status) = try compare(words, progress)
        try show(comparison, title: title(of: words.map(\.description)))
        if status != 0 { throw ExitCode(status) }
        if comparison.hasFailures { throw ExitCode(1) }
    }

    /// Makes the runs.
    ///
    /// - Returns: the result, and the exit status for allocators that could not be had, which are told.
    private func compare(_ words: [ByteString], _ progress: ProgressLine) throws -> (Comparison, Int32) {
        defer { progress.clear() }
        do {
            let program = try Program(finding: words)
            var missing: [(name: String, error: AllocatorError)] = []
            var chosen: [Allocator] = []
            let catalogue = AllocatorCatalogue()
            for item in items {
                do {
                    chosen.append(try AllocatorList.resolve(item, in: catalogue))
                } catch {
                    missing.append((item, error))
                    Terminal.tell("\(error)")
                }
            }
            let status = missing.first?.error.exitStatus ?? 0
            if chosen.isEmpty { throw ExitCode(status) }
            let linked = LinkedAllocator(of: words.map(\.description))
            if let linked { chosen = chosen.map(linked.inFront) }
            let plan = AllocatorComparison(
                allocators: chosen, runs: runs, warmUps: warmup, runner: runner(of: program))
            var comparison = try plan { done, total in
                progress.show("run \(done + 1) of \(total)", Double(done) / Double(total))
            }
            if let linked, chosen.contains(where: { $0.libraryPath == linked.systemLibrary }) {
                comparison = comparison.adding(note: linked.note(program: "the program"))
            }
            for (name, error) in missing { comparison = comparison.adding(missing: name, because: "\(error)") }
            return (comparison, status)
        } catch let error as ExitCode {
            throw error
        } catch let error as Interrupted {
            throw ExitCode(128 + error.signal)
        } catch {
            progress.clear()
            Terminal.tell("\(error)")
            throw ExitCode(exitStatus(of: error))
        }
    }

    private func runner(of program: Program) -> any ProgramRunning {
        var surroundings = RunSurroundings(
            inputPath: stdin, setup: setup.map { ShellCommand($0) }, interrupts: .watching())
        Interrupts.adoptOrphans()
        surroundings.adoptsOrphans = true
        surroundings.secondsAtMost = timeout
        surroundings.readsOutput = output == .pipe
        guard let drive else { return ProgramLauncher(program, in: surroundings) }
        return ServerRunner(
            program, drive: ShellCommand(drive), readiness: ready.map { Readiness($0) } ?? .listening,
            secondsToReady: readyTimeout, in: surroundings)
    }

    private func show(_ comparison: Comparison, title: String) throws {
        if json == "-" {
            try Terminal.write(comparison.json().document())
        } else {
            let style = Terminal.outputStyle
            try Terminal.write(
                TextStyle.printable(title) + comparison.table(title: "", colour: style.isColoured, width: style.width))
        }
        for remark in comparison.remarks { Terminal.tell("\(remark)") }
        // Last, so that a file that cannot be written does not cost the result.
        if let json, json != "-" { try OutputFile.write(comparison.json().document(), to: json, overwriting: force) }
        if stdin == nil, hasUnreadInput {
            Terminal.tell(
                "standard input is a pipe, which can be read only once: every run had an empty one; use --stdin FILE")
        }
    }

    private func title(of words: [String]) -> String {
        Program.commandLine(words) + (drive.map { ", driven by: \($0)" } ?? "")
    }

    private var items: [String] {
        let list = allocators ?? (allocator.isEmpty ? "glibc,jemalloc" : "")
        return AllocatorList.items(of: list) + allocator
    }

    /// Whether something waits in a pipe to be read that no run has read.
    private var hasUnreadInput: Bool {
        var status = Glibc.stat()
        var count: Int32 = 0
        guard fstat(STDIN_FILENO, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return false }
        return ioctl(STDIN_FILENO, UInt(FIONREAD), &count) == 0 && count > 0
    }

    private func exitStatus(of error: any Error) -> Int32 {
        switch error {
        case let error as AllocatorError: error.exitStatus
        case let error as ProgramError: error.exitStatus
        case is ShellCommandError: 1
        default: 69
        }
    }
}
