// Exact counts: programs in four languages that allocate blocks of sizes nothing else asks for.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct MagicSizeTests {
    /// Records a program of Tests/Programs and returns its report by size, with native output and status asserted.
    private func report(
        _ file: String, _ language: SourceLanguage, arguments: [String] = []
    ) throws -> Report {
        let program = try ProgramBuilder.build(testProgram: file, language: language, arguments: arguments)
        let native = try run(program)
        let recording = try Recording(program)
        #expect(recording.result.status == native.status)
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.programErrors == native.stderr)
        let report = try recording.report(by: "size")
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.allocations + report.trace.frees == report.trace.events)
        #expect(report.rows.reduce(0) { $0 + $1.allocations } == report.trace.allocations)
        #expect(report.rows.reduce(0) { $0 + $1.frees } == report.trace.frees)
        return report
    }

    @Test(arguments: [["-O0", "-fno-builtin"], ["-O2", "-fno-builtin", "-fomit-frame-pointer"]])
    func `a C program's blocks are counted to the block`(arguments: [String]) throws {
        let report = try report("magic-sizes.c", .c, arguments: arguments)
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.events(ofSize: 2003) == Events(1, 1))
        #expect(report.events(ofSize: 2011) == Events(1, 1))
        #expect(report.events(ofSize: 3001) == Events(50, 50))
        for step in 0..<10 { #expect(report.events(ofSize: 4001 + 16 * step) == Events(1, 1)) }
        #expect(report.trace.reallocations == 10)
        let leak = report.rows.first { $0.size == 1009 }
        #expect(leak?.liveBlocks == 1)
        #expect(leak?.liveBytes == 1009)
        #expect(leak?.bytes == 300 * 1009)
        #expect(leak?.slackBytes == 300 * (1016 - 1009))
    }

    @Test(arguments: [["-O0"], ["-O2", "-fno-builtin"]])
    func `a C++ program's containers and operators are one event each`(arguments: [String]) throws {
        let report = try report("magic-sizes.cpp", .cxx, arguments: arguments)
        #expect(report.events(ofSize: 1511) == Events(7, 7))
        #expect(report.events(ofSize: 1523) == Events(5, 5))
        #expect(report.events(ofSize: 1531) == Events(3, 3))
        #expect(report.events(ofSize: 1543) == Events(2, 2))
    }

    @Test(
        .enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"), arguments: [[], ["-O"]])
    func `a Rust program's blocks are counted to the block`(arguments: [String]) throws {
        let report = try report("magic-sizes.rs", .rust, arguments: arguments)
        #expect(report.events(ofSize: 1613) == Events(11, 11))
        #expect(report.events(ofSize: 1619) == Events(1, 1))
        #expect(report.events(ofSize: 1627) == Events(1, 1))
        #expect(report.events(ofSize: 1637) == Events(4, 4))
        #expect(report.events(ofSize: 1657) == Events(6, 6))
    }

    @Test(.enabled(if: SourceLanguage.swift.isAvailable, "swiftc is not installed"), arguments: [["-Onone"], ["-O"]])
    func `a Swift program's blocks are counted to the block`(arguments: [String]) throws {
        let report = try report("magic-sizes.swift", .swift, arguments: arguments)
        #expect(report.events(ofSize: 1709) == Events(9, 9))
        #expect(report.events(ofSize: 1721) == Events(4, 3))
    }
}
