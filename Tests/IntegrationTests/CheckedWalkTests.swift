// Programs under a recorder that walks every stack fully, too, and stops the program at the first difference between that walk and the
// incremental one (scripts/build-interposer --check-walks).

internal import Foundation
internal import TestSupport
internal import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CheckedWalkTests {
    /// The tool beside the checking library.
    private static let tool = Result { () throws -> String in
        let folder = "\(BuildProducts.packageRoot)/.build/checked-walks"
        try runChecked(
            "\(BuildProducts.packageRoot)/scripts/build-interposer", ["--check-walks", "--output", folder], timeout: 300
        )
        let staged = "\(folder)/.\(UUID().uuidString)"
        try FileManager.default.copyItem(atPath: BuildProducts.heaptrail(), toPath: staged)
        guard rename(staged, "\(folder)/heaptrail") == 0 else {
            throw TestSupportError("cannot create \(folder)/heaptrail")
        }
        return "\(folder)/heaptrail"
    }

    /// Expects that the program ends under the checking recorder as it does without.
    private func check(_ program: String, _ arguments: [String], stdin: [UInt8] = []) throws {
        let native = try run(program, arguments, stdin: stdin, timeout: 120)
        let directory = try TemporaryDirectory()
        let checked = try run(
            Self.tool.get(), ["record", "-o", directory.file("trace"), "--", program] + arguments, stdin: stdin,
            timeout: 240)
        #expect(checked.isSuccess, "\(checked.stderr)")
        #expect(checked.stdout == native.stdout)
        #expect(
            try Report(json: Array(runChecked(Self.tool.get(), ["report", directory.file("trace"), "--json"]).utf8))
                .trace.allocations > 100)
    }

    @Test(
        "the incremental walk finds what a full one does in each benchmark",
        arguments: [
            ("bench-deep.c", SourceLanguage.c, ["20000"]), ("bench-handoff.c", .c, ["200"]),
            ("bench-strings.cpp", .cxx, ["2"]), ("bench-rust.rs", .rust, ["2"]), ("bench-swift.swift", .swift, ["1"]),
        ])
    func benchmarks(file: String, language: SourceLanguage, arguments: [String]) throws {
        guard language.isAvailable else { try skip("no \(language) compiler") }
        let level = language == .rust ? "-Copt-level=3" : language == .swift ? "-O" : "-O2"
        try check(
            ProgramBuilder.build(
                testProgram: file, language: language, arguments: [level] + (language == .c ? ["-fno-builtin"] : [])),
            arguments)
    }

    @Test(
        "the incremental walk finds what a full one does on stacks of every shape",
        arguments: ["calls", "frames", "deep", "jumps", "contexts", "switches", "threads", "altstack", "profile"])
    func shapes(shape: String) throws {
        for flags in WalkTests.builds[1...] {
            try check(ProgramBuilder.build(testProgram: "walk-shapes.c", language: .c, arguments: flags), [shape])
        }
    }

    @Test("the incremental walk finds what a full one does after plugins were unloaded and replaced")
    func plugins() throws {
        let host = try ProgramBuilder.build(testProgram: "plugin-host.c", language: .c)
        let plugins = try ["first", "second"].map { name in
            try ProgramBuilder.build(
                testProgram: "plugin.c", language: .c, name: "\(name).so",
                arguments: ["-fPIC", "-shared", "-DPLUGIN_FUNCTION=in_\(name)", "-DSIZE=17011"])
        }
        let many = Array(repeating: plugins, count: 60).flatMap { $0 }
        try check(host, many)
    }

    @Test(
        "the incremental walk finds what a full one does in real programs",
        arguments: [
            ("python3", ["-c", "import json, re; print(len(json.dumps([{'a': str(i)} for i in range(3000)])))"]),
            (
                "perl",
                ["-e", "my %h; $h{$_ % 97} .= \"w$_\" for 1..20000; print join(',', map { length } sort values %h)"]
            ),
            (
                "sqlite3",
                [":memory:", "create table t(a, b); insert into t values (1, 'x'), (2, 'y'); select * from t;"]
            ),
            ("git", ["-C", BuildProducts.packageRoot, "log", "--stat", "-5"]),
            ("clang", ["-O1", "-S", "-o", "-", BuildProducts.testProgram("bench-churn.c")]),
        ])
    func programs(name: String, arguments: [String]) throws {
        guard let program = Tool.find(name) else { return }
        try check(program, arguments)
    }
}
