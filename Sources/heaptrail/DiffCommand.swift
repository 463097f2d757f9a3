// `heaptrail diff`: two recordings by owner, cause and site, what differs and by how much, as tables or as JSON.
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport
internal import Symbolication
internal import TraceReader

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Shows what two traces differ in, by owner, cause and call site.",
        usage: "heaptrail diff [<options>] <old> <new>",
        discussion: """
            Rows are matched by name: owner, cause, and call site by function, then file; not by line or address, so \
            that both builds of a program can be compared. Whether anything differs does not change the exit status.

            Example: heaptrail diff before.trace after.trace --by cause
            """)

    @Argument(
        help: ArgumentHelp("Two traces, binary or text, the old one first; - is standard input.", valueName: "trace"))
    var traces: [String] = []

    @Option(
        help: ArgumentHelp(
            "Group rows by these, separated by commas: family, owner, type, cause, site, size, thread, module.",
            valueName: "keys"))
    var by: GroupingList?

    @Option(help: ArgumentHelp("Show this many rows of a table at most.", valueName: "n"))
    var top: Int?

    @Flag(help: "Show the rows that are the same, too.")
    var all = false

    @Option(help: ArgumentHelp("Only owners of this family, such as Box or String.", valueName: "family"))
    var family: String?

    @Option(
        help: ArgumentHelp("Only rows whose owner, site or module contains this, ignoring case.", valueName: "text"))
    var filter: String?

    @Option(
        help: ArgumentHelp(
            "The executed program of both traces to compare, from 1; the last one unless given.", valueName: "n"))
    var image: Int?

    @OptionGroup var rules: RuleOptions

    @Option(
        defaultAsFlag: Self.standardOutput,
        help: ArgumentHelp("Write JSON, schema heaptrail.diff/1, to a file or to standard output.", valueName: "file"))
    var json: String?

    @Flag(help: "Overwrite an output that exists.")
    var force = false

    /// What `--json` without a file means.
    private static let standardOutput = "-"

    func validate() throws {
        if let top, top < 1 { throw ValidationError("--top takes a number from 1") }
        let count = operands.traces.count
        if count != 2 {
            let given = count < 2 ? "\(count == 0 ? "no trace" : "one trace") was named" : "\(count) traces were named"
            throw ValidationError("\(given), two are compared; type: heaptrail diff OLD NEW")
        }
        if operands.traces == ["-", "-"] {
            throw ValidationError("standard input is one trace only; type: heaptrail diff OLD - < NEW")
        }
    }

    /// The two traces and where JSON goes. `--json` takes the word behind it, which is a trace where one would be missing otherwise.
    private var operands: (traces: [String], json: String?) {
        guard traces.count == 1, let json, CommandLine.arguments.contains(json) else { return (traces, json) }
        let words = CommandLine.arguments
        let isFirst = (words.firstIndex(of: json) ?? 0) < (words.lastIndex(of: traces[0]) ?? 0)
        return (isFirst ? [json] + traces : traces + [json], Self.standardOutput)
    }

    func run() throws {
        try Failure.reported { () throws(Failure) in
            let (names, json) = operands
            if let json, json != Self.standardOutput {
                if !force { try OutputFile.refuseExisting(json) }
                for name in names { try OutputFile.refuseSame(json, as: name) }
            }
            var request = DiffRequest()
            request.keys = by?.keys
            request.top = top
            request.filter = RowFilter(family: family, text: filter)
            request.showsUnchanged = all
            request.names = (names[0], names[1])
            let ruleSet = try rules.ruleSet()
            let old = try TraceInput(path: names[0], isOneOfSeveral: true)
            request.isOneFile = Self.isOneFile(names[0], names[1])
            let new = request.isOneFile ? old : try TraceInput(path: names[1], isOneOfSeveral: true)
            let options = request.analysis(hasOtherAllocator: allocator(of: old) != allocator(of: new))
            let first = try analyse(old, .old, options, ruleSet, &request)
            let second = request.isOneFile ? first : try analyse(new, .new, options, ruleSet, &request)
            rules.tellUnused(in: second)
            let diff = ProfileDiff(old: first, new: second, filter: request.filter)
            try write(diff, request, to: json)
            try finish(request.isOneFile ? [old] : [old, new])
        }
    }

    /// Ends with a line for each trace that is corrupt.
    private func finish(_ inputs: [TraceInput]) throws(Failure) {
        var last: Failure?
        for input in inputs {
            do throws(Failure) {
                try input.finish()
            } catch {
                if let last { Terminal.tell(last.line) }
                last = error
            }
        }
        if let last { throw last }
    }

    private func allocator(of input: TraceInput) -> String {
        input.trace.allocator(ofImage: image ?? input.trace.lastImage)
    }

    private func analyse(
        _ input: TraceInput, _ operand: DiffOperand, _ options: AnalysisOptions, _ rules: RuleSet,
        _ request: inout DiffRequest
    ) throws(Failure) -> HeapProfile {
        let symbolicator = input.makeSymbolicator()
        let profile = try input.analyse(image: image, options: options, rules: rules, symbolicator: symbolicator)
        request.replacedModules[operand] = symbolicator.replacedModules
        return profile
    }

    private func write(_ diff: ProfileDiff, _ request: DiffRequest, to json: String?) throws(Failure) {
        guard let json else {
            return try Terminal.write(DiffText(diff: diff, request: request, style: Terminal.outputStyle).text())
        }
        let document = DiffDocument(diff: diff, request: request).json()
        if json == Self.standardOutput { return try Terminal.write(document) }
        try OutputFile.write(document, to: json, overwriting: force)
    }

    /// Whether both paths lead to one file.
    private static func isOneFile(_ one: String, _ other: String) -> Bool {
        var first = stat()
        var second = stat()
        guard one != "-", other != "-", stat(one, &first) == 0, stat(other, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }
}
