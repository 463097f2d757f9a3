// The one file of the tool that talks to the collector in C: a request in, a summary out.
internal import AllocatorLab
internal import CCollector
import FoundationEssentials
import Glibc
internal import ProfileExport

/// One recording of a program.
struct Recorder {
    var executable: String
    var arguments: [ByteString]
    var output: String?
    /// Without `output`: the trace is `outputBase.PID.trace`.
    var outputBase: String?
    var force = false
    var allocator = "glibc"
    var allocatorPath = ""
    var noStacks = false
    /// Whether the Swift runtime's allocation hook is left alone.
    var noSwiftTypes = false
    var maxDepth = 952
    /// The mean distance between samples in bytes; 0 to record every event.
    var sampleBytes: UInt64 = 0
    var follow = false
    var drop = false
    var text = false
    /// Whether the program's standard output is dropped (a demo shows it once).
    var silencesOutput = false

    /// Runs the program to its end.
    /// - Throws: `Failure` when it could not be started or its trace not be created.
    func run() throws -> RecordingSummary {
        let library = try InstalledFiles.preload()
        var result = ht_collect_result()
        let outcome = withRequest(library: library) { ht_record($0, &result) }
        let written = output ?? outputBase.map { "\($0).\(result.pid).trace" }
        try Self.check(outcome, result, output: written, program: arguments.first?.description ?? executable)
        return RecordingSummary(
            result: result, output: written, isText: text, isSampled: sampleBytes != 0, follows: follow)
    }

    /// Collects for a process that preloaded the library on its own.
    static func collect(regionDescriptor: Int32, pid: Int32, output: String?, text: Bool) throws {
        let recorder = Recorder(executable: "", arguments: [], output: output, text: text)
        var result = ht_collect_result()
        let outcome = recorder.withRequest(library: "") { request in
            var request = request.pointee
            request.region_fd = regionDescriptor
            request.pid = pid
            return ht_collect(&request, &result)
        }
        UserCache.keepBuilds(of: &result)
        try check(outcome, result, output: output, program: "")
    }

    /// Lets a process go on that waits to hear that it is not recorded, once the reason has been told: it may end at once.
    static func releaseRefused() { ht_collect_refused() }

    func withRequest<R>(library: String, _ body: (UnsafePointer<ht_collect_request>) -> R) -> R {
        let strings: [String] = [
            output ?? outputBase ?? "", executable, library, allocatorPath, allocator, Heaptrail.version,
        ]
        let texts = strings.map { strdup($0)! }
        defer { texts.forEach { free($0) } }
        return arguments.withCStrings { argv in
            var request = ht_collect_request()
            if output != nil {
                request.output = UnsafePointer(texts[0])
            } else if outputBase != nil {
                request.output_base = UnsafePointer(texts[0])
            }
            request.executable = UnsafePointer(texts[1])
            request.arguments = argv
            request.library = UnsafePointer(texts[2])
            request.allocator_path = UnsafePointer(texts[3])
            request.allocator_name = UnsafePointer(texts[4])
            request.version = UnsafePointer(texts[5])
            request.max_depth = UInt32(maxDepth)
            request.sample_bytes = sampleBytes
            request.sample_seed = Self.sampleSeed
            request.text = text
            request.force = force
            request.no_stacks = noStacks
            request.no_swift_types = noSwiftTypes
            request.drop = drop
            request.follow = follow
            request.silent = silencesOutput
            return body(&request)
        }
    }

    /// Where the samples' generators start: HEAPTRAIL_SAMPLE_SEED makes a recording's samples the same again, for tests.
    private static var sampleSeed: UInt64 {
        ProcessInfo.processInfo.environment["HEAPTRAIL_SAMPLE_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: .min ... .max)
    }

    static func check(
        _ outcome: ht_collect_outcome, _ result: ht_collect_result, output: String?, program: String
    ) throws {
        let reason = String(cString: strerror(result.error))
        switch outcome {
        case HT_COLLECT_OK:
            return
        case HT_COLLECT_NO_PROGRAM:
            throw Failure(status: result.error == ENOENT ? .noInput : .unavailable, "cannot run \(program): \(reason)")
        case HT_COLLECT_NO_OUTPUT where result.error == EEXIST:
            throw Failure(
                status: .cannotCreate, "\(output ?? "") exists; choose another with -o, or overwrite it with --force")
        case HT_COLLECT_NO_OUTPUT:
            throw Failure(status: .cannotCreate, "cannot create \(output ?? ""): \(reason)")
        case HT_COLLECT_NO_PROCESS:
            throw Failure(status: .unavailable, "cannot start a process for \(program): \(reason)")
        case HT_COLLECT_NO_REGION where result.error == EFBIG:
            throw Failure(
                status: .unavailable,
                "the file-size limit leaves no room for shared memory (its hard limit may not be raised); type: ulimit -S -f SIZE instead of ulimit -f SIZE"
            )
        default:
            throw Failure(status: .unavailable, "cannot make the shared memory that recording needs: \(reason)")
        }
    }
}

/// What a recording came to.
struct RecordingSummary {
    var result: ht_collect_result
    var output: String?
    var isText: Bool
    var isSampled = false
    var follows = false

    /// Whether the program exited with status 0.
    var succeeded: Bool { result.status == 0 }

    /// Whether the program found its own command line wrong.
    var refusedUsage: Bool { result.status & 0x7f == 0 && (result.status >> 8) & 0xff == ExitStatus.usage.rawValue }

    /// Allocations that were recorded; 0 where the program did not load the preload.
    var allocations: Int { result.attached ? Int(clamping: result.allocations) : 0 }

    /// Events that were lost.
    var lost: Int { Int(clamping: result.lost_allocations + result.lost_frees) }

    /// The trace's place, in words.
    private var place: String { output == "-" ? "standard output" : output ?? "standard error" }

    /// A few lines on standard error.
    func print(program: String) {
        var lines: [String] = []
        if !result.attached {
            lines.append("warning: nothing was recorded: \(program) did not load the preload")
        } else if !isText || output != nil {
            let size = isText ? "" : ", \(NumberText.bytes(Int(clamping: result.bytes_written)))"
            let sampled =
                isSampled ? ", samples of \(result.exact_allocations) allocations and \(result.exact_frees) frees" : ""
            lines.append(
                "\(result.write_error == 0 ? "recorded" : "saw") \(result.allocations) allocations and \(result.frees) frees of \(program) in \(place)\(size)\(sampled)"
            )
        }
        let lost = result.lost_allocations + result.lost_frees
        if lost > 0 {
            lines.append(
                "warning: \(lost) event\(lost == 1 ? " was" : "s were") lost (allocations: \(result.lost_allocations), frees: \(result.lost_frees))"
            )
        }
        if result.write_error != 0 {
            let reason = String(cString: strerror(Int32(result.write_error)))
            lines.append("warning: the trace ends early, it could not be written on: \(reason)")
        } else if result.off_reason != 0 {
            let reasons = [
                2: "no memory for a ring", 4: "the collector was gone or silent", 5: "the trace could not be written",
            ]
            let reason = reasons[Int(result.off_reason)] ?? "reason \(result.off_reason)"
            lines.append("warning: recording turned itself off before the program ended: \(reason)")
        }
        let note = withUnsafeBytes(of: result.note) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if !note.isEmpty { lines.append("warning: \(note)") }
        if result.detached { lines.append("detached; the process goes on") }
        if result.undetached {
            lines.append(
                "warning: a thread could not be stopped: the process goes on unrecorded, by way of the library; attach again to detach"
            )
        }
        if result.exec_pending {
            lines.append("warning: the program then executed another one that could not be recorded")
        }
        if result.unfollowed > 0 {
            let children = "\(result.unfollowed) child process\(result.unfollowed == 1 ? "" : "es")"
            lines.append(
                follows
                    ? "warning: \(children) could not be recorded"
                    : "\(children) \(result.unfollowed == 1 ? "was" : "were") not recorded; --follow records children, too"
            )
        }
        if result.followed > 0 {
            lines.append(
                "\(result.followed) child process\(result.followed == 1 ? "" : "es") recorded \(output.map { "in \($0).PID" } ?? "beside it")"
            )
        }
        if output == "-", !isText, !result.detached { lines.append("the program's own output went to standard error") }
        for line in lines { Terminal.tell(line) }
    }

    /// The line to type next, last of all.
    func printNext() {
        let isReadable = result.attached && !isText && result.bytes_written > 0
        if isReadable, let output, output != "-" { Terminal.tell("next: heaptrail report \(output)") }
    }

    /// Ends this process the way the program ended: its exit status, or its signal.
    func exitAsProgram() -> Never {
        let signalNumber = result.status & 0x7f
        if signalNumber == 0 { Glibc.exit((result.status >> 8) & 0xff) }
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(4), &none)  // RLIMIT_CORE: the core worth having is the program's own
        signal(signalNumber, SIG_DFL)
        kill(getpid(), signalNumber)
        Glibc.exit(128 + signalNumber)
    }
}
