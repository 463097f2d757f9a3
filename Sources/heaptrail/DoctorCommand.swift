// `heaptrail doctor`: says beforehand what a recording will and will not show, of a program or on this machine.
internal import AllocatorLab
import ArgumentParser
import FoundationEssentials
import Glibc
internal import ProfileExport

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Says what a recording of a program will and will not show, or whether this machine can record.",
        usage: "heaptrail doctor [--json] [PROGRAM [ARGUMENT ...]]",
        discussion: """
            With a program: what it is, whose malloc it calls, which libraries it needs, what names and call stacks a \
            report will have, and the command to type. Nothing of it is run. Without one: the installation and the \
            machine, with a test recording of this tool.

            Exit status: 0 it can be recorded, 66 there is no such program, 69 it cannot be recorded.
            """)

    @Flag(help: "Write JSON, schema heaptrail.doctor/1.")
    var json = false

    @Argument(parsing: .captureForPassthrough, help: "The program and its arguments.")
    var command: [String] = []

    func run() throws {
        var words = command
        var wantsJSON = json
        while words.first == "--json" {
            wantsJSON = true
            words.removeFirst()
        }
        try Self.checkPassthrough(words.first)
        if words.first == "--" { words.removeFirst() }
        let diagnosis =
            words.isEmpty ? Diagnosis(of: try Self.machine()) : Diagnosis(of: ProgramInspection(of: words))
        let style = Terminal.outputStyle
        let text = diagnosis.text(
            width: style.width, colour: style.isColoured, printable: TextStyle.printable)
        try Terminal.write(wantsJSON ? try diagnosis.json() : text)
        if diagnosis.exitStatus != 0 { throw ExitCode(diagnosis.exitStatus) }
    }

    private static func machine() throws -> MachineInspection {
        guard let library = try? InstalledFiles.preload() else {
            return MachineInspection(
                version: Heaptrail.version, libraryPath: nil, trial: .init(failure: "there is no library to load"))
        }
        let path = URL(fileURLWithPath: library).standardized.path
        return MachineInspection(version: Heaptrail.version, libraryPath: path, trial: trial())
    }

    /// Records this tool printing its version, into a file that goes away.
    private static func trial() -> MachineInspection.Trial {
        let folder = FileManager.default.temporaryDirectory.path + "/heaptrail-doctor.\(getpid())"
        let files = FileManager.default
        do {
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? files.removeItem(atPath: folder) }
            let recorder = Recorder(
                executable: InstalledFiles.folder + "/heaptrail", arguments: ["heaptrail", "version"],
                output: folder + "/trial.trace", silencesOutput: true)
            let summary = try recorder.run()
            return .init(allocations: summary.allocations, lost: summary.lost)
        } catch let failure as Failure {
            return .init(failure: failure.line)
        } catch {
            return .init(failure: "\(error)")
        }
    }
}
