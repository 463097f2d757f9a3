// heaptrail record: runs a program under the preload and collects its trace. The program's output, input and exit status stay its own; the summary goes to
// standard error.
internal import AllocatorLab
import ArgumentParser
import FoundationEssentials
import Glibc

enum TraceFormat: String, ExpressibleByArgument, CaseIterable {
    case binary, text
}

enum WhenFull: String, ExpressibleByArgument, CaseIterable {
    case wait, drop
}

struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Runs a program, or attaches to a running one, and records its heap allocations.",
        usage: """
            heaptrail record [-o FILE] [OPTIONS] -- PROGRAM [ARGUMENT ...]
            heaptrail record [-o FILE] [OPTIONS] --pid PID [--duration SECONDS]
            """)

    @Option(
        name: [.short, .customLong("output")],
        help: "The trace to write (default: heaptrail.PROGRAM.PID.trace; - for standard output).")
    var output: String?

    @Flag(help: "Overwrite an existing trace.")
    var force = false

    @Option(
        help:
            "Run on this allocator: glibc, jemalloc, mimalloc, tcmalloc or a library's path, with options as in jemalloc:MALLOC_CONF=narenas:1 (default: what the program runs on by itself)."
    )
    var allocator: String?

    @Flag(help: "Record no call stacks: sizes and times alone.")
    var noStacks = false

    @Flag(help: "Leave the Swift runtime's allocation hook alone: types are told by call stacks alone.")
    var noSwiftTypes = false

    @Option(help: "Innermost frames kept of each call stack (1 to 952).")
    var maxDepth: Int = 952

    @Option(
        help: ArgumentHelp(
            "Record a sample of the allocations, one every BYTES bytes on average (512KiB, 1MiB …), and exact totals.",
            valueName: "bytes"))
    var sample: ByteCount?

    @Flag(help: "Record child processes, too, each in FILE.PID.")
    var follow = false

    @Option(help: "What to do when the collector cannot keep up: wait (nothing is lost) or drop (losses are counted).")
    var whenFull: WhenFull = .wait

    @Option(help: "binary, or text: one ALLOC: or FREE: line an event, on standard error unless -o is given.")
    var format: TraceFormat = .binary

    @Option(help: "Attach to this running process; recording ends with it, on an interrupt, or after --duration.")
    var pid: Int32?

    @Option(help: "Seconds to record a running process (--pid), fractions allowed.")
    var duration: Double?

    @Flag(help: "When the recording has ended, write the trace anew in a fraction of its size (see heaptrail compact).")
    var compact = false

    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
    var command: [String] = []

    func validate() throws {
        guard (1...952).contains(maxDepth) else { throw ValidationError("--max-depth must be from 1 to 952") }
        if sample != nil, format == .text {
            throw ValidationError("--sample needs --format binary: text lines have no place for a sample's weight")
        }
        if compact, format == .text || output == "-" {
            throw ValidationError("--compact needs a binary trace in a file of its own; choose one with -o FILE")
        }
    }

    func run() throws {
        try Self.checkPassthrough(command.first)
        let arguments = try ProgramWords.words(behind: command)
        if let pid {
            guard arguments.isEmpty else {
                throw Failure(
                    status: .usage,
                    "--pid attaches to a running process; leave out -- \(Program.commandLine(arguments.map(\.description)))"
                )
            }
            return try attach(to: pid)
        }
        guard duration == nil else {
            throw Failure(
                status: .usage, "--duration goes with --pid; a program that is started is recorded to its end")
        }
        guard let name = arguments.first?.description else {
            throw Failure(status: .usage, "no program given; try: heaptrail record -- PROGRAM [ARGUMENT ...]")
        }
        let program: Program
        let choice = try allocator.map { try AllocatorChoice($0) }
        do {
            program = try Program(finding: arguments, for: allocator == nil ? .recording : .replacingAllocator)
        } catch {
            throw Failure(status: error.exitStatus == 66 ? .noInput : .unavailable, "\(error)")
        }
        let recorder = Recorder(
            executable: program.path, arguments: arguments, output: output, outputBase: defaultOutput(of: name),
            force: force,
            allocator: choice?.name ?? "glibc", allocatorPath: choice?.path(for: arguments) ?? "",
            noStacks: noStacks, noSwiftTypes: noSwiftTypes, maxDepth: maxDepth,
            sampleBytes: sample?.bytes ?? 0, follow: follow,
            drop: whenFull == .drop, text: format == .text)
        // The program is this process's child, and sees what this one does.
        for variable in choice?.variables ?? [] { setenv(variable.name, variable.value, 1) }
        let began = Compaction.now()
        var summary = try recorder.run()
        UserCache.keepBuilds(of: &summary.result)
        summary.print(program: name)
        if compact { Compaction.replaceRecordings(of: summary, since: began) }
        summary.printNext()
        summary.exitAsProgram()
    }

    private func attach(to pid: Int32) throws {
        if let duration, !(duration > 0 && duration <= 1e9) {
            throw Failure(status: .usage, "--duration is a number of seconds above 0, such as 10 or 0.5")
        }
        guard allocator == nil else {
            throw Failure(status: .usage, "--allocator cannot change the allocator of a process that runs already")
        }
        let process = try RunningProcess(pid: pid)
        let recorder = Recorder(
            executable: process.executable, arguments: process.arguments, output: output,
            outputBase: defaultOutput(of: process.name), force: force, allocator: "",
            noStacks: noStacks, noSwiftTypes: noSwiftTypes, maxDepth: maxDepth, sampleBytes: sample?.bytes ?? 0,
            follow: follow,
            drop: whenFull == .drop, text: format == .text)
        let began = Compaction.now()
        var summary = try recorder.attach(to: process, seconds: duration)
        UserCache.keepBuilds(of: &summary.result)
        summary.print(program: "process \(pid) (\(process.name))")
        if compact { Compaction.replaceRecordings(of: summary, since: began) }
        summary.printNext()
    }

    /// Where the trace goes when no output is named: `heaptrail.PROGRAM.PID.trace` here; nil for text, which goes to standard error.
    private func defaultOutput(of name: String) -> String? {
        if output != nil || format == .text { return nil }
        return "heaptrail." + (name.split(separator: "/").last.map(String.init) ?? name)
    }
}

/// What `--allocator` names.
struct AllocatorChoice {
    /// The name that a trace gives it: the C library's has two, and options are no part of it.
    let name: String
    /// The path of its library, "" for the system's.
    let path: String
    /// What sets its options.
    let variables: [EnvironmentVariable]

    /// Finds an allocator by its name or path, with or without options.
    /// - Throws: `Failure` 69 when the allocator is not installed, 64 for a name that is none.
    init(_ item: String) throws {
        do {
            let found = try AllocatorList.resolve(item, in: AllocatorCatalogue())
            let bare = found.variables.isEmpty ? item : String(item.prefix { $0 != ":" })
            name = bare == "system" ? "glibc" : bare
            path = found.libraryPath ?? ""
            variables = found.variables
        } catch {
            throw Failure(status: error.exitStatus == 64 ? .usage : .unavailable, "\(error)")
        }
    }

    /// The path to preload for a command, "" where the C library's allocator serves it by itself. Where a library that the program links brings another, the
    /// C library is put in front of that.
    func path(for command: [ByteString]) -> String {
        path.isEmpty ? LinkedAllocator(of: command.map(\.description))?.systemLibrary ?? "" : path
    }
}
