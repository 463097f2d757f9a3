// `heaptrail export`: a trace in the formats of other tools.
public import ArgumentParser
internal import HeapAnalysis
public import ProfileExport
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Writes a trace in a format that other tools read.",
        discussion: "collapsed: one line a call stack, outermost frame first, for any flame graph tool.")

    /// Formats whose names are settled; those beside `collapsed` come with later versions.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case collapsed, pprof, speedscope, firefox, dhat, heaptrack, sqlite, csv, parquet
    }

    @Argument(help: "The trace, binary or text; - is standard input.")
    var trace: String

    @Option(help: "The format: collapsed.")
    var format: Format

    @Option(help: "What a stack weighs.")
    var weight = ExportWeight.bytes

    @Option(name: .shortAndLong, help: ArgumentHelp("Where to write; - is standard output.", valueName: "file"))
    var output = "-"

    @Option(help: ArgumentHelp("The executed program to export, from 1; the last one unless given.", valueName: "n"))
    var image: Int?

    @OptionGroup var rules: RuleOptions

    @Option(
        help: ArgumentHelp(
            "End at this moment, as in report --at; with --weight live: what was live then.", valueName: "time"),
        transform: MomentArgument.parse)
    var at: MomentArgument?

    @Flag(help: "Put the owner's type, in brackets, as the innermost frame.")
    var owners = false

    @Flag(help: "Overwrite an output that exists.")
    var force = false

    func validate() throws {
        guard format == .collapsed else {
            throw ValidationError(
                "--format \(format.rawValue) is not available in this version; type: heaptrail export \(trace) --format collapsed"
            )
        }
    }

    func run() throws {
        try Failure.reported { () throws(Failure) in
            if output != "-", !force { try OutputFile.refuseExisting(output) }
            try OutputFile.refuseSame(output, as: trace)
            let ruleSet = try rules.ruleSet()
            let input = try TraceInput(path: trace)
            var options = AnalysisOptions()
            if let at { options.moment = try input.resolve(at, image: image) }
            let profile = try input.analyse(image: image, options: options, rules: ruleSet)
            rules.tellUnused(in: profile)
            let text = CollapsedStacks(profile: profile, weight: weight, showsOwners: owners).text()
            if output == "-" {
                try Terminal.write(text)
            } else {
                try OutputFile.write(text, to: output, overwriting: force)
            }
            try input.finish()
        }
    }
}

extension ExportWeight: ExpressibleByArgument {}

/// Output files: never overwritten unless told so.
enum OutputFile {
    /// Fails when `path` exists, or nothing can be made in its folder, before any work is done for it.
    static func refuseExisting(_ path: String) throws(Failure) {
        // Not by opening it: that would wait for the other end of a named pipe.
        if access(path, F_OK) == 0 { throw exists(path) }
        let folder = FilePath(path).removingLastComponent()
        if access(folder.isEmpty ? "." : folder.string, W_OK) != 0 { throw failure(path, Errno(rawValue: errno)) }
    }

    /// Fails when `path` is the trace itself, by whatever name: not even forced is a recording replaced by its export.
    static func refuseSame(_ path: String, as trace: String) throws(Failure) {
        var output = stat()
        var input = stat()
        guard stat(path, &output) == 0, stat(trace, &input) == 0 else { return }
        if output.st_dev == input.st_dev, output.st_ino == input.st_ino {
            throw Failure(status: .cannotCreate, "\(path) is the trace itself; name another file")
        }
    }

    /// Writes `text` to a file that did not exist, or whatever did when `overwriting`.
    static func write(_ text: String, to path: String, overwriting: Bool) throws(Failure) {
        do {
            let descriptor = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: overwriting ? [.create, .truncate] : [.create, .exclusiveCreate],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try descriptor.closeAfter { _ = try descriptor.writeAll(text.utf8) }
        } catch Errno.fileExists {
            throw exists(path)
        } catch {
            throw failure(path, error)
        }
    }

    private static func failure(_ path: String, _ error: any Error) -> Failure {
        Failure(status: .cannotCreate, "cannot write \(path): \(error); name another file")
    }

    private static func exists(_ path: String) -> Failure {
        Failure(status: .cannotCreate, "\(path) exists; add --force to overwrite it")
    }
}
