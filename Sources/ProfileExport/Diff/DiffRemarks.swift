// What is said of two recordings before their rows: why they are not of one kind, and what they differ in. One line each, the same in text and JSON.
internal import HeapAnalysis

/// One remark: a kind that does not change, and its line.
struct DiffRemark {
    var kind: String
    var text: String

    var json: JSONValue { .object([("kind", .string(kind)), ("text", .string(text))]) }
}

extension ProfileDiff {
    /// Every remark on the two recordings.
    func remarks(_ request: DiffRequest) -> [DiffRemark] {
        var remarks: [DiffRemark] = []
        if request.isOneFile { remarks.append(.init(kind: "one_file", text: "OLD and NEW are the same file")) }
        remarks += caveats.map { $0.remark }
        if isSampled {
            remarks.append(
                .init(
                    kind: "estimates",
                    text:
                        "≈ is estimated from a sample; rows that differ by less than 2 standard errors are marked ~, for chance alone does that"
                ))
        }
        for operand in DiffOperand.allCases {
            remarks += ModuleRemarks(request.replacedModules[operand] ?? [:]).remarks(
                since: "\(operand.word) was recorded",
                unknown:
                    "the names of its functions are not known and match nothing; keep each build's files where they ran"
            ).map { DiffRemark(kind: $0.kind, text: $0.text) }
        }
        if let remark = renameRemark { remarks.append(remark) }
        return remarks
    }

    /// What differs where the order of events does.
    private var orderText: String {
        let rows = rows(by: GroupingKey.site.fields)
        let isReuse = rows.contains { $0.change(.allocations) != 0 }
        let isOrder = rows.contains { $0.isChanged && $0.change(.allocations) == 0 }
        let parts = [
            isOrder || !isReuse ? "what was live at the peak or freed at once" : nil,
            isReuse ? "what threads took over from others that had ended" : nil,
        ]
        return parts.compactMap { $0 }.joined(separator: ", and ") + (isOrder && isReuse ? ", differ" : " differs")
    }

    /// Which functions are taken for one although their names differ.
    private var renameRemark: DiffRemark? {
        let renames = renames.map { "\($0.old) → \($0.new)" }
        if renames.isEmpty { return nil }
        let shown = renames.prefix(3).joined(separator: ", ")
        let others = renames.count > 3 ? " and \(NumberText.count(renames.count - 3)) more" : ""
        return DiffRemark(
            kind: "renamed", text: "the same figures under another name, taken for one function: \(shown)\(others)")
    }

    /// What the two differ in, as a sentence.
    func verdictText(_ request: DiffRequest) -> String {
        let place = request.filter.text == nil && request.filter.family == nil ? "" : ", of what passes the filter"
        switch verdict {
        case .empty:
            return "neither recording has an allocation" + (place.isEmpty ? "" : " that passes the filter")
        case .nothing where isSampled:
            return "no difference in what was sampled" + place
        case .nothing:
            return "no difference: same owners, causes and sites, same counts and bytes" + place
        case .slack:
            return "the program did the same: same owners, causes and sites, same counts and bytes; only slack differs"
                + (broughtAlong.isEmpty ? "" : ", and what an allocator's own libraries do") + place
        case .order:
            return
                "the same allocations and frees by owner, cause and site; \(orderText)"
                + place
        case .noise:
            return "no difference beyond chance: no row differs by more than samples of the same program do" + place
        case .different:
            let rows = rows(by: GroupingKey.site.fields)
            let changed = rows.filter { $0.isChanged && !isNoise($0) }.count
            return
                "\(NumberText.count(changed)) of \(NumberText.count(rows.count)) rows by owner, cause and site differ"
                + place
        }
    }
}

extension DiffOperand {
    /// `OLD` or `NEW`, as the command line calls them.
    var word: String { rawValue.uppercased() }
}

extension DiffCaveat {
    var remark: DiffRemark {
        switch self {
        case .programs(let old, let new):
            return DiffRemark(
                kind: "programs", text: "different programs: \(old) and \(new); rows are matched by name all the same")
        case .allocators(let old, let new):
            return DiffRemark(
                kind: "allocators",
                text: "different allocators: \(old) and \(new); slack is theirs, and what their own libraries allocate")
        case .sampling(let old, let new):
            return DiffRemark(kind: "sampling", text: "OLD is \(Self.sample(old)), NEW is \(Self.sample(new))")
        case .incomplete(let operand):
            return DiffRemark(kind: "incomplete", text: "\(operand.word) was cut: what came later is missing from it")
        case .lost(let operand, let events):
            let number = NumberText.count(events) + (events == 1 ? " event" : " events")
            return DiffRemark(
                kind: "lost", text: "\(operand.word) lost \(number) while it was recorded: its figures are too low")
        case .attached(let operand):
            return DiffRemark(
                kind: "attached",
                text: "\(operand.word) was recorded from a running process: what it had allocated before is not in it")
        case .text(let operand):
            return DiffRemark(
                kind: "text",
                text:
                    "\(operand.word) is a text trace: it has no call stacks, and no owners but those that its lines name"
            )
        case .withoutStacks(let operand):
            return DiffRemark(
                kind: "no_stacks", text: "\(operand.word) was recorded without call stacks: its owners are not known")
        case .withoutEvents(let operand):
            return DiffRemark(kind: "no_events", text: "\(operand.word) holds no events")
        case .endings(let old, let new):
            return DiffRemark(kind: "endings", text: "OLD \(Self.ending(old)), NEW \(Self.ending(new))")
        }
    }

    private static func sample(_ distance: Int?) -> String {
        distance.map { "a sample of one allocation every \(NumberText.bytes($0)) on average" } ?? "complete"
    }

    private static func ending(_ ending: TraceFacts.Ending) -> String {
        switch ending {
        case .unknown: "ended unknown how"
        case .exited(let status): "exited with status \(status)"
        case .killed(let signal): "was killed by signal \(signal)"
        case .wentOn: "went on after its recording"
        case .replaced: "became another program"
        }
    }
}
