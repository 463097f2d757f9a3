// `heaptrail report`: who owns the heap, as a table or as JSON.
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Shows what a trace holds: owners, causes, call sites, peak, leaks, temporaries.")

    @Argument(help: "The trace, binary or text; - is standard input.")
    var trace: String

    @Option(
        help: ArgumentHelp(
            "Group rows by these, separated by commas: family, owner, type, cause, site, size, thread, module.",
            valueName: "keys"))
    var by: GroupingList?

    @Option(
        help: ArgumentHelp(
            "The point of view: \(ReportView.allCases.map(\.rawValue).joined(separator: ", ")) (default: totals; with --at: live). Several, separated by commas, or all: each adds its part, the rows are the first one's.",
            valueName: "views"))
    var view: ReportViewList?

    @Option(
        help: ArgumentHelp(
            "End at this moment: so long after the first event (250us, 40ms, 1.5s, 2m) or a share of the whole (30%). Shows what is live then, or any other view as if the program had ended there.",
            valueName: "time"), transform: MomentArgument.parse)
    var at: MomentArgument?

    @Option(help: ArgumentHelp("Show this many rows at most (text: 20 unless given; JSON: all).", valueName: "n"))
    var top: Int?

    @Option(help: ArgumentHelp("Only owners of this family, such as Box or String.", valueName: "family"))
    var family: String?

    @Option(
        help: ArgumentHelp("Only rows whose owner, site or module contains this, ignoring case.", valueName: "text"))
    var filter: String?

    @Option(help: ArgumentHelp("The executed program to show, from 1; the last one unless given.", valueName: "n"))
    var image: Int?

    @OptionGroup var rules: RuleOptions

    @OptionGroup var suppressions: SuppressionOptions

    @Flag(help: "Show for each row what decided: the rules, their patterns, a call stack and the frame that matched.")
    var explain = false

    @Flag(help: "Write JSON, schema heaptrail.report/1.")
    var json = false

    func validate() throws {
        if let top, top < 1 { throw ValidationError("--top takes a number from 1") }
        if suppressions.isUsed, view?.views.contains(.leaks) != true {
            throw ValidationError("suppressions are of the leaks; type: heaptrail report \(trace) --view leaks")
        }
    }

    func run() throws {
        try Failure.reported { () throws(Failure) in
            var request = ReportRequest()
            request.keys = by?.keys
            request.views = view?.views ?? [at == nil ? .totals : .live]
            let showsLeaks = request.views.contains(.leaks)
            request.top = top
            request.filter = RowFilter(family: family, text: filter)
            request.explains = explain
            let ruleSet = try rules.ruleSet()
            if showsLeaks { request.suppressions = try suppressions.suppressions() }
            let input = try TraceInput(path: trace)
            var options = request.analysis
            if let at {
                options.moment = try input.resolve(at, image: image)
                options.keepsLiveOnly = request.views == [.live]
            }
            let profile = try input.analyse(image: image, options: options, rules: ruleSet)
            rules.tellUnused(in: profile)
            if showsLeaks { suppressions.tellUnused(request, in: profile) }
            if json {
                try Terminal.write(ReportDocument(profile: profile, request: request).json())
            } else {
                try Terminal.write(
                    ReportText(profile: profile, request: request, style: Terminal.outputStyle).text())
            }
            try input.finish()
        }
    }
}

/// The value of `--by`.
struct GroupingList: ExpressibleByArgument {
    var keys: [GroupingKey]

    init?(argument: String) {
        keys = []
        for word in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let key = GroupingKey(rawValue: word.lowercased()) else { return nil }
            keys.append(key)
        }
    }

    static var allValueStrings: [String] { GroupingKey.allCases.map(\.rawValue) }
}

/// The value of `--view`: views separated by commas, or all of them.
struct ReportViewList: ExpressibleByArgument {
    var views: [ReportView]

    init?(argument: String) {
        views = []
        for word in argument.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            if word == "all" {
                views += ReportView.allCases
            } else {
                guard let view = ReportView(rawValue: String(word)) else { return nil }
                views.append(view)
            }
        }
    }

    static var allValueStrings: [String] { ReportView.allCases.map(\.rawValue) + ["all"] }
}
