// `heaptrail demo`: records the demo workloads on each allocator, says who owned the heap and why, sets the allocators side by side, and times them untraced.
internal import AllocatorLab
import ArgumentParser
import FoundationEssentials
import Glibc
internal import HeapAnalysis
internal import ProfileExport

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Records demo workloads on several allocators, reports their owners and compares the allocators.",
        discussion: "heaptrail-demo list names the workloads; without a name all of them run in one process.")

    @Option(help: ArgumentHelp("Allocators to record on, separated by commas.", valueName: "names"))
    var allocators = "glibc,jemalloc"

    @Option(help: ArgumentHelp("Timed runs on each allocator.", valueName: "n"))
    var runs = 10

    @OptionGroup var rules: RuleOptions

    @Argument(help: ArgumentHelp("Workloads.", valueName: "name"))
    var names: [String] = []

    func validate() throws {
        if runs < 1 { throw ValidationError("--runs takes a number from 1") }
    }

    func run() throws {
        let ruleSet = try rules.ruleSet()
        let executable = try InstalledFiles.demo()
        let chosen = try allocators.split(separator: ",").map { item in
            let choice = try AllocatorChoice(String(item))
            guard choice.variables.isEmpty else {
                throw Failure(status: .usage, "\(item): the demo takes allocators without options")
            }
            return (name: String(item), path: choice.path)
        }
        guard let first = chosen.first else { throw Failure(status: .usage, "--allocators takes one name at least") }
        let folder = try TraceFolder()
        for workload in names.isEmpty ? ["all"] : names {
            var columns: [OwnersByAllocator.Column] = []
            for allocator in chosen {
                let trace = "\(folder.path)/\(workload.replacing("/", with: "_")).\(columns.count).trace"
                let recorder = Recorder(
                    executable: executable, arguments: ["heaptrail-demo", ByteString(workload)], output: trace,
                    allocator: allocator.name, allocatorPath: allocator.path, silencesOutput: !columns.isEmpty)
                let summary = try recorder.run()
                guard summary.succeeded else {
                    throw Failure(
                        status: summary.refusedUsage ? .usage : .failed,
                        "the workload '\(workload)' failed; type: heaptrail-demo list")
                }
                let profile = try TraceInput(path: trace, isQuiet: true).analyse(
                    image: nil, options: AnalysisOptions(fields: []), rules: ruleSet)
                columns.append(.init(allocator: allocator.name, profile: profile))
            }
            try report(workload, columns)
            if columns.count > 1 { try compare(executable, workload, first: first.name) }
        }
    }

    private func report(_ workload: String, _ columns: [OwnersByAllocator.Column]) throws {
        let style = Terminal.outputStyle
        var request = ReportRequest()
        request.leadingFamilies = ["Box", "String", "Cow"]
        try section("who owned the heap: \(workload), on \(columns[0].allocator)")
        try Terminal.write(ReportText(profile: columns[0].profile, request: request, style: style).text())
        try section("why")
        var causes = ReportRequest()
        causes.keys = [.cause]
        try Terminal.write(ReportText(profile: columns[0].profile, request: causes, style: style).table())
        if columns.count < 2 { return }
        try section("peak and slack of each owner, " + columns.map(\.allocator).joined(separator: " beside "))
        request.top = 16
        try Terminal.write(OwnersByAllocator(columns: columns, request: request).text(style: style))
    }

    private func compare(_ executable: String, _ workload: String, first: String) throws {
        try section("the same workloads untraced, \(runs) runs each")
        let catalogue = AllocatorCatalogue()
        let chosen = try allocators.split(separator: ",").map { try catalogue.resolve(String($0)) }
        let program = try Program(finding: [ByteString(executable), ByteString(workload)])
        let plan = AllocatorComparison(allocators: chosen, runs: runs, runner: ProgramLauncher(program))
        let comparison = try plan()
        try Terminal.write(
            comparison.table(
                title: "heaptrail-demo \(workload)", colour: Terminal.outputStyle.isColoured,
                width: Terminal.outputStyle.width))
        for remark in comparison.remarks { Terminal.tell("\(remark)") }
    }

    private func section(_ title: String) throws {
        try Terminal.write("\n── \(title) ──\n")
    }
}

/// A folder for traces that goes with its owner.
private struct TraceFolder: ~Copyable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/heaptrail-demo.\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
