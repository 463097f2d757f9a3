// `heaptrail rules`: the rules that say who owns what, as the tool has them; and whether a file of one's own can be read.
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport

struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Prints the rules that say which types own what their functions allocate.",
        discussion: """
            Without a name: the files there are. A file's name prints it whole, as an example to start from; a rule's \
            name, or the beginning of several, prints these rules with their places.

            Examples: heaptrail rules rust; heaptrail rules rust.vec; heaptrail rules --rules mine.rules
            """)

    @Argument(help: ArgumentHelp("Files or rules.", valueName: "name"))
    var names: [String] = []

    @OptionGroup var rules: RuleOptions

    @Flag(help: "Write JSON, schema heaptrail.rules/1.")
    var json = false

    func run() throws {
        try Failure.reported { () throws(Failure) in
            let ruleSet = try rules.ruleSet()
            let catalogue = RuleCatalogue(rules: ruleSet)
            for name in names where !catalogue.has(name) {
                let hint = NearestWord.nearest(to: name, among: catalogue.words).map { " (did you mean \($0)?)" } ?? ""
                throw Failure(status: .usage, "there is no rule or file '\(name)'\(hint); type: heaptrail rules")
            }
            try Terminal.write(
                json ? catalogue.json(of: names) : catalogue.text(of: names, style: Terminal.outputStyle))
        }
    }
}
