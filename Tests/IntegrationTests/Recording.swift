// One run of a program under `heaptrail record`, and the reports on its trace. Everything happens in child processes with
// timeouts; the trace lies in a folder that goes away with the value.

internal import Foundation
internal import TestSupport
internal import Testing

/// A program's run under the recorder.
final class Recording {
    /// How `heaptrail record` ended, which is how the program did, and what both wrote.
    let result: ProcessResult
    /// The trace's path.
    let trace: String
    private let directory: TemporaryDirectory

    /// Records `program` into a fresh trace.
    ///
    /// - Parameters:
    ///   - options: those of `heaptrail record`, before the program.
    ///   - environment: what both the recorder and the program see. Without a cache of its own, no copy of the program is kept in the user's.
    init(
        _ program: String, _ arguments: [String] = [], options: [String] = [],
        environment: ProcessEnvironment = .inherited(), workingDirectory: String? = nil, stdin: [UInt8] = [],
        timeout: Double = 120
    ) throws {
        directory = try TemporaryDirectory()
        trace = directory.file("run.trace")
        var variables = environment.variables
        if variables["XDG_CACHE_HOME"] == ProcessEnvironment.inherited().variables["XDG_CACHE_HOME"] {
            variables["HEAPTRAIL_NO_CACHE"] = "1"
        }
        result = try run(
            BuildProducts.heaptrail(), ["record", "-o", trace] + options + ["--", program] + arguments,
            environment: .exactly(variables), workingDirectory: workingDirectory, stdin: stdin, timeout: timeout)
    }

    /// Records a test program, whose first argument names the way, and expects of it what it does natively.
    static func likeNative(testProgram: String, _ how: String, options: [String]) throws -> Recording {
        let program = try ProgramBuilder.build(
            testProgram: testProgram, language: .c, arguments: ["-O1", "-fno-builtin"])
        let native = try run(program, [how])
        let recording = try Recording(program, [how], options: options)
        #expect(recording.result.status == native.status, "\(recording.result.stderr)")
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.programErrors == native.stderr)
        return recording
    }

    /// The report on the trace, of which nothing may be missing.
    func wholeReport(by keys: String) throws -> Report {
        let report = try report(by: keys)
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.missingFrees == 0)
        return report
    }

    /// The report on the trace.
    ///
    /// - Throws: with the tool's own words where it fails.
    func report(by keys: String? = nil, view: String? = nil, options: [String] = []) throws -> Report {
        try Recording.report(on: trace, by: keys, view: view, options: options)
    }

    /// The report on any trace.
    static func report(
        on trace: String, by keys: String? = nil, view: String? = nil, options: [String] = []
    ) throws -> Report {
        var arguments = ["report", trace, "--json"] + options
        if let keys { arguments += ["--by", keys] }
        if let view { arguments += ["--view", view] }
        let text = try runChecked(BuildProducts.heaptrail(), arguments, timeout: 120)
        return try Report(json: Array(text.utf8))
    }

    /// The traces beside the first one, as `--follow` leaves them, by process id.
    func followed() throws -> [Int32: String] {
        var found: [Int32: String] = [:]
        for name in try directory.names() {
            guard name.hasPrefix("run.trace."), let pid = Int32(name.dropFirst("run.trace.".count)) else { continue }
            found[pid] = directory.file(name)
        }
        return found
    }

    /// What the recorder said on standard error, line by line, without its name.
    var remarks: [String] {
        result.stderr.split(separator: "\n").filter { $0.hasPrefix("heaptrail: ") }.map {
            String($0.dropFirst("heaptrail: ".count))
        }
    }

    /// What the program itself wrote to standard error.
    var programErrors: String {
        result.stderr.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("heaptrail: ") }
            .joined(separator: "\n")
    }
}

/// What the machine has, for the conditions of tests.
enum Machine {
    /// The text of a skipped test.
    static let notBuilt: Comment =
        "the release products are not built: swift build -c release && scripts/build-interposer"

    /// Whether jemalloc is installed to be linked into a program.
    static let hasStaticJemalloc =
        FileManager.default.fileExists(atPath: "/usr/lib/x86_64-linux-gnu/libjemalloc.a")

    /// The path of an allocator's library.
    static func library(of name: String) throws -> String {
        let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
        for folder in folders {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let versioned = names.filter { $0.hasPrefix("lib\(name).so.") || $0.hasPrefix("lib\(name)_minimal.so.") }
            if let found = versioned.sorted().first { return folder + "/" + found }
        }
        throw TestSupportError("lib\(name) is not installed")
    }

    /// Whether an allocator's library is installed where the loader looks.
    static func hasAllocator(_ name: String) -> Bool { allocatorLibrary(name) != nil }

    /// The path of an allocator's library, nil where it is not installed.
    static func allocatorLibrary(_ name: String) -> String? {
        for folder in ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            let found = names.filter { $0.hasPrefix("lib\(name)") && $0.contains(".so") }.sorted().first
            if let found { return "\(folder)/\(found)" }
        }
        return nil
    }
}
