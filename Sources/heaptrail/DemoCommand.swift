// heaptrail demo [NAME ...]: records the demo workloads and reports each.
import ArgumentParser
import Foundation

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Records demo workloads (all of them, or those named) and reports who owned their heap.")

    @Option(help: "Run on this allocator: glibc, jemalloc, mimalloc, tcmalloc or a library's path.")
    var allocator = "glibc"

    @Argument(help: "Workloads; see: heaptrail-demo list")
    var names: [String] = []

    func run() throws {
        let executable = try InstalledFiles.demo()
        let allocatorPath = try AllocatorChoice.path(of: allocator)
        let folder = NSTemporaryDirectory() + "/heaptrail-demo-\(getpid())"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in names.isEmpty ? ["all"] : names {
            let trace = "\(folder)/\(name.replacingOccurrences(of: "/", with: "_")).trace"
            let recorder = Recorder(
                executable: executable, arguments: ["heaptrail-demo", name], output: trace, allocator: allocator,
                allocatorPath: allocatorPath)
            let summary = try recorder.run()
            guard summary.succeeded else {
                throw Failure(status: .failed, "the workload '\(name)' failed; see: heaptrail-demo list")
            }
            let report = try ReportCommand.parse([trace])
            try report.run()
        }
    }
}
