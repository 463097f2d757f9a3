// Rules of a user's own: what a file may say, what is wrong with one that cannot be read, and what its rules do beside the built-in ones.

@testable import HeapAnalysis
import Symbolication
import Testing

@Suite("Rules of a user's own")
struct RuleFileTests {
    private let libc = "/usr/lib/x86_64-linux-gnu/libc.so.6"

    private func frame(
        _ function: String, _ language: SourceLanguage, link: String = "", file: String? = "/app/src/a",
        arguments: [String] = []
    ) -> SymbolicatedFrame {
        SymbolicatedFrame(
            function: function, linkageName: link, file: file, line: file == nil ? nil : 7, isInlined: false,
            language: language, templateArguments: arguments, modulePath: "/app/tool")
    }

    private func c(_ function: String) -> SymbolicatedFrame { frame(function, .c) }
    private func rust(_ function: String, arguments: [String] = []) -> SymbolicatedFrame {
        let file = function.contains("app::") ? "/app/src/a.rs" : "/rustc/1234/library/alloc/src/x.rs"
        return frame(function, .rust, link: "_R", file: file, arguments: arguments)
    }

    private func attribute(_ stack: [SymbolicatedFrame], rules: String) throws -> Attribution {
        let attributor = Attributor(
            executablePath: "/app/tool",
            rules: try RuleSet.builtIn(precededBy: [.init(file: "mine.rules", text: rules)]))
        return attributor.attribute(stack: stack, tag: nil)
    }

    // MARK: - What they do

    @Test("a container of the user's own owns what it allocates, and its caller is the site")
    func container() throws {
        let result = try attribute(
            [c("arena_grow"), c("arena_alloc"), c("parse"), c("main")],
            rules: "[c]\nmine.arena | arena_* | Arena | arena | growth")
        #expect(result.owner == Owner(family: "Arena", type: "arena", language: "c"))
        #expect(result.cause == .growth)
        #expect(result.rule == "mine.arena")
        #expect(result.site?.function == "parse")
    }

    @Test("an allocator wrapper that is skipped leaves the owner and the site to its caller")
    func wrapper() throws {
        let stack = [c("take_memory"), c("make_table"), c("main")]
        #expect(try attribute(stack, rules: "[c]\nx | nothing | skip").owner.type == "tool: take_memory")
        let result = try attribute(stack, rules: "[c]\nmine.wrapper | take_memory | skip")
        #expect(result.owner.type == "tool: make_table")
        #expect(result.site?.function == "make_table")
    }

    @Test("a rule takes over from the containers that it names, and from no others")
    func takeover() throws {
        let stack = [rust("<alloc::vec::Vec<u64>>::push"), rust("app::Grid<u64>::add_row"), rust("app::main")]
        let rule = "[rust]\nmine.grid | app::Grid<{T}>::* | Array | Grid<{T}> | growth"
        #expect(try attribute(stack, rules: rule).owner.type == "Vec<u64>")
        #expect(try attribute(stack, rules: rule + " | over Vec<{T}>").owner.type == "Grid<u64>")
        #expect(try attribute(stack, rules: rule + " | over Vec<").owner.type == "Grid<u64>")
        #expect(try attribute(stack, rules: rule + " | over Vec<u32>").owner.type == "Vec<u64>")
        #expect(try attribute(stack, rules: rule + " | over all").owner.type == "Grid<u64>")
    }

    @Test("a rule of the user's own decides of a frame that a built-in rule knows, too")
    func precedence() throws {
        let stack = [rust("<alloc::vec::Vec<u64>>::push"), rust("app::main")]
        let rules = "[rust]\nmine.vec | alloc::vec::Vec<{T}>::* | Array | Buffer of {T} | growth"
        #expect(try attribute(stack, rules: rules).owner.type == "Buffer of u64")
    }

    @Test("a tag outranks the user's rules, and its site is still the caller of the user's container")
    func tags() throws {
        let rules = try RuleSet.builtIn(precededBy: "[c]\nmine.arena | arena_* | Arena | arena | growth")
        let tag = TagEvidence(family: "Box", type: "Box<T>", cause: "construct", language: "swift")
        let result = Attributor(executablePath: "/app/tool", rules: rules).attribute(
            stack: [c("arena_grow"), c("parse")], tag: tag)
        #expect(result.owner.type == "Box<T>")
        #expect(result.rule == "tag")
        #expect(result.site?.function == "parse")
    }

    @Test("what further functions of the user's own allocate is not the container's")
    func calledFunctions() throws {
        let result = try attribute(
            [c("copy_name"), c("arena_alloc"), c("main")], rules: "[c]\nmine.arena | arena_* | Arena | arena | growth")
        #expect(result.owner.type == "tool: copy_name")
    }

    @Test("rules that match no frame are told")
    func unused() throws {
        let rules = try RuleSet.builtIn(
            precededBy: "[c]\na | f0 | Data | A | growth\nb | g* | Data | B | growth\nc | f* | skip")
        var source = ScriptedSource()
        source.stacks[1] = SourceStack(addresses: [1], tag: nil, firstUse: 0, isTruncated: false)
        source.modules = [
            (0..<100, LoadedModule(description: ModuleDescription(path: "/app/tool", buildID: []), bias: 0))
        ]
        source.events = [.allocate(0x10, size: 8, at: 1)]
        let profile = ProfileBuilder(source: source, options: AnalysisOptions(), symbolicator: ListedSymbols())
            .build(attributor: Attributor(executablePath: "/app/tool", rules: rules))
        #expect(profile.unusedRules().map(\.name) == ["b", "c"])
    }

    // MARK: - What they look like

    @Test("lines may end as on other systems, be indented with tabs and have spaces within alternatives")
    func forms() throws {
        let rules =
            "\t[ Rust ]\r\n\r\n# a remark\r\n\tmine.x\t|\tapp::@(push | insert | pop)\t|\tData\t|\tX\t|\tgrowth\r\n"
        #expect(try attribute([rust("app::insert"), rust("app::main")], rules: rules).owner.type == "X")
    }

    @Test("a backslash takes the meaning from the character behind it")
    func escapes() throws {
        let pattern = try FramePattern.parse("f\\{g\\*\\@(a\\|b)@(x|y\\)z)")
        #expect(pattern.count == 2)
        #expect(pattern[1].match(Array("f{g*@(a|b)y)z".utf8)) != nil)
        #expect(pattern[1].match(Array("f{gg@(a|b)y)z".utf8)) == nil)
    }

    @Test("many wildcards in one pattern are matched in bounded time")
    func wildcards() throws {
        let pattern = try #require(try FramePattern.parse(String(repeating: "*a", count: 40) + "*b").first)
        let name = Array(String(repeating: "a", count: 5000).utf8)
        #expect(pattern.match(name) == nil)
        #expect(pattern.match(name + [UInt8(ascii: "b")]) != nil)
    }

    @Test(
        "what is wrong is said with the file, the line and the reason",
        arguments: [
            ("[c]\n\nx | f | Data | X | groth", 3, "unknown cause 'groth' (did you mean growth?)"),
            ("[c]\nx | f | Strin | X | growth", 2, "unknown family 'Strin' (did you mean String?)"),
            ("[c]\nx | f | box | X | growth", 2, "unknown family 'box' (did you mean Box?)"),
            ("[c]\nx | f | two words | X | growth", 2, "'two words' is no name of a family"),
            ("[c]\nx | f | Data | X | growth | ovr all", 2, "unknown option 'ovr all'"),
            ("[c]\nx | f | Data | X | growth | over", 2, "the option 'over' needs a text"),
            ("[c]\nx | f | Data | X | growth | weak 3", 2, "unknown option 'weak 3'"),
            ("[c]\nx | f | Data | X | growth | weak | copy", 2, "too many fields"),
            ("[c]\nx | f | Data |  | growth", 2, "a rule without a type"),
            ("[c]\n | f | skip", 2, "a rule without a name"),
            ("[c]\nx |  | skip", 2, "an empty pattern"),
            ("[c]\nx | f@(a|b | skip", 2, "@( without its )"),
            ("[c]\nx | f{T | skip", 2, "{ without its }"),
            ("[c]\nx | f{} | skip", 2, "{} is no capture"),
            ("[c]\nx | f\\ | skip", 2, "fewer than three fields"),
            ("[c]\nx | f<{T}> | Data | X<{U}> | growth", 2, "names {U}, which the pattern does not capture"),
            ("[c]\nx | f | skip\nx | g | skip", 3, "a rule named 'x' stands on line 2 already"),
            ("[c]\nrust.vec.new | f | skip", 2, "the name of a built-in rule"),
            ("[java]\nx | f | skip", 1, "unknown spelling [java]"),
            ("x | f | skip", 1, "before the first heading"),
            ("[c]\n# nothing\n", 1, "the file holds no rule"),
            ("[c]\nx | @(1|2|3|4)@(1|2|3|4)@(1|2|3|4)@(1|2|3|4)@(1|2|3|4) | skip", 2, "more than 1000 alternatives"),
        ])
    func errors(text: String, line: Int, reason: String) {
        let error = #expect(throws: RuleSet.ParseError.self) {
            try RuleSet.builtIn(precededBy: [.init(file: "mine.rules", text: text)])
        }
        #expect(error?.description.hasPrefix("mine.rules, line \(line): ") == true, "\(error?.description ?? "")")
        #expect(error?.reason.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test("a name that two files give is an error that names both places")
    func duplicatesAcrossFiles() {
        let one = RuleSet.Table(file: "one.rules", text: "[c]\nx | f | skip")
        let two = RuleSet.Table(file: "two.rules", text: "[c]\n\nx | g | skip")
        let error = #expect(throws: RuleSet.ParseError.self) { try RuleSet.builtIn(precededBy: [one, two]) }
        #expect(error?.description == "two.rules, line 3: a rule named 'x' stands in one.rules, line 2 already")
    }

    @Test("families of one's own are allowed")
    func ownFamilies() throws {
        for family in ["Arena", "Pool", "Table", "Bag", "Ring", "object-pool", "Größe"] {
            let rules = "[c]\nx | f | \(family) | X | growth"
            #expect(try attribute([c("f"), c("main")], rules: rules).owner.family == family)
        }
    }

    @Test("the built-in rules keep to what is asked of a user's")
    func builtInFamilies() {
        for rule in RuleSet.builtIn.rules where !rule.isSkip {
            #expect(OwnerFamily.known.contains(rule.family), "\(rule.name)")
        }
    }

    // MARK: - Disagreement

    private func verdict(_ stack: [SymbolicatedFrame], rules: RuleSet = .builtIn) -> Verdict {
        let attributor = Attributor(executablePath: "/app/tool", rules: rules)
        return attributor.attribute(walking: stack.map { AttributableFrame($0, by: attributor) }, tag: nil)
    }

    @Test("two rules that name different owners, neither of which may take over, disagree")
    func disagreement() throws {
        let rules = try RuleSet.builtIn(precededBy: "[rust]\nmine.log | app::Log::* | Data | log | growth")
        let stack = [rust("<alloc::vec::Vec<u8>>::push"), rust("app::Log::write"), rust("app::main")]
        let disagreement = try #require(verdict(stack, rules: rules).disagreement)
        #expect(disagreement.keptRule == "rust.vec.grow")
        #expect(disagreement.keptType == "Vec<u8>")
        #expect(disagreement.otherRule == "mine.log")
        #expect(disagreement.otherType == "log")
    }

    @Test("an element that is copied with its container is no disagreement")
    func elements() {
        let element = rust("<alloc::string::String as core::clone::Clone>::clone")
        for outer in ["Vec<alloc::string::String>", "Vec<app::Entry>", "Vec<T>"] {
            let container = rust("<alloc::vec::\(outer) as core::clone::Clone>::clone")
            let verdict = verdict([element, container, rust("app::main")])
            #expect(verdict.attribution.owner.type == "String", "\(outer)")
            #expect(verdict.disagreement == nil, "\(outer)")
        }
    }

    @Test("a rule that takes over from both ends the disagreement")
    func settled() throws {
        let rules = try RuleSet.builtIn(
            precededBy:
                "[rust]\nmine.log | app::Log::* | Data | log | growth\nmine.all | app::Server::* | Class | Server | construct | over all"
        )
        let stack = [
            rust("<alloc::vec::Vec<u8>>::push"), rust("app::Log::write"), rust("app::Server::run"), rust("app::main"),
        ]
        let verdict = verdict(stack, rules: rules)
        #expect(verdict.attribution.owner.type == "Server")
        #expect(verdict.disagreement == nil)
    }
}
