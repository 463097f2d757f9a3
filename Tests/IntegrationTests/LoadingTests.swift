// What is loaded, and when: plugins in every way the loader has, and code that runs before main. Everything still loads,
// and what can be seen is counted to the block.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct LoadingTests {
    private static let flags = ["-O1", "-fno-builtin"]

    private func plugin(_ name: String, _ definitions: [String] = []) throws -> String {
        try ProgramBuilder.build(
            testProgram: "loading-plugin.c", language: .c, name: "\(name).so",
            arguments: Self.flags + ["-shared", "-fPIC"] + definitions)
    }

    private func record(_ way: String, _ plugins: [String]) throws -> Report {
        let host = try ProgramBuilder.build(testProgram: "loading.c", language: .c, arguments: Self.flags)
        let native = try run(host, [way] + plugins)
        let recording = try Recording(host, [way] + plugins)
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.result.status == native.status)
        #expect(recording.programErrors == native.stderr)
        #expect(native.stdout == "ok\n", "\(native.stderr)")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 22027) == Events(50, 50))
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        #expect(report.trace.complete)
        return report
    }

    @Test func `a plugin's constructors and destructors are seen`() throws {
        let report = try record("plain", [plugin("constructed", ["-DCONSTRUCTED"])])
        #expect(report.events(ofSize: 22003) == Events(1, 1))
        #expect(report.events(ofSize: 22013) == Events(2, 2))
        #expect(report.events(ofSize: 22037) == Events(1, 1))
    }

    @Test(arguments: [[], ["-Wl,-z,now", "-Wl,-z,relro"], ["-Wl,-z,lazy"], ["-fno-plt"]])
    func `a plugin loaded with RTLD_DEEPBIND is seen`(binding: [String]) throws {
        let report = try record("deepbind", [plugin("deep", binding)])
        #expect(report.events(ofSize: 22013) == Events(2, 2))
        #expect(report.events(ofSize: 22037) == Events(1, 1))
    }

    @Test func `a plugin with its own malloc keeps it`() throws {
        let report = try record("own", [plugin("own", ["-DOWN_MALLOC"])])
        #expect(report.events(ofSize: 22013) == Events(0, 0))
    }

    @Test func `a plugin in a namespace of its own loads, and the trace says that its heap is another`() throws {
        let host = try ProgramBuilder.build(testProgram: "loading.c", language: .c, arguments: Self.flags)
        let recording = try Recording(host, ["namespace", plugin("constructed", ["-DCONSTRUCTED"])])
        #expect(recording.result.stdout == "ok\n")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 22027) == Events(50, 50))
        #expect(report.events(ofSize: 22013) == Events(0, 0))
        #expect(report.trace.unmatchedFrees == 0)
        let said = try run(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect((said.stdout + said.stderr).contains("dlmopen"), "\(said.stderr)")
    }

    @Test func `a library that only its caller's RPATH finds is found`() throws {
        let needed = try ProgramBuilder.build(
            "int needed;", language: .c, name: "libheaptrailneeded.so", arguments: ["-shared", "-fPIC"])
        let folder = needed.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let name = needed.split(separator: "/").last!
        for way in ["plain", "deepbind"] {
            let report = try record(way, [plugin("rpath", ["-DNEEDED=\"\(name)\"", "-Wl,-rpath,\(folder)"])])
            #expect(report.events(ofSize: 22013) == Events(2, 2))
        }
    }

    @Test func `two hundred plugins with thread-local memory are loaded and unloaded`() throws {
        let plugins = try (0..<200).map {
            try plugin("local\($0)", ["-DTLS_BYTES=\(256 + $0)", "-DCONSTRUCTED"])
        }
        let report = try record("many", plugins)
        #expect(report.events(ofSize: 22003) == Events(200, 200))
        #expect(report.events(ofSize: 22013) == Events(200, 200))
        #expect(report.events(ofSize: 22031) == Events(1000, 1000))
        #expect(report.trace.threads == 11)
    }

    @Test(arguments: [[], ["-Wl,-z,now"], ["-Wl,-z,lazy"]])
    func `what is allocated before and after main is seen, on one thread`(binding: [String]) throws {
        let program = try ProgramBuilder.build(
            testProgram: "early.c", language: .c, arguments: Self.flags + binding)
        let recording = try Recording(program)
        #expect(recording.result.stdout == "ok\n")
        #expect(recording.result.isSuccess)
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 23003) == Events(10, 0))
        for size in [23011, 23017, 23021, 23027, 23029, 23039] {
            #expect(report.events(ofSize: size) == Events(10, 10), "size \(size)")
        }
        #expect(report.trace.threads == 1)
        #expect(report.trace.lost == 0)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.complete)
    }
}
