// `heaptrail compact`: a trace written anew, small, with everything in it.
internal import ArgumentParser
internal import ProfileExport
internal import TraceCompaction
internal import TraceReader

struct CompactCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact",
        abstract: "Writes a trace anew in a fraction of its size; every command reads it as it reads the trace itself.",
        discussion: "Nothing is left out: reports and exports of both are the same, byte for byte.")

    @Argument(help: "The binary trace; - is standard input.")
    var trace: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Where to write (default: NAME.compact.trace beside NAME.trace); - is standard output.", valueName: "file"))
    var output: String?

    @Flag(help: "Overwrite an output that exists, be it the trace itself.")
    var force = false

    @Option(help: ArgumentHelp("How hard to compress: 1 (fast) to 19 (small).", valueName: "n"))
    var level = Compaction.defaultLevel

    @Flag(help: "Write what came of it as JSON, schema heaptrail.compact/1.")
    var json = false

    func validate() throws {
        if !(1...19).contains(level) { throw ValidationError("--level takes a number from 1 to 19") }
        if trace == "-", output == nil {
            throw ValidationError("standard input has no name; choose an output with -o FILE")
        }
        if json, output == "-" { throw ValidationError("--json and -o - both write to standard output") }
    }

    func run() throws {
        try Failure.reported { () throws(Failure) in
            let output = output ?? Self.defaultOutput(of: trace)
            if !force, output != "-" { try OutputFile.refuseExisting(output) }
            let input = try TraceInput(path: trace)
            let sizes = try Compaction.write(input, to: output, overwriting: force, level: level)
            if json {
                try Terminal.write(sizes.json())
            } else {
                Terminal.tell("compacted \(trace) into \(output): \(sizes.text)")
            }
        }
    }

    /// `NAME.compact.trace` for `NAME.trace`, and for a `NAME` of any other form.
    static func defaultOutput(of trace: String) -> String {
        (trace.hasSuffix(".trace") ? String(trace.dropLast(".trace".count)) : trace) + ".compact.trace"
    }
}
