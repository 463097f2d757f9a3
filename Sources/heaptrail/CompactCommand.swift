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
    var level = 9

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

/// Compacting a trace that is open into a file.
enum Compaction {
    /// How large a trace was and is.
    struct Sizes {
        var before: UInt64
        var after: UInt64
        var events: UInt64

        /// One line for people.
        var text: String {
            let before = NumberText.bytes(Int(clamping: before)) + perEvent(self.before)
            return before + " before, " + NumberText.bytes(Int(clamping: after)) + perEvent(after) + " now"
        }

        private func perEvent(_ bytes: UInt64) -> String {
            guard events > 0 else { return "" }
            let hundredths = (bytes * 100 + events / 2) / events
            let fraction = String(hundredths % 100)
            return " (\(hundredths / 100).\(fraction.count < 2 ? "0" : "")\(fraction) an event)"
        }

        /// The document `heaptrail.compact/1`.
        func json() -> String {
            JSONValue.object([
                ("schema", .string("heaptrail.compact/1")), ("events", .integer(Int(clamping: events))),
                ("bytes_before", .integer(Int(clamping: before))), ("bytes_after", .integer(Int(clamping: after))),
            ]).document()
        }
    }

    /// Writes the trace to `output`, which holds either all of it or what it held before.
    static func write(
        _ input: TraceInput, to output: String, overwriting: Bool, level: Int
    ) throws(Failure) -> Sizes {
        let trace = input.trace
        if trace.mode == .text {
            throw Failure(
                status: .data,
                "\(input.path) is text, which has nothing to compact; record a binary trace: heaptrail record -o FILE -- PROGRAM"
            )
        }
        // What is corrupt must not look sound in its copy.
        try input.finish()
        if let offset = trace.cutOffset {
            Terminal.tell("\(input.path) was cut at byte \(offset): the compacted trace ends there, too")
        }
        var options = TraceCompactor.Options()
        options.level = level
        let progress = ProgressLine("compacting")
        defer { progress.clear() }
        do {
            let file = try ReplacementFile(for: output, overwriting: overwriting, likeFileAt: input.path)
            let outcome = try TraceCompactor.write(trace, options: options, progress: { progress.show($0) }) {
                try file.write($0)
            }
            try file.commit()
            return Sizes(
                before: UInt64(trace.fileBytesCount), after: outcome.bytes, events: trace.allocations + trace.frees)
        } catch let failure as Failure {
            throw failure
        } catch let error as TraceError {
            throw Failure(status: .data, "\(input.path): \(error); compact it again when nothing writes to it")
        } catch {
            throw Failure(status: .cannotCreate, "cannot write \(output): \(error)")
        }
    }
}
