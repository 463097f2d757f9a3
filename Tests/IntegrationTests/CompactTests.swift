// `heaptrail compact` and `record --compact` on real recordings: what every command says of a compacted trace is what it says of the trace itself,
// byte for byte; outputs are whole or not there, and never replaced unasked.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CompactTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func size(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    }

    /// The bytes that a command writes about a trace, wherever that lies.
    private func output(_ arguments: [String], on trace: String) throws -> [UInt8] {
        let result = try run(
            BuildProducts.heaptrail(), [arguments[0], trace] + arguments.dropFirst(), timeout: 120)
        #expect(result.status == .exited(0), "\(result.stderr)")
        return result.stdoutBytes
    }

    /// Every view of a trace that a command gives.
    private static let views: [[String]] =
        ["family", "owner", "type", "cause", "site", "size", "thread", "module", "site,size", "module,thread"].flatMap {
            [["report", "--by", $0], ["report", "--json", "--by", $0]]
        } + ["peak", "leaks", "temporary", "size", "thread"].map { ["report", "--json", "--view", $0] }
        + [["report", "--explain"], ["report", "--json", "--explain"], ["export", "--format", "collapsed"]]
        + ["allocations", "live", "peak", "temporary"].map { ["export", "--format", "collapsed", "--weight", $0] }

    /// A few of them, which between them show every figure: for programs whose symbols take long to read.
    private static let fewViews: [[String]] = [
        ["report"], ["report", "--json", "--by", "site,size"], ["report", "--json", "--by", "module,thread"],
        ["export", "--format", "collapsed", "--weight", "live"],
    ]

    /// Compacts a trace and expects views of it to be the same bytes.
    private func expectSameViews(_ trace: String, _ views: [[String]] = fewViews) throws {
        let packed = folder.file("packed.trace")
        let result = try run(BuildProducts.heaptrail(), ["compact", trace, "-o", packed, "--force"])
        #expect(result.status == .exited(0), "\(result.stderr)")
        for view in views {
            #expect(try output(view, on: trace) == output(view, on: packed), "\(view.joined(separator: " "))")
        }
    }

    @Test func `a program of threads tells the same compacted`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "bench-churn.c", language: .c, arguments: ["-O1", "-fno-builtin", "-pthread"])
        let recording = try Recording(program, ["4", "20000"])
        try expectSameViews(recording.trace, Self.views)
        #expect(try size(folder.file("packed.trace")) * 3 < size(recording.trace))
    }

    @Test(arguments: ["python3", "perl", "bash", "sqlite3", "clang"])
    func `a real program tells the same compacted`(name: String) throws {
        guard let tool = Tool.find(name) else {
            try skip("\(name) is not installed")
        }
        let arguments: [String] =
            switch name {
            case "python3": ["-S", "-c", "import json; json.dumps([{str(i): [i] * 3} for i in range(3000)])"]
            case "perl": ["-e", "my %h; $h{$_ % 97} .= \"x$_\" for 1..3000; print length join '', values %h;"]
            case "bash": ["-c", "for i in $(seq 100); do a[$i]=\"${a[*]:0:5} $i\"; done; (exit 3)"]
            case "sqlite3":
                [
                    ":memory:",
                    "create table t(a); with recursive n(i) as (select 1 union all select i + 1 from n where i < 900)"
                        + " insert into t select hex(i) from n; select count(*), max(a) from t;",
                ]
            default: ["-c", "-O1", try folder.write("int f(int a) { return a * 3; }\n", to: "a.c"), "-o", "/dev/null"]
            }
        let recording = try Recording(tool, arguments)
        try expectSameViews(recording.trace)
    }

    @Test func `several images, and the lack of stacks, tell the same compacted`() throws {
        let images = try Recording("/usr/bin/env", ["sh", "-c", "exec ls /"])
        try expectSameViews(images.trace)
        #expect(
            try output(["report", "--json", "--image", "1"], on: images.trace)
                == output(["report", "--json", "--image", "1"], on: folder.file("packed.trace")))
        let plain = try Recording("/bin/ls", ["/"], options: ["--no-stacks"])
        try expectSameViews(plain.trace)
    }

    @Test func `a trace that was cut stays cut, a damaged one is refused`() throws {
        let recording = try Recording("/bin/ls", ["-l", "/usr/bin"])
        let whole = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        let cut = try folder.write(Array(whole[..<(whole.count * 2 / 3)]), to: "cut.trace")
        try expectSameViews(cut)
        #expect(try !Report(json: output(["report", "--json"], on: folder.file("packed.trace"))).trace.complete)

        var bytes = whole
        bytes[whole.count / 2] ^= 0x10
        let damaged = try folder.write(bytes, to: "damaged.trace")
        let result = try run(BuildProducts.heaptrail(), ["compact", damaged])
        #expect(result.status == .exited(65))
        #expect(result.stderr.split(separator: "\n").count == 1)
        #expect(!FileManager.default.fileExists(atPath: folder.file("damaged.compact.trace")))
        let text = try folder.write("ALLOC: 0x10, size 5\n", to: "lines.txt")
        #expect(try run(BuildProducts.heaptrail(), ["compact", text]).status == .exited(65))
    }

    @Test func `outputs have a default name and are not replaced unasked`() throws {
        let recording = try Recording("/bin/ls")
        let trace = try folder.write(
            Array(Data(contentsOf: URL(fileURLWithPath: recording.trace))), to: "ls.trace")
        #expect(try run(BuildProducts.heaptrail(), ["compact", trace]).status == .exited(0))
        let packed = try size(folder.file("ls.compact.trace"))
        #expect(try packed < size(trace))
        let again = try run(BuildProducts.heaptrail(), ["compact", trace])
        #expect(again.status == .exited(73))
        #expect(again.stderr.contains("--force"))
        #expect(try run(BuildProducts.heaptrail(), ["compact", trace, "-o", trace]).status == .exited(73))
        #expect(try run(BuildProducts.heaptrail(), ["compact", trace, "-o", trace, "--force"]).status == .exited(0))
        #expect(try size(trace) == packed)
        #expect(try folder.names().sorted() == ["ls.compact.trace", "ls.trace"])
    }

    @Test func `a full disk leaves what was there before, and nothing beside it`() throws {
        let recording = try Recording("/bin/ls", ["-l", "/usr/bin"])
        let whole = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        let trace = try folder.write(whole, to: "ls.trace")
        let limited = "ulimit -f 1; trap '' XFSZ; exec \"$0\" compact \"$1\" -o \"$1\" --force"
        let result = try run("/bin/bash", ["-c", limited, BuildProducts.heaptrail(), trace])
        #expect(result.status == .exited(73), "\(result.stderr)")
        #expect(try Array(Data(contentsOf: URL(fileURLWithPath: trace))) == whole)
        #expect(try folder.names() == ["ls.trace"])
        #expect(
            try run(BuildProducts.heaptrail(), ["compact", trace, "-o", "/dev/full", "--force"]).status == .exited(73))
    }

    @Test func `record --compact leaves one small trace and the program's own status`() throws {
        let recording = try Recording(
            "/bin/sh", ["-c", "ls / > /dev/null; exit 7"], options: ["--compact", "--follow"])
        #expect(recording.result.status == .exited(7))
        #expect(recording.remarks.contains { $0.hasPrefix("compacted ") })
        #expect(recording.remarks.last == "next: heaptrail report \(recording.trace)")
        let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: recording.trace)))
        #expect(try recording.report().trace.complete)
        let children = try recording.followed()
        #expect(children.count == 1)
        for trace in children.values { #expect(try Recording.report(on: trace).trace.program == "ls") }
        // Compacting once more gains nothing: it was done.
        let again = folder.file("again.trace")
        #expect(try run(BuildProducts.heaptrail(), ["compact", recording.trace, "-o", again]).status == .exited(0))
        #expect(try size(again) == bytes.count)
        let refused = try run(BuildProducts.heaptrail(), ["record", "--compact", "-o", "-", "--", "/bin/true"])
        #expect(refused.status == .exited(64))
    }
}
