// A small trace built byte by byte and analysed with symbols from a list: what every exporter's test writes out.
import HeapAnalysis
import Symbolication
import Testing
import TestSupport
import TraceReader

final class ListedSymbols: FrameSymbolicator {
    private let names: [UInt64: String] = [
        0x10: "make", 0x20: "operator;()\nbroken", 0x30: "main", 0x40: "std::vector<own::Point>::push_back",
    ]

    func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
        [
            SymbolicatedFrame(
                function: names[offset] ?? "0x" + String(offset, radix: 16), file: "/src/app/main.cpp",
                line: Int(offset), modulePath: module.path)
        ]
    }
}

enum SampleProfile {
    /// Box<Matrix> made once and freed at once; a growing array that stays; a block without a stack.
    static func make(fields: RowFields = [], program: String = "app") throws -> HeapProfile {
        var builder = TraceBuilder()
        builder.info([(2, program), (4, "glibc"), (10, "/bin/app")])
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events { records in
            records.thread(71, "main")
            records.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            records.tag(2, family: "Array", type: "std::vector<own::Point>", cause: "growth", language: "c++")
            records.counter(1, "Cow.borrowed")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            records.stack(1, frames: [0x1011, 0x1031], tag: 1)
            records.stack(2, frames: [0x1041, 0x1021, 0x1031], tag: 2)
            records.stack(3, frames: [0x1041, 0x1021, 0x1031], flags: 1, tag: 2)
            records.usable(size: 505, usable: 520)
            records.usable(size: 64, usable: 72)
            records.usable(size: 128, usable: 136)
            records.allocate(0x10_0000, size: 505, stack: 1, at: 1100)
            records.free(0x10_0000, at: 1104)
            records.allocate(0x20_0000, size: 64, stack: 2, at: 1200)
            records.reallocate(0x20_0000, to: 0x30_0000, size: 128, stack: 2, freed: 1300, at: 1310)
            records.allocate(0x40_0000, size: 64, stack: 3, at: 1400)
            records.allocate(0x50_0000, size: 2000, stack: 0, at: 1500)
            records.free(0x90_0000, at: 1600)
            records.count(1, 3)
        }
        builder.clock(ticks: 2000, monotonic: 3000, realtime: 3000)
        builder.end(ticks: 2000)
        let trace = try Trace.open(bytes: builder.bytes)
        let options = AnalysisOptions(fields: fields)
        return try #require(HeapProfile(analysing: trace, options: options, symbolicator: ListedSymbols()))
    }
}
