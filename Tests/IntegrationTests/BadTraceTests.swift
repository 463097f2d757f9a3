// Reports on traces that are missing, empty, foreign, cut or damaged: the exit status of their kind, one line that says
// what and where, and whatever could be read.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct BadTraceTests {
    private let folder: TemporaryDirectory
    /// A whole trace of the C program with magic sizes.
    private let whole: [UInt8]

    init() throws {
        folder = try TemporaryDirectory()
        let program = try ProgramBuilder.build(
            testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
        let recording = try Recording(program)
        whole = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
    }

    private func report(_ bytes: [UInt8]) throws -> ProcessResult {
        try run(BuildProducts.heaptrail(), ["report", folder.write(bytes, to: "bad.trace"), "--json"])
    }

    private func expectOneLine(_ result: ProcessResult, saying word: String) {
        #expect(result.stderr.split(separator: "\n").count == 1, "\(result.stderr)")
        #expect(result.stderr.contains(word), "\(result.stderr)")
    }

    @Test func `standard input that never ends is refused at once`() throws {
        let script = "\"$0\" report - < /dev/zero"
        let result = try run("sh", ["-c", script, BuildProducts.heaptrail()])
        #expect(result.status == .exited(65))
        expectOneLine(result, saying: "not a Heaptrail trace")
    }

    @Test func `a trace through a pipe reads as from a file`() throws {
        let path = try folder.write(whole, to: "whole.trace")
        let tool = try BuildProducts.heaptrail()
        let file = try runChecked(tool, ["report", path, "--json"])
        let piped = try runChecked("sh", ["-c", "cat '\(path)' | '\(tool)' report - --json"])
        #expect(piped.replacing("\"-\"", with: "\"\(path)\"") == file)
        #expect(try runChecked("sh", ["-c", "'\(tool)' report - --json < '\(path)'"]) == piped)
    }

    @Test func `a limit on the size of files ends a replay with a line`() throws {
        let path = try folder.write(whole, to: "whole.trace")
        let script = "ulimit -f 1; \"$0\" replay --runs 1 --allocators glibc \"$1\""
        let result = try run("sh", ["-c", script, BuildProducts.heaptrail(), path])
        #expect(result.status == .exited(73))
        expectOneLine(result, saying: "File too large")
    }

    @Test func `a trace that is not there is 66`() throws {
        let result = try run(BuildProducts.heaptrail(), ["report", "/nowhere/at-all.trace"])
        #expect(result.status == .exited(66))
        expectOneLine(result, saying: "/nowhere/at-all.trace")
    }

    @Test func `an empty file, a foreign file and a text without events are 65`() throws {
        for bytes: [UInt8] in [
            [], Array("GIF89a".utf8) + Array(repeating: 7, count: 900), Array("hello\nworld\n".utf8),
        ] {
            let result = try report(bytes)
            #expect(result.status == .exited(65))
            #expect(result.stdout == "")
            expectOneLine(result, saying: "bad.trace")
        }
    }

    @Test func `a program's own file is 65, not read as a trace`() throws {
        let result = try run(BuildProducts.heaptrail(), ["report", BuildProducts.preload()])
        #expect(result.status == .exited(65))
        #expect(result.stdout == "")
    }

    @Test func `a trace cut anywhere after its first chunks is reported as far as it goes`() throws {
        let complete = try Report(json: report(whole).stdoutBytes)
        #expect(complete.trace.complete)
        for cut in [whole.count - 1, whole.count - 65, whole.count * 3 / 4, whole.count / 2] {
            let result = try report(Array(whole[..<cut]))
            #expect(result.status == .exited(0), "cut at \(cut): \(result.stderr)")
            let report = try Report(json: result.stdoutBytes)
            #expect(!report.trace.complete, "cut at \(cut)")
            #expect(report.trace.events <= complete.trace.events)
            // Another line may say that nothing was left to report.
            let lines = result.stderr.split(separator: "\n").filter { $0.contains("cut at byte") }
            #expect(lines.count == 1, "\(result.stderr)")
            #expect(result.stderr.contains("bad.trace"))
        }
    }

    @Test func `a trace cut within its header is bad data`() throws {
        let result = try report(Array(whole[..<40]))
        #expect(result.status == .exited(65))
        #expect(result.stdout == "")
        #expect(!result.stderr.isEmpty)
    }

    @Test func `a flipped byte is bad data, named by its place, and the rest is still printed`() throws {
        for place in [whole.count / 3, whole.count / 2, whole.count * 2 / 3] {
            var bytes = whole
            bytes[place] ^= 0xff
            let result = try report(bytes)
            #expect(result.status == .exited(65), "byte \(place): \(result.stderr)")
            #expect(result.stderr.contains("byte"), "\(result.stderr)")
            let report = try Report(json: result.stdoutBytes)
            #expect(report.schema == "heaptrail.report/1")
        }
    }

    @Test func `no truncation and no flipped byte hangs or crashes the report`() throws {
        let step = max(1, whole.count / 24)
        for place in stride(from: 1, to: whole.count, by: step) {
            let cut = try report(Array(whole[..<place]))
            #expect([0, 65].contains(cut.exitStatus), "cut at \(place): \(cut.status)")
            var bytes = whole
            bytes[place] ^= 0x55
            let flipped = try report(bytes)
            #expect([0, 65].contains(flipped.exitStatus), "byte \(place): \(flipped.status)")
        }
    }

    @Test func `the same trace gives the same bytes`() throws {
        #expect(try report(whole).stdoutBytes == report(whole).stdoutBytes)
    }

    @Test func `an image the trace does not have is bad usage`() throws {
        let trace = try folder.write(whole, to: "whole.trace")
        let result = try run(BuildProducts.heaptrail(), ["report", trace, "--image", "9"])
        #expect(result.status == .exited(64))
        expectOneLine(result, saying: "image 9")
    }
}
