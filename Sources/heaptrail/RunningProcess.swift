// Recording a process that runs already: what /proc says of it, and the call into the collector that attaches.
internal import AllocatorLab
internal import CCollector
import FoundationEssentials
import Glibc

/// A process to attach to.
struct RunningProcess {
    /// Its id.
    let pid: Int32
    /// Its command line; its short name where it has hidden that.
    let arguments: [ByteString]
    /// The file it executes, "" where that may not be read.
    let executable: String

    /// The last part of the program's name.
    var name: String {
        let program = arguments[0].description.split(separator: "/").last.map(String.init) ?? ""
        return program.isEmpty ? "process" : program
    }

    /// Reads what is known of a process.
    /// - Throws: `Failure` 66 when there is none.
    init(pid: Int32) throws {
        guard let comm = Self.read("/proc/\(pid)/comm"), pid > 0 else {
            throw Failure(status: .noInput, "there is no process \(pid)")
        }
        self.pid = pid
        let line = Self.read("/proc/\(pid)/cmdline") ?? []
        let words = line.split(separator: 0, omittingEmptySubsequences: false)
            .map { ByteString(bytes: $0) }
        let shortName = ByteString(bytes: comm.prefix { $0 != UInt8(ascii: "\n") })
        // The line ends with a NUL; a process that writes its title over it leaves several.
        let last = words.lastIndex { !$0.bytes.isEmpty }
        arguments = last.map { Array(words[...$0]) } ?? [shortName]
        executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")) ?? ""
    }

    private static func read(_ path: String) -> [UInt8]? {
        FileManager.default.contents(atPath: path).map(Array.init)
    }
}

extension Recorder {
    /// Attaches, records for `seconds` (nil: until an interrupt, or the end of the process) and detaches.
    /// - Throws: `Failure` when it cannot be attached to, or its trace not be created.
    func attach(to process: RunningProcess, seconds: Double?) throws -> RecordingSummary {
        let beside = try InstalledFiles.preload()
        // The process opens it by this path: one without links or ways back.
        let library = realpath(beside, nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        var result = ht_collect_result()
        let outcome = withRequest(library: library ?? beside) { request in
            var request = request.pointee
            request.pid = process.pid
            request.began = { Terminal.tell("attached; recording until the process ends, or Ctrl-C") }
            if seconds != nil {
                request.began = {
                    Terminal.tell("attached; recording until --duration is over, the process ends, or Ctrl-C")
                }
            }
            request.duration_ns = seconds.map { UInt64($0 * 1e9) } ?? 0
            return ht_record_process(&request, &result)
        }
        let written = output ?? outputBase.map { "\($0).\(process.pid).trace" }
        let reason = withUnsafeBytes(of: result.reason) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        switch outcome {
        case HT_COLLECT_NO_PROCESS:
            throw Failure(status: .noInput, "cannot attach to process \(process.pid): \(reason)")
        case HT_COLLECT_REFUSED:
            throw Failure(
                status: .unavailable, "cannot attach to process \(process.pid) (\(process.name)): \(reason)")
        default:
            try Self.check(outcome, result, output: written, program: process.name)
        }
        return RecordingSummary(
            result: result, output: written, isText: text, isSampled: sampleBytes != 0, follows: follow)
    }
}
