// `heaptrail compare`: one program, untraced, on several allocators in turn.

internal import AllocatorLab
import ArgumentParser
internal import Glibc
internal import ProfileExport

/// Runs a program on each of several allocators and sets time and memory side by side.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Runs a program, untraced, on several allocators and compares time and memory.",
        discussion: """
            Each allocator's library is preloaded in turn, round by round, after one round to warm up. The program's \
            output is compared in that first round and discarded; its standard input is read anew from the start in \
            every run if it is a regular file, else it is empty.

            Example: heaptrail compare --allocators glibc,jemalloc --runs 20 -- jq . big.json
            """)

    @Option(help: "Names, separated by commas: \(AllocatorCatalogue.names.joined(separator: ", ")) or a path.")
    var allocators = "glibc,jemalloc"

    @Option(help: "Timed runs on each allocator.")
    var runs = 10

    @Flag(help: "Print the result as JSON (heaptrail.compare/1).")
    var json = false

    @Argument(parsing: .postTerminator, help: "The program and its arguments, after --.")
    var command: [String] = []

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("name the program after --, as in: heaptrail compare -- jq . a.json")
        }
        if runs < 1 { throw ValidationError("--runs takes a whole number from 1 on") }
        if allocatorNames.isEmpty { throw ValidationError("--allocators takes one name at least") }
    }

    func run() throws {
        let comparison: Comparison
        do {
            let catalogue = AllocatorCatalogue()
            let program = try Program(finding: command)
            let chosen = try allocatorNames.map { name in try catalogue.resolve(name) }
            let plan = AllocatorComparison(allocators: chosen, runs: runs, runner: ProgramLauncher(program))
            comparison = try plan(progress: showProgress)
            clearProgress()
        } catch {
            clearProgress()
            Terminal.tell("\(error)")
            throw ExitCode(exitStatus(of: error))
        }
        let table = comparison.table(
            title: command.joined(separator: " "), colour: Terminal.outputStyle.isColoured)
        try Terminal.write(json ? comparison.json() : table)
        for remark in comparison.remarks { Terminal.tell("\(remark)") }
        if comparison.hasFailures { throw ExitCode(1) }
    }

    private var allocatorNames: [String] { allocators.split(separator: ",").map(String.init) }

    private func exitStatus(of error: any Error) -> Int32 {
        switch error {
        case let error as AllocatorError: error.exitStatus
        case let error as ProgramError: error.exitStatus
        default: 69
        }
    }

    private func showProgress(done: Int, total: Int) {
        if isatty(2) == 1 { write("\r\u{1b}[Krun \(done + 1) of \(total)") }
    }

    private func clearProgress() {
        if isatty(2) == 1 { write("\r\u{1b}[K") }
    }

    private func write(_ text: String) {
        _ = Glibc.write(2, text, text.utf8.count)
    }
}
