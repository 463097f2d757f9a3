// Programs in C++ and Rust, and a compiler, that carry their own allocator: counts, owners and exceptions as with libc's.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct OwnAllocatorLanguageTests {
    @Test(arguments: [OwnAllocatorTests.Kind.jemalloc, .tcmalloc], [[], ["-static-libstdc++", "-static-libgcc"]])
    func `C++ operators of the executable are one event each, and their exceptions pass`(
        kind: OwnAllocatorTests.Kind, linking: [String]
    ) throws {
        let library = try #require(kind.library)
        guard FileManager.default.fileExists(atPath: library) else {
            try skip("\(library) is not installed")
        }
        let program = try ProgramBuilder.build(
            testProgram: "own-allocator.cpp", language: .cxx, name: "operators-\(kind)",
            arguments: ["-O1", "-fno-builtin"] + linking + [library, "-lm", "-ldl"])
        let recording = try Recording(program)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        #expect(recording.result.stdout == "failed 200\n")
        let report = try recording.report(by: "size")
        for size in [22003, 22144, 22027, 22031, 22037] {
            #expect(report.events(ofSize: size) == Events(100, 100), "size \(size)")
        }
        #expect(report.trace.unmatchedFrees == 0)
        // The exceptions: 100 blocks of the C++ runtime's, each freed.
        #expect(report.rows.contains { $0.allocations == 100 && $0.frees == 100 && ($0.size ?? 0) < 300 })
        #expect(report.rows.allSatisfy { ($0.size ?? 0) < 1 << 30 })
        let owners = try recording.report().rows.compactMap(\.type)
        #expect(owners.contains { $0.hasSuffix("new in main") || $0.contains("main") }, "\(owners)")
    }

    @Test(.enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"))
    func `a Rust program's global allocator is seen through to the owners`() throws {
        let libraries = try OwnAllocatorTests.Kind.jemallocArguments()
        let program = try ProgramBuilder.build(
            testProgram: "own-allocator.rs", language: .rust,
            arguments: ["-O"] + libraries.filter { $0 != "-pthread" }.flatMap { ["-C", "link-arg=\($0)"] })
        let recording = try Recording(program)
        #expect(recording.result.stdout == "done\n", "\(recording.result.stderr)")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 21613) == Events(22, 22))
        #expect(report.events(ofSize: 21632) == Events(2, 2))
        #expect(report.events(ofSize: 21647) == Events(2, 2))
        #expect(report.events(ofSize: 21649) == Events(2, 2))
        #expect(report.events(ofSize: 21661) == Events(2, 2))
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.lost == 0)
        let owners = try recording.report().rows
        #expect(owners.contains { $0.family == "Box" && $0.type?.contains("Matrix") == true && $0.allocations == 22 })
        #expect(owners.allSatisfy { $0.type?.contains("rust_alloc") != true })
    }

    @Test func `a compiler that carries jemalloc writes the same program`() throws {
        let sysroot = try runChecked("rustc", ["--print", "sysroot"]).trimmingCharacters(in: .whitespacesAndNewlines)
        let compiler = "\(sysroot)/bin/rustc"
        guard FileManager.default.isExecutableFile(atPath: compiler) else { try skip("no rustc") }
        let folder = try TemporaryDirectory()
        let source = try folder.write("pub fn f(x: u32) -> u32 { x + 1 }\n", to: "f.rs")
        let common = ["--crate-type=lib", "--emit=obj", "--edition=2021", source, "-o"]
        try runChecked(compiler, common + [folder.file("native.o")])
        let recording = try Recording(compiler, common + [folder.file("recorded.o")])
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        #expect(try folder.read("native.o") == folder.read("recorded.o"))
        let report = try recording.report(by: "size")
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.lost == 0)
        #expect(report.trace.allocations > 1000)
    }
}
