// The command line: one subcommand a file. What goes wrong ends in one line on standard error and an exit status of ExitStatus.
import ArgumentParser
import Foundation

@main
struct Heaptrail: ParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "heaptrail",
        abstract: "Records every heap allocation of a program and says who owns the heap, and why.",
        discussion: """
            heaptrail record -o app.trace -- ./app
            heaptrail report app.trace
            heaptrail compare --allocators glibc,jemalloc -- ./app
            """,
        version: "heaptrail \(version)",
        subcommands: [
            RecordCommand.self, ReportCommand.self, CompareCommand.self, ExportCommand.self, DemoCommand.self, CollectCommand.self,
            VersionCommand.self,
        ])

    static func main() {
        // A pipe that closes early (| head) ends the output, not the tool with a signal's status.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            FileHandle.standardError.write(Data("heaptrail: \(failure.message)\n".utf8))
            Foundation.exit(failure.status.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Prints the version.")

    func run() {
        print("heaptrail \(Heaptrail.version)")
    }
}
