// Programs that carry their own allocator: recorded by redirecting its functions, to the block. The programs count for
// themselves; traces are held to what they print.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct OwnAllocatorTests {
    /// How Tests/Programs/own-allocator.c comes by its allocator.
    enum Kind: String, CaseIterable, Sendable {
        case jemalloc, jemallocNotPIE, tcmalloc, ofItself, ofItselfOptimised, ofItselfPrefixed, wrapper

        var library: String? {
            switch self {
            case .jemalloc: "/usr/lib/x86_64-linux-gnu/libjemalloc_pic.a"
            case .jemallocNotPIE: "/usr/lib/x86_64-linux-gnu/libjemalloc.a"
            case .tcmalloc: "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.a"
            default: nil
            }
        }

        var arguments: [String] {
            let common = ["-fno-builtin", "-w"]
            let libraries = library.map { [$0, "-lstdc++", "-lm", "-ldl"] } ?? []
            return switch self {
            case .jemalloc: common + ["-O1", "-DEXTENDED"] + libraries
            case .jemallocNotPIE: common + ["-O1", "-DEXTENDED", "-no-pie"] + libraries
            case .tcmalloc: common + ["-O1"] + libraries
            case .ofItself: common + ["-O0", "-DOWN"]
            case .ofItselfOptimised: common + ["-O2", "-DOWN"]
            case .ofItselfPrefixed: common + ["-O1", "-DOWN", "-DNAME(x)=_rjem_##x"]
            case .wrapper: common + ["-O1", "-DWRAPPER", "-ldl"]
            }
        }

        var allocator: String {
            switch self {
            case .jemalloc, .jemallocNotPIE: "jemalloc (in the executable)"
            case .tcmalloc: "tcmalloc (in the executable)"
            case .ofItself, .ofItselfOptimised, .wrapper: "malloc (in the executable)"
            case .ofItselfPrefixed: "jemalloc (in the executable) and glibc"
            }
        }

        /// Linker arguments for jemalloc's archive.
        static func jemallocArguments() throws -> [String] {
            let library = "/usr/lib/x86_64-linux-gnu/libjemalloc_pic.a"
            guard FileManager.default.fileExists(atPath: library) else {
                try skip("\(library) is not installed")
            }
            return [library, "-lstdc++", "-lm", "-ldl", "-pthread"]
        }

        func build() throws -> String {
            if let library, !FileManager.default.fileExists(atPath: library) {
                try skip("\(library) is not installed")
            }
            return try ProgramBuilder.build(
                testProgram: "own-allocator.c", language: .c, name: rawValue, arguments: arguments)
        }
    }

    /// What the program counted: allocations and frees by size, and reallocations.
    private struct Counts {
        var bySize: [Int: Events] = [:]
        var resized = 0

        init(_ output: String) {
            for line in output.split(separator: "\n") {
                let words = line.split(separator: " ")
                if words.first == "resized" { resized = Int(words[1]) ?? 0 }
                guard words.count == 3, let size = Int(words[0]) else { continue }
                bySize[size] = Events(Int(words[1]) ?? 0, Int(words[2]) ?? 0)
            }
        }
    }

    /// Expects the trace to show what the program printed, and nothing of its allocator's insides.
    private func expectExact(
        _ report: Report, _ output: String, allocator: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let counts = Counts(output)
        #expect(counts.bySize.count >= 9, sourceLocation: sourceLocation)
        for (size, events) in counts.bySize {
            #expect(report.events(ofSize: size) == events, "size \(size)", sourceLocation: sourceLocation)
        }
        #expect(report.trace.reallocations == counts.resized, sourceLocation: sourceLocation)
        #expect(report.trace.allocator == allocator, sourceLocation: sourceLocation)
        #expect(report.trace.lost == 0, sourceLocation: sourceLocation)
        #expect(report.trace.unmatchedFrees == 0, sourceLocation: sourceLocation)
        #expect(report.trace.complete, sourceLocation: sourceLocation)
        // What libraries allocate for themselves is smaller (but for the C++ runtime's reserve).
        let others = report.rows.filter { ($0.size ?? 0) > 20000 && ($0.size ?? 0) < 40000 }
        #expect(others.allSatisfy { counts.bySize[$0.size ?? 0] != nil }, sourceLocation: sourceLocation)
    }

    @Test(arguments: Kind.allCases, ["1", "4"])
    func `every function of a program's own allocator is one event a call`(kind: Kind, threads: String) throws {
        let program = try kind.build()
        let native = try run(program, [threads])
        let recording = try Recording(program, [threads])
        #expect(native.isSuccess)
        #expect(recording.result.status == native.status, "\(recording.result.stderr)")
        #expect(recording.result.stdout == native.stdout)
        #expect(recording.programErrors == native.stderr)
        expectExact(try recording.report(by: "size"), recording.result.stdout, allocator: kind.allocator)
    }

    @Test(arguments: [Kind.jemalloc, .jemallocNotPIE, .tcmalloc])
    func `usable sizes are the program's own allocator's`(kind: Kind) throws {
        let report = try Recording(kind.build(), ["1"]).report(by: "size")
        // jemalloc and tcmalloc give 20 KiB for 20,011 bytes, libc would give 20,024.
        #expect(report.rows.first { $0.size == 20011 }?.slackBytes == 100 * (20480 - 20011))
    }

    @Test func `usable sizes that nobody can tell are not made up`() throws {
        let report = try Recording(Kind.ofItselfPrefixed.build(), ["1"]).report(by: "size")
        #expect(report.rows.first { $0.size == 20011 }?.slackBytes == nil)
        // Those of libc's blocks in the same program are known.
        #expect(report.rows.contains { $0.size != 20011 && $0.slackBytes != nil })
    }

    @Test(arguments: [["env"], ["sh", "-c"]])
    func `a program that another one executes is asked for`(wrapper: [String]) throws {
        let program = try Kind.jemalloc.build()
        let command = wrapper == ["env"] ? [program, "1"] : ["-c", "exec \(program) 1"]
        let recording = try Recording(Tool.require(wrapper[0]), command)
        #expect(recording.result.isSuccess)
        let report = try recording.report(by: "size")
        #expect(report.trace.images == 2)
        expectExact(report, recording.result.stdout, allocator: Kind.jemalloc.allocator)
    }

    @Test func `a followed child that carries an allocator is recorded in its own trace`() throws {
        let program = try Kind.tcmalloc.build()
        let recording = try Recording(
            Tool.require("sh"), ["-c", "\(program) 1; \(program) 1 > /dev/null; true"], options: ["--follow"])
        #expect(recording.result.isSuccess)
        let traces = try recording.followed()
        #expect(traces.count == 2)
        for trace in traces.values {
            expectExact(
                try Recording.report(on: trace, by: "size"), recording.result.stdout,
                allocator: Kind.tcmalloc.allocator)
        }
    }

    @Test func `a forked child that is followed goes on recording`() throws {
        let program = try ProgramBuilder.build(
            """
            #include <stdlib.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int main(void) {
                void *volatile before = malloc(23003);
                if (fork() == 0) {
                    for (int i = 0; i < 50; i++) free(malloc(23011));
                    free(before);
                    _exit(0);
                }
                wait(NULL);
                free(before);
                return 0;
            }
            """, language: .c, name: "forks",
            arguments: ["-fno-builtin", "-O1"] + (try Kind.jemallocArguments()))
        let recording = try Recording(program, options: ["--follow"])
        #expect(try recording.report(by: "size").events(ofSize: 23003) == Events(1, 1))
        #expect(try recording.report(by: "size").events(ofSize: 23011) == Events(0, 0))
        let child = try #require(try recording.followed().values.first)
        let report = try Recording.report(on: child, by: "size")
        #expect(report.events(ofSize: 23011) == Events(50, 50))
        #expect(report.trace.inheritedFrees == 1)
    }

    @Test func `preloaded alone, the collector plans as well`() throws {
        let program = try Kind.jemalloc.build()
        let folder = try TemporaryDirectory()
        let trace = folder.file("alone.trace")
        let result = try run(
            program, ["1"],
            environment: .inherited(adding: ["LD_PRELOAD": BuildProducts.preload(), "HEAPTRAIL_OUTPUT": trace]))
        #expect(result.isSuccess)
        expectExact(
            try Recording.report(on: trace, by: "size"), result.stdout, allocator: Kind.jemalloc.allocator)
    }

    @Test func `code that may not be written to is redirected by the kernel`() throws {
        let launcher = try ProgramBuilder.build(
            """
            #include <stdio.h>
            #include <sys/prctl.h>
            #include <unistd.h>
            int main(int argc, char **argv) {
                if (prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0) != 0) return 77;
                execv(argv[1], argv + 1);
                return 78;
            }
            """, language: .c, name: "deny-write-execute")
        let program = try Kind.jemalloc.build()
        let probe = try run(launcher, [program, "1"])
        if probe.status == .exited(77) { try skip("the kernel is older than 6.3: no PR_SET_MDWE") }
        let recording = try Recording(launcher, [program, "1"])
        #expect(recording.result.isSuccess)
        expectExact(
            try recording.report(by: "size"), recording.result.stdout, allocator: Kind.jemalloc.allocator)
    }

    @Test func `an allocator that was stripped away is warned of, in the summary and in the trace`() throws {
        let program = try ProgramBuilder.build(
            "const char *volatile text = \"<jemalloc>: \"; int main(void) { return text == 0; }", language: .c,
            name: "stripped", arguments: ["-s"])
        let recording = try Recording(program)
        #expect(recording.remarks.contains { $0.contains("warning") && $0.contains("stripped") })
        let report = try run(BuildProducts.heaptrail(), ["report", recording.trace])
        #expect(report.stderr.contains("stripped"), "\(report.stderr)")
    }

    @Test func `a program's blocks are resized and freed by its own functions, not by libc's`() throws {
        // reallocarray is libc's here, and calls the program's realloc.
        let program = try ProgramBuilder.build(
            """
            #include <stdio.h>
            #include <stdlib.h>
            int main(void) {
                char *volatile block = malloc(24001);
                block = reallocarray(block, 3, 8009);
                free(block);
                puts("done");
                return 0;
            }
            """, language: .c, name: "reallocarray",
            arguments: ["-fno-builtin", "-O1"] + (try Kind.jemallocArguments()))
        let recording = try Recording(program)
        #expect(recording.result.stdout == "done\n")
        let report = try recording.report(by: "size")
        #expect(report.events(ofSize: 24001) == Events(1, 1))
        #expect(report.events(ofSize: 24027) == Events(1, 1))
        #expect(report.trace.reallocations == 1)
    }
}
