// Exports and comparisons from the command line, on real programs.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ExportTests {
    private func record() throws -> Recording {
        let program = try ProgramBuilder.build(
            testProgram: "stacks.c", language: .c,
            arguments: ["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls", "-fno-builtin"])
        return try Recording(program)
    }

    /// The stacks and weights of an export; a line of another shape is a failure.
    private func lines(_ text: String) throws -> [(frames: [Substring], weight: Int)] {
        try text.split(separator: "\n").map { line in
            let blank = try #require(line.lastIndex(of: " "), "\(line)")
            let weight = try #require(Int(line[line.index(after: blank)...]), "\(line)")
            return (line[..<blank].split(separator: ";", omittingEmptySubsequences: false), weight)
        }
    }

    @Test(arguments: ["bytes", "allocations", "live", "temporary"])
    func `collapsed stacks weigh what the trace does`(weight: String) throws {
        let recording = try record()
        let facts = try recording.report().trace
        let text = try runChecked(
            BuildProducts.heaptrail(), ["export", recording.trace, "--format", "collapsed", "--weight", weight])
        let lines = try lines(text)
        let expected = [
            "bytes": facts.bytesAllocated, "allocations": facts.allocations, "live": facts.liveBytes,
            "temporary": facts.temporary,
        ]
        #expect(lines.reduce(0) { $0 + $1.weight } == expected[weight])
        #expect(lines.allSatisfy { line in line.weight > 0 && line.frames.allSatisfy { !$0.isEmpty } })
    }

    @Test func `a collapsed stack runs from the outermost frame to the innermost`() throws {
        let recording = try record()
        let text = try runChecked(BuildProducts.heaptrail(), ["export", recording.trace, "--format", "collapsed"])
        let line = try #require(lines(text).first { $0.weight == 15013 })
        let names = line.frames.map { $0.prefix { $0 != " " && $0 != "(" } }
        let positions = ["main", "outer", "middle", "leaf"].compactMap { name in names.firstIndex(of: name[...]) }
        #expect(positions.count == 4, "\(line.frames)")
        #expect(positions == positions.sorted())
    }

    @Test func `an export's output is not overwritten without --force`() throws {
        let recording = try record()
        let folder = try TemporaryDirectory()
        let output = try folder.write("precious\n", to: "out.txt")
        let arguments = ["export", recording.trace, "--format", "collapsed", "-o", output]
        #expect(try run(BuildProducts.heaptrail(), arguments).status == .exited(73))
        #expect(String(decoding: try folder.read("out.txt"), as: UTF8.self) == "precious\n")
        // A named pipe exists, too; to open it would be to wait for its reader.
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        let toPipe = ["export", recording.trace, "--format", "collapsed", "-o", folder.file("pipe")]
        #expect(try run(BuildProducts.heaptrail(), toPipe).status == .exited(73))
        let toTrace = ["export", recording.trace, "--format", "collapsed", "--force", "-o", recording.trace]
        #expect(try run(BuildProducts.heaptrail(), toTrace).status == .exited(73))
        #expect(try recording.report().trace.complete)
        #expect(try run(BuildProducts.heaptrail(), arguments + ["--force"]).isSuccess)
        #expect(try !lines(String(decoding: folder.read("out.txt"), as: UTF8.self)).isEmpty)
    }
}

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CompareTests {
    /// heaptrail.compare/1.
    struct Document: Decodable {
        struct Figure: Decodable {
            let median: Double
            let min: Double
            let max: Double
        }

        struct Ratios: Decodable {
            let wall: Double?
            let cpu: Double?
            let peakRss: Double?
        }

        struct Row: Decodable {
            let allocator: String
            let wallS: Figure
            let cpuS: Figure
            let peakRssBytes: Figure
            let minorFaults: Figure
            let ratioToFirst: Ratios
        }

        let schema: String
        let runs: Int
        let rows: [Row]
    }

    @Test(.enabled(if: Machine.hasAllocator("jemalloc"), "jemalloc is not installed"))
    func `a comparison has a row for each allocator, the first as the measure`() throws {
        let text = try runChecked(
            BuildProducts.heaptrail(),
            [
                "compare", "--allocators", "glibc,jemalloc", "--runs", "3", "--json", "--", BuildProducts.demo(),
                "string",
            ])
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let document = try decoder.decode(Document.self, from: Data(text.utf8))
        #expect(document.schema == "heaptrail.compare/1")
        #expect(document.runs == 3)
        #expect(document.rows.map(\.allocator) == ["glibc", "jemalloc"])
        for row in document.rows {
            for figure in [row.wallS, row.cpuS, row.peakRssBytes, row.minorFaults] {
                #expect(figure.min <= figure.median && figure.median <= figure.max)
            }
            #expect(row.peakRssBytes.min > 1_048_576)
        }
        #expect(document.rows.first?.ratioToFirst.peakRss == 1)
    }

    @Test func `comparing what does not exist or is not installed is one line`() throws {
        let missing = try run(BuildProducts.heaptrail(), ["compare", "--", "/nowhere/at-all"])
        #expect(missing.status == .exited(66))
        #expect(missing.stderr.split(separator: "\n").count == 1, "\(missing.stderr)")
        let unknown = try run(BuildProducts.heaptrail(), ["compare", "--allocators", "nomalloc", "--", "true"])
        #expect(unknown.status == .exited(64))
        #expect(unknown.stderr.split(separator: "\n").count == 1, "\(unknown.stderr)")
    }

    @Test func `a program that fails natively is no success of a comparison`() throws {
        let result = try run(
            BuildProducts.heaptrail(), ["compare", "--allocators", "glibc", "--runs", "1", "--", "false"])
        #expect(result.status != .exited(0))
        #expect(!result.stderr.isEmpty)
    }
}
