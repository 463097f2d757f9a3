// The leaks of a report: by owner and site with their ages, what is suppressed, and what "live at the end" means for this trace.
internal import HeapAnalysis
internal import Symbolication

struct LeaksSection {
    private static let defaultRows = 20
    private static let namedSuppressions = 3

    private let leaks: LeakReport
    private let trace: TraceSummary

    init(_ leaks: LeakReport, of trace: TraceSummary) {
        self.leaks = leaks
        self.trace = trace
    }

    // MARK: - Text

    /// The lines behind the table of rows.
    func lines(top: Int?, style: TextStyle) -> [String] {
        var lines: [String] = []
        let estimate = EstimateText(trace)
        if !leaks.sites.isEmpty {
            var table = TextTable([
                .init(title: "allocated at", isText: true, readable: 36), .init(title: "owner", isText: true),
                .init(title: "cause", isText: true, dropOrder: 1), .init(title: "blocks"), .init(title: "bytes"),
                .init(title: "oldest"), .init(title: "median", dropOrder: 2), .init(title: "youngest"),
            ])
            let shown = leaks.sites.prefix(top ?? Self.defaultRows)
            table.rows = shown.map { site in
                let ages = [site.age?.oldest, site.age?.median, site.age?.youngest]
                return [
                    FrameText.printable(FrameText.short(site.key.site)),
                    FrameText.printable(RowColumns.owner(site.key)),
                    site.key.cause?.rawValue ?? "", estimate.count(site.sum.blocks), estimate.bytes(site.sum.bytes),
                ] + ages.map { $0.map { NumberText.duration($0) } ?? "–" }
            }
            lines += [""] + table.lines(style)
            if leaks.sites.count > shown.count {
                lines.append(style.dim("… \(NumberText.count(leaks.sites.count - shown.count)) more sites"))
            }
        }
        lines.append("")
        lines += wrapped("suppressed   ", suppressed(estimate), style)
        lines += wrapped("live means   ", meaning, style)
        return lines
    }

    private func suppressed(_ estimate: EstimateText) -> String {
        let sum = leaks.suppressed
        if sum.blocks == 0 { return "nothing" }
        let named = leaks.suppressions.prefix(Self.namedSuppressions).map { part in
            "\(FrameText.printable(part.rule.text)) \(estimate.bytes(part.sum.bytes))"
        }
        let rest = leaks.suppressions.count - named.count
        let builtIn = leaks.suppressions.contains { $0.rule.isBuiltIn }
        return "\(estimate.bytes(sum.bytes)) in \(estimate.count(sum.blocks)) \(sum.blocks == 1 ? "block" : "blocks"): "
            + named.joined(separator: ", ") + (rest > 0 ? ", \(rest) more" : "")
            + (builtIn ? "; --no-suppressions shows what the runtimes keep" : "")
    }

    /// What can be said of a block that is live at the end, by how the end came.
    private var meaning: String {
        let unknown = "A trace does not tell whether the program could still reach a block."
        switch trace.facts.ending {
        case .exited:
            return "not freed when the process exited, its exit handlers and destructors included. " + unknown
        case .killed(let signal):
            return
                "not freed when signal \(signal) killed the process: no exit handler or destructor ran, so what a clean exit frees is "
                + "here, too. " + unknown
        case .wentOn:
            return "not freed when the recording ended; the process went on, and may free it later. " + unknown
        case .replaced:
            return "not freed when the process became another program: no exit handler or destructor ran. " + unknown
        case .unknown:
            return "not freed where the trace ends, which does not tell how the process did. " + unknown
        }
    }

    private func wrapped(_ label: String, _ text: String, _ style: TextStyle) -> [String] {
        let width = max(20, style.width - label.count)
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        lines.append(line)
        let indent = String(repeating: " ", count: label.count)
        return lines.enumerated().map { ($0.offset == 0 ? style.bold(label) : indent) + $0.element }
    }

    // MARK: - JSON

    /// The member `leaks`.
    func json(_ profile: HeapProfile) -> JSONValue {
        .object([
            ("blocks", .integer(trace.liveBlocks)), ("bytes", .integer(trace.liveBytes)),
            ("ending", .string(ending)),
            ("reported", Self.sum(leaks.reported)),
            (
                "suppressed",
                .object([
                    ("blocks", .integer(leaks.suppressed.blocks)), ("bytes", .integer(leaks.suppressed.bytes)),
                    ("rules", .array(leaks.suppressions.map { Self.rule($0.rule, $0.sum) })),
                    ("unused", .array(leaks.unused.map { Self.rule($0, BlockSum()) })),
                ])
            ),
            ("sites", .array(leaks.sites.map { site($0, profile) })),
        ])
    }

    private var ending: String {
        switch trace.facts.ending {
        case .unknown: "unknown"
        case .exited: "exited"
        case .killed: "killed"
        case .wentOn: "went_on"
        case .replaced: "replaced"
        }
    }

    private static func sum(_ sum: BlockSum) -> JSONValue {
        .object([("blocks", .integer(sum.blocks)), ("bytes", .integer(sum.bytes))])
    }

    private static func rule(_ rule: LeakSuppressions.Rule, _ sum: BlockSum) -> JSONValue {
        .object([
            ("rule", .string(rule.text)), ("file", .string(rule.file)), ("line", .integer(rule.line)),
            ("built_in", .bool(rule.isBuiltIn)), ("blocks", .integer(sum.blocks)), ("bytes", .integer(sum.bytes)),
        ])
    }

    private func site(_ site: LeakSite, _ profile: HeapProfile) -> JSONValue {
        let stack = profile.symbolicatedFrames(ofStack: site.sampleStack)
        return .object([
            ("family", JSONValue(site.key.family)), ("type", JSONValue(site.key.type)),
            ("language", JSONValue(site.key.language)), ("cause", JSONValue(site.key.cause?.rawValue)),
            ("site", JSONValue(site.key.site?.description)), ("blocks", .integer(site.sum.blocks)),
            ("bytes", .integer(site.sum.bytes)),
            (
                "age_ns",
                site.age.map { age in
                    .object([
                        ("oldest", .integer(age.oldest)), ("median", .integer(age.median)),
                        ("youngest", .integer(age.youngest)),
                    ])
                } ?? .null
            ),
            ("stack", .array(stack.map { .string(FrameText.long($0)) })),
        ])
    }
}
