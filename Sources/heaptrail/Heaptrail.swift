// The command line: one file a subcommand. Bad usage is one line on standard error, as every other failure is.
internal import ArgumentParser
import FoundationEssentials
import Glibc

@main
struct Heaptrail: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heaptrail",
        abstract: "Records a program's heap allocations and shows which types own them, why, and what would change it.",
        version: "heaptrail \(version)",
        subcommands: [
            RecordCommand.self, ReportCommand.self, DiffCommand.self, CompareCommand.self, ReplayCommand.self,
            ExportCommand.self, CompactCommand.self,
            DemoCommand.self, DoctorCommand.self, RulesCommand.self, VersionCommand.self, CollectCommand.self,
        ])

    /// The tool's version, written into every trace.
    static let version = "0.1.0"

    static func main() {
        // A file-size limit is an error of writing, with its line. A program that is started must not inherit this.
        if !ProgramWords.startsPrograms { signal(SIGXFSZ, SIG_IGN) }
        do {
            try ProgramWords.check()
            try run(parsed: try parseAsRoot(ProgramWords.parsed))
        } catch let failure as Failure {
            Terminal.tell(failure.line)
            exit(withError: ExitCode(failure.status.rawValue))
        } catch {
            fail(error)
        }
    }

    private static func run(parsed: any ParsableCommand) throws {
        var command = parsed
        try command.run()
    }

    /// Help, and statuses whose line is already written, are the parser's own business; the rest is one line.
    private static func fail(_ error: any Error) -> Never {
        guard !(error is ExitCode), exitCode(for: error) == .validationFailure else { exit(withError: error) }
        let asked = CommandLine.arguments.dropFirst().first { !$0.hasPrefix("-") }
        let names = configuration.subcommands.map { $0.configuration.commandName ?? "" }
        if let asked, !names.contains(asked), asked != "help" {
            let shown = configuration.subcommands.map { $0.configuration }.filter { $0.shouldDisplay }
            let known = shown.compactMap { $0.commandName }
            let hint = Suggestion.nearest(to: asked, among: known).map { " (did you mean \($0)?)" } ?? ""
            Terminal.tell("unknown command '\(asked)'\(hint); type: heaptrail --help")
            exit(withError: ExitCode.validationFailure)
        }
        let help = asked.map { names.contains($0) ? " " + $0 : "" } ?? ""
        let text = oneLine(message(for: error))
        Terminal.tell(text + (text.contains("type: ") ? "" : "; type: heaptrail\(help) --help"))
        exit(withError: ExitCode.validationFailure)
    }

    /// The parser's message, its lists of values written in a row.
    private static func oneLine(_ message: String) -> String {
        var text = ""
        for line in message.split(whereSeparator: \.isNewline) {
            var words = line.drop { $0 == " " }
            let isItem = words.hasPrefix("- ")
            if isItem { words = words.dropFirst(2) }
            if !text.isEmpty { text += isItem && !text.hasSuffix(":") ? ", " : " " }
            text += words
        }
        while text.last == "." { text.removeLast() }
        if let hint = text.firstRange(of: ". Did you mean ") {
            text.replaceSubrange(hint, with: " (did you mean ")
            text.append(")")
        }
        // The parser's sentences begin with a capital; here they follow the tool's name.
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}

/// Prints the version.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() {
        print("heaptrail \(Heaptrail.version)")
    }
}
