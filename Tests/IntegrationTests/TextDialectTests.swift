// The text dialect: what `--format text` writes, what a report reads back from it, and the preload used without the tool.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct TextDialectTests {
    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "magic-sizes.c", language: .c, arguments: ["-O0", "-fno-builtin"])
    }

    /// Every line of a log that the recorder alone wrote; a foreign line is a failure.
    private func events(_ bytes: [UInt8]) throws -> [TextEvent] {
        try bytes.split(separator: 10).map { line in
            let text = String(decoding: line, as: UTF8.self)
            return try #require(TextEvent(text), "a foreign line: \(text)")
        }
    }

    @Test func `every line is an event, and a FREE has the size of its ALLOC`() throws {
        let recording = try Recording(program(), options: ["--format", "text"])
        #expect(recording.result.status == .exited(3))
        let events = try events(Array(Data(contentsOf: URL(fileURLWithPath: recording.trace))))
        var live: [UInt64: Int] = [:]
        for event in events {
            if event.kind == "ALLOC" {
                #expect(live.updateValue(event.size, forKey: event.address) == nil, "an ALLOC on a live address")
            } else {
                #expect(live.removeValue(forKey: event.address) == event.size)
            }
        }
        #expect(events.count { $0.kind == "ALLOC" && $0.size == 1009 } == 300)
        #expect(events.count { $0.kind == "FREE" && $0.size == 1009 } == 299)
        #expect(live.values.count { $0 == 1009 } == 1)
    }

    @Test func `a report reads a text log back with the totals of the binary trace`() throws {
        let text = try Recording(program(), options: ["--format", "text"]).report(by: "size")
        let binary = try Recording(program()).report(by: "size")
        #expect(text.trace.allocations == binary.trace.allocations)
        #expect(text.trace.frees == binary.trace.frees)
        #expect(text.trace.bytesAllocated == binary.trace.bytesAllocated)
        #expect(text.trace.liveBlocks == binary.trace.liveBlocks)
        #expect(text.trace.peakBytes == binary.trace.peakBytes)
        for size in [1009, 2003, 2011, 3001] { #expect(text.events(ofSize: size) == binary.events(ofSize: size)) }
    }

    @Test func `a tagged block's line names its owner and cause`() throws {
        let recording = try Recording(BuildProducts.demo(), ["box"], options: ["--format", "text"])
        let log = try String(contentsOfFile: recording.trace, encoding: .utf8)
        let line = try #require(log.split(separator: "\n").first { $0.contains("ALLOC") && $0.contains(", size 505") })
        #expect(line.hasSuffix(", size 505, owner Box<Matrix>, cause construct"))
        let row = try #require(try recording.report(by: "owner,cause,size").rows.first { $0.size == 505 })
        #expect(row.type == "Box<Matrix>")
        #expect(row.cause == "construct")
    }

    @Test func `lines of other programs are skipped and counted`() throws {
        let folder = try TemporaryDirectory()
        let log = try folder.write(
            "starting up\nALLOC: 0x10, size 505\nnoise ALLOC: 0x20, size 7 noise\nFREE: 0x10, size 505\n\n", to: "log")
        let report = try Recording.report(on: log, by: "size")
        #expect(report.trace.allocations >= 1)
        #expect(report.events(ofSize: 505) == Events(1, 1))
        let said = try run(BuildProducts.heaptrail(), ["report", log])
        #expect(said.isSuccess)
        #expect(said.stderr.contains("no event"))
    }

    @Test func `text goes to standard error unless an output is named, and the program's output stays`() throws {
        let result = try run(
            BuildProducts.heaptrail(), ["record", "--format", "text", "--", program()])
        #expect(result.status == .exited(3))
        #expect(result.stdout == "done\n")
        let events = result.stderr.split(separator: "\n").compactMap { TextEvent(String($0)) }
        #expect(events.count { $0.kind == "ALLOC" && $0.size == 1009 } == 300)
    }
}
