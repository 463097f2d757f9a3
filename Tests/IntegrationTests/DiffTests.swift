// `heaptrail diff` on real recordings: of one program twice, on two allocators, of two builds, and of whatever else is put beside each other.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct DiffTests {
    /// heaptrail.diff/1, as far as these tests look.
    struct Document: Decodable {
        struct Figures: Decodable, Equatable {
            let allocations: Int
            let frees: Int
            let bytes: Int
            let liveBytes: Int
            let peakBytes: Int
            let temporary: Int
            let slackBytes: Int?
        }

        struct Row: Decodable {
            let type: String?
            let cause: String?
            let site: String?
            let `in`: String
            let changed: Bool
            let noise: Bool?
            let old: Figures?
            let new: Figures?
            let delta: Figures
        }

        struct Remark: Decodable {
            let kind: String
            let text: String
        }

        struct Slack: Decodable {
            struct Owner: Decodable {
                let type: String
                let deltaBytes: Int?
            }
            let owners: [Owner]
        }

        let schema: String
        let verdict: String
        let sameProgram: Bool
        let sameAllocator: Bool?
        let remarks: [Remark]
        let unchanged: Int
        let rows: [Row]
        let sites: [Row]?
        let slack: Slack?

        /// What makes the recordings unlike each other, by kind.
        var kinds: [String] { remarks.map(\.kind) }
    }

    private func diff(_ old: String, _ new: String, _ options: [String] = []) throws -> Document {
        let text = try runChecked(BuildProducts.heaptrail(), ["diff", old, new] + options + ["--json"], timeout: 120)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Document.self, from: Data(text.utf8))
    }

    private func text(_ old: String, _ new: String, _ options: [String] = []) throws -> String {
        try runChecked(BuildProducts.heaptrail(), ["diff", old, new] + options, timeout: 120)
    }

    private func magicSizes() throws -> String {
        try ProgramBuilder.build(testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
    }

    // MARK: - One program twice

    private func expectNoDifference(
        _ program: String, _ arguments: [String] = [], environment: ProcessEnvironment = .inherited()
    ) throws {
        let old = try Recording(program, arguments, environment: environment)
        let new = try Recording(program, arguments, environment: environment)
        let diff = try diff(old.trace, new.trace)
        #expect(diff.verdict == "nothing")
        #expect(diff.kinds.isEmpty)
        #expect(diff.unchanged == diff.rows.count)
        #expect(!diff.rows.isEmpty)
        #expect((diff.sites ?? []).allSatisfy { !$0.changed && $0.old == $0.new })
        #expect(try text(old.trace, new.trace).contains("\nno difference: "))
    }

    @Test func `two recordings of a C program differ in nothing`() throws {
        try expectNoDifference(magicSizes())
    }

    @Test(.enabled(if: SourceLanguage.rust.isAvailable, "no rustc here"))
    func `two recordings of a Rust program differ in nothing`() throws {
        try expectNoDifference(
            ProgramBuilder.build(testProgram: "magic-sizes.rs", language: .rust, arguments: ["-O"]))
    }

    @Test(.enabled(if: SourceLanguage.swift.isAvailable, "no swiftc here"))
    func `two recordings of a Swift program with deterministic hashing differ in nothing`() throws {
        try expectNoDifference(
            ProgramBuilder.build(
                testProgram: "chains.swift", language: .swift, arguments: ["-O", "-parse-as-library"]),
            environment: .inherited(adding: ["SWIFT_DETERMINISTIC_HASHING": "1"]))
    }

    @Test func `a trace differs from itself in nothing, and that it is itself is said`() throws {
        let recording = try Recording(magicSizes())
        let diff = try diff(recording.trace, recording.trace)
        #expect(diff.verdict == "nothing")
        #expect(diff.kinds == ["one_file"])
    }

    // MARK: - Two allocators

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"))
    func `on another allocator the owners and counts are the same and the slack is not`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "chains.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let old = try Recording(program)
        let new = try Recording(program, options: ["--allocator", "jemalloc"])
        let diff = try diff(old.trace, new.trace)
        #expect(diff.verdict == "slack")
        #expect(diff.sameAllocator == false)
        #expect(diff.kinds == ["allocators"])
        let shared = diff.rows.filter { $0.in == "both" }
        #expect(!shared.isEmpty)
        #expect(
            shared.allSatisfy { !$0.changed && $0.delta.allocations == 0 && $0.delta.bytes == 0 && $0.delta.frees == 0 }
        )
        let owners = try #require(diff.slack?.owners)
        #expect(owners.contains { ($0.deltaBytes ?? 0) != 0 })
        let said = try text(old.trace, new.trace)
        #expect(said.contains("the program did the same"))
        #expect(said.contains("slack by owner"))
    }

    // MARK: - Two builds

    private static let before = """
        #include <stdlib.h>
        __attribute__((noinline)) static void *keep(size_t size) { void *p = malloc(size); __asm__ volatile("" : "+r"(p)); return p; }
        __attribute__((noinline)) void parse(void) { for (int i = 0; i < 10; i++) free(keep(1000)); }
        __attribute__((noinline)) void store(void) { keep(500); }
        int main(void) { parse(); store(); return 0; }
        """
    private static let after = """
        // Other lines, another order, and one function changed.
        #include <stdlib.h>

        __attribute__((noinline)) static void *keep(size_t size) { void *p = malloc(size); __asm__ volatile("" : "+r"(p)); return p; }
        __attribute__((noinline)) void store(void) { keep(500); keep(700); }

        __attribute__((noinline)) void parse(void) { for (int i = 0; i < 10; i++) free(keep(1000)); }
        int main(void) { store(); parse(); return 0; }
        """

    @Test func `a rebuild with moved lines differs only in what the program does differently`() throws {
        let arguments = ["-O1", "-fno-builtin", "-fno-optimize-sibling-calls"]
        let old = try Recording(
            ProgramBuilder.build(Self.before, language: .c, name: "app", arguments: arguments))
        let new = try Recording(
            ProgramBuilder.build(Self.after, language: .c, name: "app", arguments: arguments))
        let diff = try diff(old.trace, new.trace)
        #expect(diff.sameProgram)
        #expect(diff.verdict == "different")
        let changed = (diff.sites ?? []).filter(\.changed)
        #expect(changed.map(\.delta.bytes) == [700])
        #expect(changed.allSatisfy { $0.in == "both" })
        #expect(diff.rows.filter { $0.in != "both" }.isEmpty)
    }

    @Test func `other names of the executable are other programs, matched all the same`() throws {
        let arguments = ["-O1", "-fno-builtin", "-fno-optimize-sibling-calls"]
        let old = try Recording(ProgramBuilder.build(Self.before, language: .c, name: "app-1", arguments: arguments))
        let new = try Recording(ProgramBuilder.build(Self.before, language: .c, name: "app-2", arguments: arguments))
        let diff = try diff(old.trace, new.trace)
        #expect(!diff.sameProgram)
        #expect(diff.kinds == ["programs"])
        #expect(diff.verdict == "nothing")
        #expect(diff.rows.allSatisfy { $0.in == "both" })
    }

    // MARK: - Recordings of other kinds

    @Test func `a text trace is compared, and what it lacks is said`() throws {
        let folder = try TemporaryDirectory()
        let old = try folder.write(
            "ALLOC: 0x10, size 505, owner Box<Matrix>, cause construct\nFREE: 0x10, size 505\n", to: "a.txt")
        let new = try folder.write(
            "ALLOC: 0x10, size 505, owner Box<Matrix>, cause construct\nALLOC: 0x20, size 7\n", to: "b.txt")
        let diff = try diff(old, new)
        #expect(diff.kinds == ["text", "text"])
        let box = try #require(diff.rows.first { $0.type == "Box<Matrix>" })
        #expect(box.delta.frees == -1)
        #expect(box.delta.liveBytes == 505)
        #expect(diff.rows.contains { $0.in == "new" && $0.delta.bytes == 7 })
    }

    @Test func `a sample beside a complete recording is told, and its rows say whether chance explains them`() throws {
        let program = try magicSizes()
        let old = try Recording(program)
        let new = try Recording(program, options: ["--sample", "4KiB"])
        let diff = try diff(old.trace, new.trace)
        #expect(diff.kinds.contains("sampling"))
        #expect(diff.kinds.contains("estimates"))
        #expect(diff.rows.allSatisfy { $0.noise != nil })
    }

    @Test func `a trace that was cut is compared as far as it goes, and never as a whole one`() throws {
        let recording = try Recording(magicSizes())
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        let folder = try TemporaryDirectory()
        let cut = try folder.write(Array(bytes[..<(bytes.count - 1)]), to: "cut.trace")
        let result = try run(BuildProducts.heaptrail(), ["diff", recording.trace, cut])
        #expect(result.status == .exited(0))
        #expect(result.stdout.contains("note: NEW was cut"))
        #expect(result.stderr.contains("cut.trace was cut at byte"))
        #expect(try diff(recording.trace, cut).kinds == ["incomplete"])
    }

    @Test func `a flipped byte is bad data, and the rest is still compared`() throws {
        let recording = try Recording(magicSizes())
        var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        bytes[bytes.count / 2] ^= 0xff
        let folder = try TemporaryDirectory()
        let result = try run(
            BuildProducts.heaptrail(), ["diff", folder.write(bytes, to: "bad.trace"), recording.trace])
        #expect(result.status == .exited(65))
        #expect(result.stdout.contains("total") || result.stdout.contains("no difference"))
    }

    @Test func `both of two corrupt traces are told, a line each`() throws {
        let recording = try Recording(magicSizes())
        var bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        bytes[bytes.count / 2] ^= 0xff
        let folder = try TemporaryDirectory()
        let paths = try ["one.trace", "two.trace"].map { try folder.write(bytes, to: $0) }
        let result = try run(BuildProducts.heaptrail(), ["diff"] + paths)
        #expect(result.status == .exited(65))
        let lines = result.stderr.split(separator: "\n").filter { $0.contains("corrupt at byte") }
        #expect(lines.count == 2)
        #expect(zip(lines, paths).allSatisfy { $0.contains($1) })
        // Nothing of it can be read where its first bytes are damaged: one line, and no report.
        for place in [1, 8, 12, 20, 60] {
            var head = bytes
            head[bytes.count / 2] ^= 0xff
            head[place] ^= 0xff
            let bad = try folder.write(head, to: "head.trace")
            for operands in [[bad, recording.trace], [recording.trace, bad]] {
                let result = try run(BuildProducts.heaptrail(), ["diff"] + operands)
                #expect(result.status == .exited(65), "byte \(place)")
                #expect(result.stdout == "", "byte \(place)")
                #expect(result.stderr.split(separator: "\n").count == 1, "byte \(place): \(result.stderr)")
                #expect(result.stderr.contains("head.trace"), "byte \(place)")
            }
        }
    }

    @Test func `missing, foreign and too many inputs are refused with their status and one line`() throws {
        let recording = try Recording(magicSizes())
        let folder = try TemporaryDirectory()
        let foreign = try folder.write("hello\n", to: "foreign")
        for (arguments, status) in [
            ([recording.trace, "/nowhere/at-all.trace"], 66), ([foreign, recording.trace], 65), ([recording.trace], 64),
            ([], 64),
            ([recording.trace, recording.trace, recording.trace], 64), (["-", "-"], 64),
            ([recording.trace, recording.trace, "--by", "colour"], 64),
            ([recording.trace, recording.trace, "--image", "9"], 64),
            ([recording.trace, recording.trace, "--top", "0"], 64),
        ] as [([String], Int32)] {
            let result = try run(BuildProducts.heaptrail(), ["diff"] + arguments)
            #expect(result.status == .exited(status), "\(arguments): \(result.stderr)")
            #expect(result.stdout == "", "\(arguments)")
            #expect(result.stderr.split(separator: "\n").count == 1, "\(result.stderr)")
        }
    }

    @Test func `one trace may come from standard input`() throws {
        let recording = try Recording(magicSizes())
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        for arguments in [["-", recording.trace], [recording.trace, "-"]] {
            let result = try run(BuildProducts.heaptrail(), ["diff"] + arguments, stdin: bytes)
            #expect(result.isSuccess, "\(result.stderr)")
            #expect(result.stdout.contains("no difference"))
        }
    }

    @Test func `the document goes to a file that did not exist, wherever the option stands`() throws {
        let recording = try Recording(magicSizes())
        let folder = try TemporaryDirectory()
        let output = folder.file("diff.json")
        let arguments = ["diff", recording.trace, recording.trace, "--json", output]
        let written = try run(BuildProducts.heaptrail(), arguments)
        #expect(written.isSuccess)
        #expect(written.stdout == "")
        let document = String(decoding: try folder.read("diff.json"), as: UTF8.self)
        #expect(document.contains("heaptrail.diff/1"))
        #expect(try run(BuildProducts.heaptrail(), arguments).status == .exited(73))
        #expect(try run(BuildProducts.heaptrail(), arguments + ["--force"]).isSuccess)
        for order in [["--json", recording.trace, recording.trace], [recording.trace, recording.trace, "--json"]] {
            #expect(try runChecked(BuildProducts.heaptrail(), ["diff"] + order) == document)
        }
    }
}
