// record --sample: estimates beside what is known of a program, exact totals beside an independent counter, and the ends, threads, signals and
// processes between which samples could be lost.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct SamplingTests {
    private static let seed = ["HEAPTRAIL_SAMPLE_SEED": "20261122"]

    private func program(_ file: String = "samples.c") throws -> String {
        try ProgramBuilder.build(
            testProgram: file, language: file.hasSuffix(".cpp") ? .cxx : .c,
            arguments: ["-O1", "-g", "-fno-builtin", "-pthread"])
    }

    private func record(
        _ program: String, _ arguments: [String] = [], sample: String, options: [String] = [],
        variables: [String: String] = seed
    ) throws -> Recording {
        try Recording(
            program, arguments, options: ["--sample", sample] + options, environment: .inherited(adding: variables))
    }

    private func expectSound(_ report: Report, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(report.trace.sampled, sourceLocation: sourceLocation)
        #expect(report.trace.complete, sourceLocation: sourceLocation)
        #expect(report.trace.lost == 0, sourceLocation: sourceLocation)
        #expect(report.trace.unmatchedFrees == 0, sourceLocation: sourceLocation)
        #expect(report.trace.missingFrees == 0, sourceLocation: sourceLocation)
        #expect(report.trace.exactTotals == true, sourceLocation: sourceLocation)
    }

    /// Whether an estimate lies within four standard errors of the truth (one in 16,000 does not, were the seed not fixed).
    private func isNear(_ estimate: Int, _ truth: Int, _ error: Double) -> Bool {
        abs(Double(estimate - truth)) <= 4 * error + 1
    }

    @Test(arguments: ["4KiB", "64KiB"])
    func `estimates of each size lie within their errors of what the program did`(sample: String) throws {
        let report = try record(program(), sample: sample).report(by: "size")
        expectSound(report)
        let truths: [(size: Int, allocations: Int, live: Int, temporary: Int)] = [
            (64, 200_000, 0, 200_000), (208, 100_000, 1000, 0), (400_000, 40, 40, 0), (96, 200_000, 0, 0),
        ]
        let mean = try Double(#require(report.trace.sampleBytes))
        for truth in truths {
            let row = try #require(report.rows.first { $0.size == truth.size })
            // The standard error of a count of n blocks is sqrt(n (1 - p) / p).
            let chance = -expm1(-Double(truth.size) / mean)
            func error(_ count: Int) -> Double { (Double(count) * (1 - chance) / chance).squareRoot() }
            #expect(isNear(row.allocations, truth.allocations, error(truth.allocations)))
            #expect(isNear(row.bytes, truth.allocations * truth.size, error(truth.allocations) * Double(truth.size)))
            #expect(isNear(row.frees, truth.allocations - truth.live, error(truth.allocations - truth.live)))
            #expect(isNear(row.liveBlocks, truth.live, error(truth.live)))
            #expect(isNear(row.temporary, truth.temporary, error(truth.temporary)))
            let reported = try #require(row.standardError)
            if truth.allocations > 40 {
                #expect(abs(reported.allocations / error(truth.allocations) - 1) < 0.4)
                #expect(abs(reported.bytes / Double(truth.size) / error(truth.allocations) - 1) < 0.4)
            }
        }
        #expect(!report.rows.contains { $0.size == 777 })
        // The 3,001 blocks of the growing one, each of a size of its own; all but the last are freed by a realloc.
        let grown = report.rows.filter { (5000...8000).contains($0.size ?? 0) }
        let error = grown.reduce(0) { $0 + pow($1.standardError?.bytes ?? 0, 2) }.squareRoot()
        #expect(isNear(grown.reduce(0) { $0 + $1.bytes }, (5000...8000).reduce(0, +), error))
    }

    @Test func `one byte between samples records all, and says what a complete trace says`() throws {
        let all = try Recording(program()).report(by: "size")
        let report = try record(program(), sample: "1").report(by: "size")
        expectSound(report)
        for size in [64, 96, 208, 400_000] {
            let row = try #require(report.rows.first { $0.size == size })
            let truth = try #require(all.rows.first { $0.size == size })
            #expect(row.allocations == truth.allocations && row.frees == truth.frees && row.bytes == truth.bytes)
            #expect(row.liveBlocks == truth.liveBlocks && row.liveBytes == truth.liveBytes)
            #expect(row.temporary == truth.temporary)
        }
        let (exact, truth) = (report.trace, all.trace)
        #expect(exact.allocations == truth.allocations && exact.frees == truth.frees)
        #expect(exact.reallocations == truth.reallocations && exact.bytesAllocated == truth.bytesAllocated)
        #expect(exact.threads == truth.threads && exact.events == truth.events)
        #expect(truth.samples == nil && truth.standardError == nil && truth.sampleBytes == nil)
    }

    @Test(arguments: [[], ["kill"], ["signals"]], ["512KiB", "8KiB"])
    func `totals are exact beside threads, fork, signals and SIGKILL`(how: [String], sample: String) throws {
        let counter = try ReferenceCounter()
        let variables = counter.variables(skipping: "heaptrail").merging(Self.seed) { $1 }
        let recording = try record(
            program(), how, sample: sample, variables: variables.merging(["LD_PRELOAD": counter.library]) { $1 })
        #expect(recording.result.status == (how == ["kill"] ? .signaled(SIGKILL) : .exited(0)))
        let report = try recording.report()
        expectSound(report)
        let counts = try counter.counts()
        #expect(report.trace.allocations == Int(counts.allocations))
        #expect(report.trace.frees == Int(counts.frees))
        #expect(report.trace.reallocations == Int(counts.reallocations))
        #expect(report.trace.bytesAllocated == Int(counts.bytes))
        let error = try #require(report.trace.standardError)
        #expect(error.allocations == 0 && error.bytes == 0)
        #expect(report.trace.threads == 5)
        #expect(report.trace.sampleBytes == (sample == "8KiB" ? 8192 : 524_288))
    }

    @Test(arguments: ["api-grid.c", "operators.cpp", "magic-sizes.c"], ["1", "300"])
    func `every kind of call is counted once, sampled or not`(file: String, sample: String) throws {
        let all = try Recording(program(file)).report().trace
        let report = try record(program(file), sample: sample).report()
        expectSound(report)
        #expect(report.trace.allocations == all.allocations)
        #expect(report.trace.frees == all.frees)
        #expect(report.trace.reallocations == all.reallocations)
        #expect(report.trace.bytesAllocated == all.bytesAllocated)
    }

    @Test(arguments: ["short-lived", "destructors", "handover"])
    func `threads that come and go keep their totals`(how: String) throws {
        let file = "threads.c"
        let all = try Recording(program(file), [how]).report().trace
        let recording = try record(program(file), [how], sample: "2KiB")
        let report = try recording.report(view: "thread")
        expectSound(report)
        #expect(report.trace.allocations == all.allocations)
        #expect(report.trace.frees == all.frees)
        #expect(report.trace.bytesAllocated == all.bytesAllocated)
        #expect(report.trace.threads == all.threads)
        let threads = try #require(report.thread)
        #expect(threads.reduce(0) { $0 + $1.allocations } == all.allocations)
    }

    @Test func `more threads than the first homes serve are counted, when all are killed at once, too`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <pthread.h>
            #include <signal.h>
            #include <stdlib.h>
            #include <unistd.h>
            static pthread_barrier_t all;
            static void *make(void *unused) {
                for (int i = 0; i < 10; i++) { char *volatile block = malloc(15013); *block = 1; }
                pthread_barrier_wait(&all);
                pause();
                return unused;
            }
            int main(void) {
                pthread_t thread;
                pthread_attr_t attributes;
                pthread_attr_init(&attributes);
                pthread_attr_setstacksize(&attributes, 65536);
                pthread_barrier_init(&all, NULL, 4301);
                for (int i = 0; i < 4300; i++) if (pthread_create(&thread, &attributes, make, NULL) != 0) return 77;
                pthread_barrier_wait(&all);
                kill(getpid(), SIGKILL);
            }
            """, language: .c, arguments: ["-O1", "-fno-builtin"])
        let recording = try record(program, sample: "512KiB")
        if recording.result.status == .exited(77) { try skip("the machine does not allow 4,300 threads") }
        let report = try recording.report()
        expectSound(report)
        #expect(report.trace.threads == 4301)
        // What the threads themselves cost comes on top.
        #expect((4300 * 10...4300 * 12).contains(report.trace.allocations))
        #expect(report.trace.bytesAllocated >= 4300 * 10 * 15013)
    }

    @Test func `a followed child has samples and totals of its own`() throws {
        let recording = try record(program("processes.c"), ["fork"], sample: "1KiB", options: ["--follow"])
        let child = try #require(try recording.followed().values.first)
        let report = try Recording.report(on: child, by: "size")
        expectSound(report)
        let row = try #require(report.rows.first { $0.size == 13003 })
        #expect(row.allocations == 40)
        // The parent's ten blocks that it frees are in no sample of its own.
        #expect(report.trace.inheritedFrees == 0)
        #expect(report.trace.allocations == 40)
        #expect(report.trace.frees == 10)
        expectSound(try recording.report())
    }

    @Test func `an exec in the same process keeps each image's totals`() throws {
        let recording = try record("/usr/bin/env", [program("magic-sizes.c")], sample: "1")
        #expect(recording.result.status == .exited(3))
        let report = try recording.report(by: "size")
        expectSound(report)
        #expect(report.trace.images == 2)
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        let first = try recording.report(options: ["--image", "1"])
        #expect(first.trace.allocations > 0 && first.trace.exactTotals == true)
    }

    @Test(arguments: [["--no-stacks"], ["--when-full", "drop"], ["--max-depth", "3"]])
    func `other options go with it`(options: [String]) throws {
        let report = try record(program("magic-sizes.c"), sample: "1", options: options).report(by: "size")
        expectSound(report)
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.events(ofSize: 3001) == Events(50, 50))
    }

    @Test(arguments: ["0", "-1", "", "KiB", "12kb", "1.5MiB", "99999999999GiB", "text"])
    func `what is no size is refused`(sample: String) throws {
        let recording = try Recording("true", options: ["--sample=\(sample)"])
        #expect(recording.result.status == .exited(64))
        #expect(recording.result.stderr.contains("--sample"))
    }

    @Test func `text lines, which have no place for weights, are refused`() throws {
        let recording = try Recording("true", options: ["--sample", "4KiB", "--format", "text"])
        #expect(recording.result.status == .exited(64))
        #expect(recording.result.stderr.contains("--format binary"))
    }

    @Test func `the report says what is estimated, and by how much`() throws {
        let recording = try record(program(), sample: "64KiB")
        #expect(recording.remarks.contains { $0.contains("samples of ") })
        let text = try runChecked(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect(text.contains("one every 64.0 KiB on average"))
        #expect(text.contains("(exact)"))
        #expect(text.contains("peak ≈"))
        #expect(text.contains(" ± "))
        let collapsed = try runChecked(
            BuildProducts.heaptrail(), ["export", recording.trace, "--format", "collapsed", "--weight", "allocations"])
        let weights = collapsed.split(separator: "\n").compactMap { Int($0.split(separator: " ").last ?? "") }
        let estimated = try recording.report().rows.reduce(0) { $0 + $1.allocations }
        #expect(abs(weights.reduce(0, +) - estimated) <= weights.count)
    }

    @Test func `HEAPTRAIL_SAMPLE alone samples, too`() throws {
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let variables = [
            "LD_PRELOAD": try BuildProducts.preload(), "HEAPTRAIL_OUTPUT": trace, "HEAPTRAIL_SAMPLE": "4KiB",
        ]
        let result = try run(program(), environment: .inherited(adding: variables.merging(Self.seed) { $1 }))
        #expect(result.status == .exited(0))
        let report = try Recording.report(on: trace, by: "size")
        expectSound(report)
        #expect(report.trace.sampleBytes == 4096)
        #expect(report.trace.reallocations == 3000)
        let row = try #require(report.rows.first { $0.size == 400_000 })
        #expect(row.liveBlocks == 40)
    }

    @Test(arguments: [["HEAPTRAIL_SAMPLE": "lots"], ["HEAPTRAIL_SAMPLE": "4KiB", "HEAPTRAIL_FORMAT": "text"]])
    func `what HEAPTRAIL_SAMPLE cannot do is said, and the program runs unrecorded`(variables: [String: String]) throws
    {
        let folder = try TemporaryDirectory()
        let environment = variables.merging([
            "LD_PRELOAD": try BuildProducts.preload(), "HEAPTRAIL_OUTPUT": folder.file("alone.trace"),
        ]) { $1 }
        let result = try run(program("magic-sizes.c"), environment: .inherited(adding: environment))
        #expect(result.status == .exited(3))
        #expect(result.stderr.contains("heaptrail: not recording: "))
        #expect(try folder.names().isEmpty)
    }

    @Test func `a drain thread inside the program writes the totals, too`() throws {
        let folder = try TemporaryDirectory()
        let library = folder.file("libheaptrail.so")
        try FileManager.default.copyItem(atPath: BuildProducts.preload(), toPath: library)
        let trace = folder.file("thread.trace")
        let result = try run(
            program("magic-sizes.c"),
            environment: .inherited(adding: [
                "LD_PRELOAD": library, "HEAPTRAIL_OUTPUT": trace, "HEAPTRAIL_SAMPLE": "1",
            ]))
        #expect(result.status == .exited(3))
        let report = try Recording.report(on: trace, by: "size")
        expectSound(report)
        #expect(report.trace.mode == "thread")
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        let all = try Recording(program("magic-sizes.c")).report().trace
        #expect(report.trace.allocations == all.allocations && report.trace.frees == all.frees)
    }

    @Test(arguments: [
        (
            "python3",
            ["-c", "import json; d = [{'a': i, 'b': str(i) * 3} for i in range(30000)]; print(len(json.dumps(d)))"]
        ), ("clang", ["-x", "c", "-O1", "-c", "-", "-o", "/dev/null"]), ("sqlite3", [":memory:"]),
    ])
    func `a real program's owners have the shares that a complete recording gives them`(
        name: String, arguments: [String]
    ) throws {
        guard let found = Tool.find(name) else { try skip("\(name) is not installed") }
        let executable =
            name == "python3"
            ? try runChecked(found, ["-c", "import sys; print(sys.executable)"]).trimmingCharacters(in: .newlines)
            : found
        let source = (0..<150).map {
            "int f\($0)(int *p, int n) { int t = 0; while (n--) t += p[n] * \($0); return t; }\n"
        }
        let statements =
            [
                "create table t(a, b);\n",
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)",
            ]
            + ["insert into t select i, 'row ' || i from n;\nselect b, count(*) from t group by b limit 3;\n"]
        let stdin = Array((name == "clang" ? source : name == "sqlite3" ? statements : []).joined(separator: " ").utf8)
        let environment = ProcessEnvironment.inherited(
            adding: Self.seed.merging(["PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"]) { $1 })
        let all = try Recording(executable, arguments, environment: environment, stdin: stdin).report(
            by: "cause,module")
        let report = try Recording(
            executable, arguments, options: ["--sample", "16KiB"], environment: environment, stdin: stdin
        ).report(by: "cause,module")
        expectSound(report)
        #expect(all.rows.isEmpty == false)
        for truth in all.rows.prefix(4) where truth.bytes > all.trace.bytesAllocated / 20 {
            let row = try #require(report.rows.first { $0.cause == truth.cause && $0.module == truth.module })
            let error = try #require(row.standardError)
            // A program may do a little more or less from run to run.
            #expect(isNear(row.bytes, truth.bytes, error.bytes + Double(truth.bytes) / 400))
            #expect(isNear(row.allocations, truth.allocations, error.allocations + Double(truth.allocations) / 400))
        }
    }
}
