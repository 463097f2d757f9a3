// heaptrail collect: what the preloaded library starts when it was preloaded without `heaptrail record`. Not for typing.
internal import ArgumentParser

struct CollectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "collect", abstract: "Collects for a program that preloaded the library itself.",
        shouldDisplay: false)

    @Option var regionFd: Int32
    @Option var pid: Int32
    @Option var output: String?
    @Flag var text = false
    @Flag var binary = false

    func run() throws {
        do {
            try Recorder.collect(regionDescriptor: regionFd, pid: pid, output: output, text: text)
        } catch let failure as Failure {
            Terminal.tell(failure.line)
            Recorder.releaseRefused()
            throw ExitCode(failure.status.rawValue)
        }
    }
}
