// The preload without the tool in front: LD_PRELOAD and a variable or two. The collector it starts ends a moment after the
// program, and a report waits for that.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct PreloadAloneTests {
    private func program(_ file: String = "magic-sizes.c") throws -> String {
        try ProgramBuilder.build(testProgram: file, language: .c, arguments: ["-O0", "-fno-builtin"])
    }

    private func environment(_ variables: [String: String]) throws -> ProcessEnvironment {
        .inherited(adding: variables.merging(["LD_PRELOAD": try BuildProducts.preload()]) { $1 })
    }

    @Test func `HEAPTRAIL_OUTPUT alone leaves a complete trace with the exact counts`() throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let result = try run(program(), environment: environment(["HEAPTRAIL_OUTPUT": trace]))
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr == "")
        let report = try Recording.report(on: trace, by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.events(ofSize: 3001) == Events(50, 50))
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
        #expect(report.trace.reallocations == 10)
    }

    @Test(arguments: ["kill", "_exit", "abort"])
    func `a program that ends abruptly loses nothing without the tool either`(how: String) throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        _ = try run(program("ends.c"), [how], environment: environment(["HEAPTRAIL_OUTPUT": trace]))
        let report = try Recording.report(on: trace, by: "size")
        #expect(report.events(ofSize: 12007) == Events(1000, 400))
        #expect(report.trace.complete)
    }

    @Test func `HEAPTRAIL_FORMAT=text alone writes every event to standard error`() throws {
        let folder = try TemporaryDirectory()
        // Redirected to a file, which the collector may still be writing when the program has ended: `wait` for its end
        // is a read until nothing changes, so the shell's pipe, closed by the last writer, is used.
        let command =
            "{ LD_PRELOAD='\(try BuildProducts.preload())' HEAPTRAIL_FORMAT=text '\(try program())' 2>&1 >/dev/null; } | cat"
        let result = try run("bash", ["-c", command], workingDirectory: folder.path)
        let events = result.stdout.split(separator: "\n").compactMap { TextEvent(String($0)) }
        #expect(events.count { $0.kind == "ALLOC" && $0.size == 1009 } == 300)
        #expect(events.count { $0.kind == "FREE" && $0.size == 1009 } == 299)
        #expect(try folder.names().isEmpty)
    }

    @Test func `an output that exists is left as it is and the program runs unrecorded`() throws {
        let folder = try TemporaryDirectory()
        let trace = try folder.write("precious\n", to: "alone.trace")
        let result = try run(program(), environment: environment(["HEAPTRAIL_OUTPUT": trace]))
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr.contains("heaptrail: "))
        #expect(String(decoding: try folder.read("alone.trace"), as: UTF8.self) == "precious\n")
    }

    @Test func `the preload without a variable changes nothing`() throws {
        let folder = try TemporaryDirectory()
        let result = try run(program(), environment: environment([:]), workingDirectory: folder.path)
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr == "")
        #expect(try folder.names().isEmpty)
    }

    @Test(arguments: [true, false])
    func `the preload works before and behind another one`(isBehind: Bool) throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let counter = try ReferenceCounter()
        let preload = try BuildProducts.preload()
        let order = isBehind ? [counter.library, preload] : [preload, counter.library]
        let variables = counter.variables().merging([
            "LD_PRELOAD": order.joined(separator: " "), "HEAPTRAIL_OUTPUT": trace,
        ]) { $1 }
        let result = try run(program(), environment: .inherited(adding: variables))
        #expect(result.status == .exited(3))
        let report = try Recording.report(on: trace, by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.complete)
        let counts = try counter.counts()
        // In front, the other one also sees what the preload's own look-ups allocate before the program starts.
        #expect(isBehind ? counts.allocations >= 363 : report.trace.allocations == Int(counts.allocations))
        #expect(isBehind ? counts.frees >= 361 : report.trace.frees == Int(counts.frees))
    }

    @Test(arguments: [true, false])
    func `the preload records before and behind a preloaded allocator`(isBehind: Bool) throws {
        guard let allocator = Machine.allocatorLibrary("jemalloc") else { try skip("jemalloc is not installed") }
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let preload = try BuildProducts.preload()
        let order = isBehind ? [allocator, preload] : [preload, allocator]
        let variables = ["LD_PRELOAD": order.joined(separator: " "), "HEAPTRAIL_OUTPUT": trace]
        let result = try run(program(), environment: .inherited(adding: variables))
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        #expect(result.stderr == "")
        let report = try Recording.report(on: trace, by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.complete)
        #expect(report.trace.lost == 0)
    }

    @Test(arguments: [[], ["env"], ["sh", "-c", "exec \"$0\""]])
    func `an allocator that the user preloads is recorded, too`(wrapper: [String]) throws {
        guard let allocator = Machine.allocatorLibrary("jemalloc") else { try skip("jemalloc is not installed") }
        let command = wrapper + [try program()]
        let recording = try Recording(
            command[0], Array(command.dropFirst()), environment: .inherited(adding: ["LD_PRELOAD": allocator]))
        #expect(recording.result.status == .exited(3), "\(recording.result.stderr)")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.trace.lost == 0)
    }
}
