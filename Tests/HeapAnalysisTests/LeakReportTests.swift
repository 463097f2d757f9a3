// Suppressions of leaks as LeakSanitizer matches them, and the sums of what they take and leave.

@testable import HeapAnalysis
import Symbolication
import Testing

@Suite("Leaks")
struct LeakReportTests {
    @Test(
        "a pattern matches as LeakSanitizer's does",
        arguments: [
            ("fill", "table_fill_more", true), ("^fill", "table_fill", false), ("^table", "table_fill", true),
            ("fill$", "table_fill", true), ("fill$", "table_fill_more", false), ("^table_fill$", "table_fill", true),
            ("t*b*_fill_", "table_fill_more", true), ("*", "x", true), ("", "x", true), ("$", "x", false),
            ("*$", "x", true), ("^*fill$", "table_fill", true), ("a*a", "aba", true), ("a*a", "ab", false),
            // Each part is looked for where it occurs first; no later place is tried.
            ("l$", "table_fill", false), ("*l$", "table_fill", false), ("a$b", "xa", true),
            ("fill", "", false), ("longer than the text", "text", false),
        ])
    func patterns(pattern: String, text: String, isMatch: Bool) {
        #expect(SuppressionPattern(pattern).matches(Array(text.utf8)) == isMatch)
    }

    /// Three stacks that leak: `grow` under `main`, `read` under `main`, and one whose owner a tag names.
    private func profile() -> HeapProfile {
        var source = ScriptedSource()
        source.facts.nanosecondsPerTick = 10
        for (id, addresses) in [(1, [1, 3]), (2, [2, 3])] as [(UInt32, [UInt64])] {
            source.stacks[id] = SourceStack(addresses: addresses, tag: nil, firstUse: 0, isTruncated: false)
        }
        source.own(3, family: "Runtime", type: "cache", cause: "runtime", addresses: [3])
        source.modules = [
            (0..<100, LoadedModule(description: ModuleDescription(path: "/app/tool", buildID: []), bias: 0))
        ]
        source.events = [
            .allocate(0x10, size: 100, stack: 1, at: 10), .allocate(0x20, size: 50, stack: 1, at: 30),
            .allocate(0x30, size: 7, stack: 2, at: 40), .allocate(0x40, size: 1000, stack: 3, at: 50),
            .allocate(0x50, size: 9, stack: 2, at: 60), .free(0x50, at: 110),
        ]
        let symbols = ListedSymbols([
            0: [SymbolicatedFrame(function: "grow", file: "/src/grow.c", line: 3, modulePath: "/app/tool")],
            1: [SymbolicatedFrame(function: "read", file: "/src/read.c", line: 4, modulePath: "/app/tool")],
            2: [SymbolicatedFrame(function: "main", file: "/src/main.c", line: 5, modulePath: "/app/tool")],
        ])
        var options = AnalysisOptions(fields: GroupingKey.site.fields)
        options.keepsAges = true
        return ProfileBuilder(source: source, options: options, symbolicator: symbols)
            .build(attributor: Attributor(executablePath: "/app/tool"))
    }

    private func suppressions(_ text: String) throws -> LeakSuppressions {
        try LeakSuppressions(files: [.init(file: "mine", text: text)], includesBuiltIn: false)
    }

    @Test("without suppressions everything that is live is reported, with its age")
    func everything() throws {
        let report = LeakReport(profile(), suppressions: LeakSuppressions())
        #expect(report.reported == BlockSum(blocks: 4, bytes: 1157))
        #expect(report.suppressed == BlockSum())
        #expect(report.sites.map(\.sum.bytes) == [1000, 150, 7])
        // In ticks of ten nanoseconds up to the last event, at 110: made at 10 and at 30.
        #expect(report.sites[1].age?.oldest == 1000)
        #expect(report.sites[1].age?.youngest == 800)
        #expect(report.sites[2].age == LeakAge(oldest: 700, median: 700, youngest: 700))
    }

    @Test(
        "a suppression takes stacks by function, file, module or owner",
        arguments: [
            ("leak:grow", 150), ("leak:/src/read.c", 7), ("leak:^main$", 1157), ("leak:/app/", 1157),
            ("owner:cache", 1000), ("owner:^Runtime cache$", 1000), ("owner:grow", 150), ("leak:cache", 0),
        ])
    func subjects(text: String, bytes: Int) throws {
        let report = LeakReport(profile(), suppressions: try suppressions(text))
        #expect(report.suppressed.bytes == bytes)
        #expect(report.reported.bytes == 1157 - bytes)
        #expect(report.profile.cells.reduce(0) { $0 + $1.figures.liveBytes } == 1157 - bytes)
        #expect(report.unused.count == (bytes == 0 ? 1 : 0))
    }

    @Test(
        "the innermost frame's suppression counts, of one frame the first in the file, and the user's before the built-in"
    )
    func precedence() throws {
        let report = LeakReport(profile(), suppressions: try suppressions("leak:main\nleak:read\nleak:grow"))
        #expect(report.suppressions.map(\.rule.text) == ["leak:main", "leak:grow", "leak:read"])
        #expect(report.suppressions.map(\.sum.bytes) == [1000, 150, 7])
        let twice = LeakReport(profile(), suppressions: try suppressions("leak:grow\nleak:gro"))
        #expect(twice.unused.map(\.line) == [2])
    }

    @Test("a filter narrows what is reported and what is suppressed, and makes no suppression unused")
    func filter() throws {
        let report = LeakReport(
            profile(), suppressions: try suppressions("leak:grow\nleak:read"), filter: RowFilter(text: "read"))
        #expect(report.suppressed == BlockSum(blocks: 1, bytes: 7))
        #expect(report.reported == BlockSum())
        #expect(report.suppressions.map(\.rule.text) == ["leak:read"])
        #expect(report.unused.isEmpty)
    }

    @Test(
        "a line that is no suppression is told with its file, line and reason",
        arguments: [
            ("leak:a\nrace:b", 2, "'race:b' is none"), ("grow", 1, "'grow' is none"), ("leak:", 1, "has no pattern"),
            ("# nothing\n", 1, "the file holds no suppression"),
        ])
    func errors(text: String, line: Int, reason: String) {
        let error = #expect(throws: LeakSuppressions.ParseError.self) { try suppressions(text) }
        #expect(error?.line == line)
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test("the built-in suppressions can be read, and name no function that runs a program's own code")
    func builtIn() {
        let rules = LeakSuppressions.builtIn.rules
        #expect(rules.count > 40)
        let callers = [
            "main", "dlopen", "call_init", "_dl_init", "swift_once", "pthread_once", "std::rt::lang_start", "qsort",
        ]
        for caller in callers {
            let taken = rules.filter { $0.subject == .leak && $0.pattern.matches(Array(caller.utf8)) }
            #expect(taken.isEmpty, "\(caller)")
        }
    }
}
