// What `heaptrail compact` and `record --compact` share: a trace into its compacted copy, whole or not at all.
internal import CCollector
internal import FoundationEssentials
import Glibc
internal import ProfileExport
internal import TraceCompaction
internal import TraceReader

/// Compacting a trace that is open into a file.
enum Compaction {
    static let defaultLevel = 9

    /// How large a trace was and is.
    struct Sizes {
        var before: UInt64
        var after: UInt64
        var events: UInt64

        /// One line for people.
        var text: String {
            let before = NumberText.bytes(Int(clamping: before)) + perEvent(self.before)
            return before + " before, " + NumberText.bytes(Int(clamping: after)) + perEvent(after) + " now"
        }

        private func perEvent(_ bytes: UInt64) -> String {
            guard events > 0 else { return "" }
            let hundredths = (bytes * 100 + events / 2) / events
            let fraction = String(hundredths % 100)
            return " (\(hundredths / 100).\(fraction.count < 2 ? "0" : "")\(fraction) an event)"
        }

        /// The document `heaptrail.compact/1`.
        func json() -> String {
            JSONValue.object([
                ("schema", .string("heaptrail.compact/1")), ("events", .integer(Int(clamping: events))),
                ("bytes_before", .integer(Int(clamping: before))), ("bytes_after", .integer(Int(clamping: after))),
            ]).document()
        }
    }

    /// Writes the trace to `output`, which holds either all of it or what it held before.
    static func write(
        _ input: TraceInput, to output: String, overwriting: Bool, level: Int
    ) throws(Failure) -> Sizes {
        let trace = input.trace
        if trace.mode == .text {
            throw Failure(
                status: .data,
                "\(input.path) is text, which has nothing to compact; record a binary trace: heaptrail record -o FILE -- PROGRAM"
            )
        }
        // What is corrupt must not look sound in its copy.
        try input.finish()
        if let offset = trace.cutOffset {
            Terminal.tell("\(input.path) was cut at byte \(offset): the compacted trace ends there, too")
        }
        var options = TraceCompactor.Options()
        options.level = level
        let progress = ProgressLine()
        defer { progress.clear() }
        do {
            let file = try ReplacementFile(for: output, overwriting: overwriting, likeFileAt: input.path)
            let outcome = try TraceCompactor.write(
                trace, options: options, progress: { progress.show("compacting", $0) }
            ) {
                try file.write($0)
            }
            try file.commit()
            return Sizes(
                before: UInt64(trace.fileBytesCount), after: outcome.bytes, events: trace.allocations + trace.frees)
        } catch let failure as Failure {
            throw failure
        } catch let error as TraceError {
            throw Failure(status: .data, "\(input.path): \(error); compact it again when nothing writes to it")
        } catch {
            throw Failure(status: .cannotCreate, "cannot write \(output): \(error)")
        }
    }
}

extension Compaction {
    /// Nanoseconds since 1970.
    static func now() -> UInt64 { UInt64(max(0, Date().timeIntervalSince1970) * 1e9) }

    /// Puts the compacted copy in the place of a recording, and of those of its followed children. What cannot be compacted stays as it was
    /// recorded; one line says so, for the status of the command is the program's.
    static func replaceRecordings(of summary: RecordingSummary, since began: UInt64) {
        guard let output = summary.output, summary.result.bytes_written > 0 else { return }
        let children = summary.result.followed > 0 ? recordingsOfChildren(beside: output, since: began) : []
        var all = Sizes(before: 0, after: 0, events: 0)
        defer {
            let others = children.isEmpty ? "" : " and the traces of \(children.count) children"
            if all.before > 0 { Terminal.tell("compacted \(output)\(others): \(all.text)") }
        }
        for path in [output] + children {
            do throws(Failure) {
                let sizes = try write(
                    TraceInput(path: path, isQuiet: true), to: path, overwriting: true, level: defaultLevel)
                all.before += sizes.before
                all.after += sizes.after
                all.events += sizes.events
            } catch {
                Terminal.tell("warning: \(path) was not compacted: \(error.line)")
            }
        }
    }

    /// The traces `OUTPUT.PID` that this recording has left: others of that form may lie there from before.
    private static func recordingsOfChildren(beside output: String, since began: UInt64) -> [String] {
        let url = URL(fileURLWithPath: output)
        let prefix = url.lastPathComponent + "."
        let folder = url.deletingLastPathComponent().path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.sorted().compactMap { name in
            guard name.hasPrefix(prefix), let pid = Int(name.dropFirst(prefix.count)) else { return nil }
            guard let trace = try? Trace.open(path: folder + "/" + name), trace.processID == pid,
                trace.startNanoseconds >= began
            else { return nil }
            return output + "." + String(pid)
        }
    }
}
