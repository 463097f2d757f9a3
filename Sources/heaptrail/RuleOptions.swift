// `--rules FILE`, the same for every command that says who owns what.
internal import ArgumentParser
internal import HeapAnalysis

struct RuleOptions: ParsableArguments {
    @Option(
        name: .customLong("rules"),
        help: ArgumentHelp(
            "Read rules for types of your own from this file, before the built-in ones; may be repeated. See: heaptrail rules",
            valueName: "file"))
    var files: [String] = []

    /// The built-in rules, after those of the files.
    func ruleSet() throws(Failure) -> RuleSet {
        if files.isEmpty { return .builtIn }
        var tables: [RuleSet.Table] = []
        for file in files { tables.append(RuleSet.Table(file: file, text: try TextInput.read(file, noun: "rules"))) }
        do {
            return try RuleSet.builtIn(precededBy: tables)
        } catch {
            throw Failure(status: .data, "\(error)")
        }
    }

    /// Says which rules of the files had nothing to say about the profile.
    func tellUnused(in profile: HeapProfile) {
        if files.isEmpty || profile.frames.isEmpty { return }
        for (file, unused) in Dictionary(grouping: profile.unusedRules(), by: \.file).sorted(by: { $0.key < $1.key }) {
            let names = unused.prefix(3).map { "\($0.name) (line \($0.line))" }.joined(separator: ", ")
            let others = unused.count > 3 ? " and \(unused.count - 3) more" : ""
            let subject = unused.count == 1 ? "1 rule matches" : "\(unused.count) rules match"
            Terminal.tell("\(file): \(subject) no frame of this trace: \(names)\(others)")
        }
    }
}
