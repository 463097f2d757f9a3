// `--suppressions FILE` and `--no-suppressions`, of the view of leaks.
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport

struct SuppressionOptions: ParsableArguments {
    @Option(
        name: .customLong("suppressions"),
        help: ArgumentHelp(
            "With --view leaks: leave out what this file names, lines of leak:PATTERN as LeakSanitizer reads them; may be repeated.",
            valueName: "file"))
    var files: [String] = []

    @Flag(
        name: .customLong("no-suppressions"),
        help: "With --view leaks: show what the runtimes keep to the end, too; only files given are used.")
    var withoutBuiltIn = false

    /// Whether any of these options was given.
    var isUsed: Bool { !files.isEmpty || withoutBuiltIn }

    /// The files' suppressions, and the built-in ones unless they are not wanted.
    func suppressions() throws(Failure) -> LeakSuppressions {
        var tables: [RuleSet.Table] = []
        for file in files {
            tables.append(RuleSet.Table(file: file, text: try TextInput.read(file, noun: "suppressions")))
        }
        do {
            return try LeakSuppressions(files: tables, includesBuiltIn: !withoutBuiltIn)
        } catch {
            throw Failure(status: .data, "\(error)")
        }
    }

    /// Says which suppressions of the files took nothing.
    func tellUnused(_ request: ReportRequest, in profile: HeapProfile) {
        if files.isEmpty { return }
        let leaks = LeakReport(profile, suppressions: request.suppressions, filter: request.filter)
        for (file, unused) in Dictionary(grouping: leaks.unused, by: \.file).sorted(by: { $0.key < $1.key }) {
            let names = unused.prefix(3).map { "\($0.text) (line \($0.line))" }.joined(separator: ", ")
            let others = unused.count > 3 ? " and \(unused.count - 3) more" : ""
            let subject = unused.count == 1 ? "1 suppression holds" : "\(unused.count) suppressions hold"
            Terminal.tell("\(file): \(subject) of nothing that is live: \(names)\(others)")
        }
    }
}
