// Rules of a user's own on real programs: the worked examples of Sources/HeapAnalysis/Rules/README.md, read from that file, and what the command line says of
// files that are none.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct UserRuleTests {
    /// The README's example for a language.
    private func example(_ language: String) throws -> String {
        let path = "\(BuildProducts.packageRoot)/Sources/HeapAnalysis/Rules/README.md"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let start = try #require(text.range(of: "```rules \(language)\n"))
        let end = try #require(text.range(of: "\n```", range: start.upperBound..<text.endIndex))
        return String(text[start.upperBound..<end.lowerBound])
    }

    private struct Owner: Hashable {
        let type: String
        let allocations: Int
        let bytes: Int

        init(_ type: String, _ allocations: Int, _ bytes: Int) {
            self.type = type
            self.allocations = allocations
            self.bytes = bytes
        }
    }

    /// The owners of a program under the README's rules for its language, and without them.
    private func owners(
        _ file: String, _ language: SourceLanguage, _ arguments: [String], example name: String
    ) throws -> (with: Set<Owner>, without: Set<Owner>, errors: String) {
        let program = try ProgramBuilder.build(
            testProgram: file, language: language, name: "own_containers", arguments: arguments)
        let recording = try Recording(program)
        let folder = try TemporaryDirectory()
        let rules = try folder.write(example(name), to: "mine.rules")
        let result = try run(
            BuildProducts.heaptrail(), ["report", recording.trace, "--json", "--rules", rules], timeout: 120)
        let with = try Report(json: result.stdoutBytes)
        let without = try recording.report()
        func owners(_ report: Report) -> Set<Owner> {
            Set(report.rows.map { Owner($0.type ?? "", $0.allocations, $0.bytes) })
        }
        #expect(with.trace.bytesAllocated == without.trace.bytesAllocated)
        return (owners(with), owners(without), result.stderr)
    }

    @Test func `the arena of the documentation owns its blocks`() throws {
        let owners = try owners("own-containers.c", .c, ["-O1"], example: "c")
        #expect(owners.with.isSuperset(of: [Owner("arena", 4, 16396), Owner("own_containers: copy_text", 7, 7091)]))
        #expect(owners.without.contains(Owner("own_containers: checked_malloc", 11, 23487)))
        #expect(owners.errors == "")
    }

    @Test(.enabled(if: SourceLanguage.cxx.isAvailable))
    func `the ring, the pool and the names of the documentation are what they say`() throws {
        let owners = try owners("own-containers.cpp", .cxx, [], example: "c++")
        let expected = [
            Owner("app::Ring<app::Point>", 5, 2976), Owner("std::vector<app::Point>", 1, 1848),
            Owner("app::Names", 4, 480),
        ]
        #expect(owners.with.isSuperset(of: expected), "\(owners.with)")
        #expect(owners.with.contains { $0.type == "std::string" && $0.allocations == 16 }, "\(owners.with)")
        // That an allocator hands on what a vector asks it for needs no rule.
        #expect(owners.without.isDisjoint(with: [expected[0], expected[2]]))
        #expect(owners.without.contains(expected[1]), "\(owners.without)")
        #expect(owners.errors == "")
    }

    @Test(.enabled(if: SourceLanguage.rust.isAvailable))
    func `the grid and the pool of the documentation own what their vectors hold`() throws {
        let owners = try owners("own-containers.rs", .rust, ["-O"], example: "rust")
        #expect(
            owners.with.isSuperset(of: [Owner("Grid<u64>", 3, 5600), Owner("pooled bytes", 9, 936)]), "\(owners.with)")
        #expect(owners.without.contains(Owner("Vec<u64>", 3, 5600)), "\(owners.without)")
        #expect(owners.errors == "")
    }

    @Test(.enabled(if: SourceLanguage.swift.isAvailable))
    func `the ring and the grid of the documentation own their memory`() throws {
        let owners = try owners(
            "own-containers.swift", .swift, ["-O", "-module-name", "own_containers"], example: "swift")
        #expect(owners.with.contains(Owner("Ring", 6, 2016)), "\(owners.with)")
        #expect(owners.with.contains { $0.type == "Grid" && $0.allocations == 3 }, "\(owners.with)")
        #expect(!owners.without.contains { $0.type == "Ring" || $0.type == "Grid" })
        #expect(owners.errors == "")
    }

    // MARK: - The command line

    private func recorded() throws -> Recording {
        try Recording(
            ProgramBuilder.build(
                testProgram: "own-containers.c", language: .c, name: "own_containers", arguments: ["-O1"]))
    }

    @Test(arguments: [
        ("[c]\nx | f | Strin | X | growth\n", 65, "{}, line 2: unknown family 'Strin' (did you mean String?)"),
        ("[c]\n\n\nx | f | Data | X | growth | sideways\n", 65, "{}, line 4: unknown option 'sideways'"),
        ("", 65, "{}, line 1: the file holds no rule"),
        ("[c]\nx | \u{0} | skip\n", 65, "{}, line 2: a zero byte; this is no text of rules"),
    ])
    func `a file that is no table of rules is one line with its place`(text: String, status: Int32, line: String) throws
    {
        let recording = try recorded()
        let folder = try TemporaryDirectory()
        let file = try folder.write(text, to: "mine.rules")
        for command in [["report"], ["export", "--format", "collapsed"]] {
            let result = try run(BuildProducts.heaptrail(), command + [recording.trace, "--rules", file])
            #expect(result.status == .exited(status))
            #expect(result.stderr == "heaptrail: " + line.replacing("{}", with: file) + "\n")
            #expect(result.stdout == "")
        }
    }

    @Test func `rules that cannot be read are a missing file, and bytes without end are refused`() throws {
        let recording = try recorded()
        let folder = try TemporaryDirectory()
        for path in [folder.file("nowhere"), folder.path] {
            let result = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--rules", path])
            #expect(result.status == .exited(66))
            #expect(result.stderr.split(separator: "\n").count == 1, "\(result.stderr)")
        }
        let endless = try run(BuildProducts.heaptrail(), ["report", recording.trace, "--rules", "/dev/zero"])
        #expect(endless.status == .exited(65))
    }

    @Test func `several files of rules are read in their order, and what matches nothing is told`() throws {
        let recording = try recorded()
        let folder = try TemporaryDirectory()
        let first = try folder.write("[c]\na | checked_malloc | Data | first | growth\n", to: "1.rules")
        let second = try folder.write(
            "[c]\nb | checked_malloc | Data | second | growth\nc | no_such_function | skip\n", to: "2.rules")
        let result = try run(
            BuildProducts.heaptrail(), ["report", recording.trace, "--json", "--rules", first, "--rules", second])
        let types = try Report(json: result.stdoutBytes).rows.compactMap(\.type)
        #expect(types.contains("first"))
        #expect(!types.contains("second"))
        #expect(
            result.stderr == "heaptrail: \(second): 2 rules match no frame of this trace: b (line 2), c (line 3)\n")
    }

    @Test func `an export names owners by the user's rules`() throws {
        let recording = try recorded()
        let folder = try TemporaryDirectory()
        let rules = try folder.write(example("c"), to: "mine.rules")
        let text = try runChecked(
            BuildProducts.heaptrail(),
            ["export", recording.trace, "--format", "collapsed", "--owners", "--rules", rules])
        #expect(text.contains("[arena] 16396\n"), "\(text)")
    }

    @Test func `an explanation shows the rule, its line, the frame that matched and the evidence`() throws {
        let recording = try recorded()
        let folder = try TemporaryDirectory()
        let rules = try folder.write(example("c"), to: "mine.rules")
        let text = try runChecked(
            BuildProducts.heaptrail(), ["report", recording.trace, "--rules", rules, "--explain", "--family", "Arena"])
        let lines = text.split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex(of: "    rule: own.arena"))
        // The rule's line is broken where it is longer than the report is wide.
        let words = lines[(start + 1)...].flatMap { $0.split(separator: " ") }.joined(separator: " ")
        #expect(words.contains(", line 3: arena_* | Arena | arena | growth "), "\(text)")
        #expect(lines.contains("    evidence: the function's name"))
        #expect(lines.contains { $0.hasPrefix("    > arena_grow (own_containers.c:") }, "\(text)")
        #expect(
            lines.contains { $0.contains("checked_malloc") && $0.hasSuffix("← own.wrapper: owns nothing") }, "\(text)")
    }

    @Test func `the built-in rules can be read from the tool`() throws {
        let index = try runChecked(BuildProducts.heaptrail(), ["rules"])
        for name in ["rust", "cxx", "swift", "c"] {
            #expect(index.split(separator: "\n").contains { $0.hasPrefix(name + " ") }, "\(index)")
            let file = try String(
                contentsOfFile: "\(BuildProducts.packageRoot)/Sources/HeapAnalysis/Rules/\(name).rules", encoding: .utf8
            )
            #expect(try runChecked(BuildProducts.heaptrail(), ["rules", name]) == file)
        }
        let rule = try runChecked(BuildProducts.heaptrail(), ["rules", "rust.vec.clone"])
        #expect(rule.contains("rust.rules, line "))
        #expect(
            rule.contains(
                "[rust] rust.vec.clone | <alloc::vec::Vec<{T}> as core::clone::Clone>::* | Array | Vec<{T}> | clone"))
        let unknown = try run(BuildProducts.heaptrail(), ["rules", "rust.vec.clon"])
        #expect(unknown.status == .exited(64))
        #expect(unknown.stderr.contains("did you mean rust.vec.clone?"), "\(unknown.stderr)")
    }
}
