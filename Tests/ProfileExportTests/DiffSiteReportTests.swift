// How sites of a difference are called: by their file where a function is in several, by both names where one was renamed.
import HeapAnalysis
import ProfileExport
import Symbolication
import Testing
import TestSupport
import TraceReader

struct DiffSiteReportTests {
    /// Names offsets by a list of functions, 16 bytes each.
    private final class Functions: FrameSymbolicator {
        let list: [(name: String, file: String, blocks: Int)]
        init(_ list: [(name: String, file: String, blocks: Int)]) { self.list = list }

        func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
            let function = list[Int(offset / 16)]
            return [SymbolicatedFrame(function: function.name, file: function.file, line: 1, modulePath: module.path)]
        }
    }

    /// A recording in which each function makes so many blocks of Box<Matrix>.
    private func profile(_ list: [(name: String, file: String, blocks: Int)]) throws -> HeapProfile {
        var builder = TraceBuilder()
        builder.info([(2, "app"), (4, "glibc"), (10, "/bin/app")])
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events { records in
            records.thread(71, "main")
            records.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            for (number, function) in list.enumerated() {
                let stack = UInt32(number + 1)
                records.stack(stack, frames: [0x1001 + UInt64(number) * 16], tag: 1)
                for block in 0..<function.blocks {
                    let address = UInt64(stack) << 20 | UInt64(block) << 10
                    records.allocate(address, size: 500, stack: stack, at: 1100)
                }
            }
        }
        builder.end(ticks: 2000)
        let trace = try Trace.open(bytes: builder.bytes)
        return try #require(HeapProfile(analysing: trace, options: AnalysisOptions(), symbolicator: Functions(list)))
    }

    private func text(_ diff: ProfileDiff) -> String {
        DiffText(diff: diff, request: DiffRequest(), style: TextStyle(width: 140)).text()
    }

    @Test func `functions of one name are told apart by their files, others need none`() throws {
        let text = text(
            try ProfileDiff(
                old: profile([("make", "/src/a.c", 1), ("make", "/src/b.c", 1), ("keep", "/src/b.c", 1)]),
                new: profile([("make", "/src/a.c", 2), ("make", "/src/b.c", 3), ("keep", "/src/b.c", 5)])))
        #expect(text.contains("  make (a.c)  "))
        #expect(text.contains("  make (b.c)  "))
        #expect(text.contains("  keep  "))
    }

    @Test func `a function under another name is one row, and a line and the document say so`() throws {
        let diff = try ProfileDiff(
            old: profile([("parse", "/src/a.c", 3), ("main", "/src/a.c", 1)]),
            new: profile([("read", "/src/a.c", 3), ("main", "/src/a.c", 2)]))
        let text = text(diff)
        #expect(
            text.contains("note: the same figures under another name, taken for one function: parse → read\n"))
        #expect(text.contains("1 of 2 rows by owner, cause and site differ"))
        let document = DiffDocument(diff: diff, request: DiffRequest()).json()
        #expect(document.contains(#""kind": "renamed""#))
        #expect(document.contains(#""former_site": "parse (a.c"#))
    }
}
