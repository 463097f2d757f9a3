// A recording for one test: started, filled by the test's events, finished and read back as a trace.
// The recorder keeps one state a process, so everything that records is a suite inside `RecorderCore`, which runs one test at a time.

import CInterposerTestSupport
import CTraceFormat
import TestSupport
import Testing
import TraceReader

/// The tests of the C core. One after the other: the recorder's state is the process's.
@Suite(.serialized) enum RecorderCore {}

/// A recording that is on, with its trace in a directory that goes away with it.
final class RecordingSession {
    private let session: OpaquePointer
    private var isFinished = false
    private let directory: TemporaryDirectory

    /// Starts recording. Nothing is drained before `drain()` or the end.
    init(
        options: UInt32 = 0, depth: Int = 0, segments: Int = 0, text: Bool = false, sample: UInt64 = 0, seed: UInt64 = 0
    ) throws {
        directory = try TemporaryDirectory()
        let started = directory.file("trace").withCString { path in
            ht_test_session_start(
                ht_test_options(
                    options: options, max_depth: UInt32(depth), segment_limit: UInt32(segments), output: path,
                    text: text, sample_bytes: sample, sample_seed: seed))
        }
        session = try #require(started)
    }

    deinit { if !isFinished { _ = finish(UInt32(HT_END_UNKNOWN.rawValue), 0) } }

    private func finish(_ how: UInt32, _ status: UInt32) -> ht_test_state {
        isFinished = true
        return ht_test_session_finish(session, how, status)
    }

    /// What the region says now.
    var state: ht_test_state { ht_test_session_state(session) }

    func drain() { ht_test_session_drain(session) }
    func reap(threadsAlive: Bool) { ht_test_session_reap(session, threadsAlive) }
    func awaitWaiter() { ht_test_session_await_waiter(session) }
    func killCollector(process: Bool) -> Bool { ht_test_session_kill_collector(session, process) }

    /// Ends the recording, once, and opens what it wrote.
    func trace(
        how: UInt32 = UInt32(HT_END_EXITED.rawValue), status: UInt32 = 0
    ) throws -> (trace: Trace, state: ht_test_state) {
        let state = finish(how, status)
        return (try Trace.open(path: directory.file("trace")), state)
    }

    /// Gives the session itself to a function of the C support.
    func with(_ body: (OpaquePointer) -> Void) { body(session) }

    /// Ends the recording, once, and returns the bytes that it wrote.
    func bytes() throws -> (bytes: [UInt8], state: ht_test_state) {
        let state = finish(UInt32(HT_END_EXITED.rawValue), 0)
        return (try directory.read("trace"), state)
    }

    /// Ends the recording, once, and returns the lines that it wrote.
    func lines() throws -> [String] {
        _ = finish(UInt32(HT_END_EXITED.rawValue), 0)
        let text = String(decoding: try directory.read("trace"), as: UTF8.self)
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}

/// An option of the recorder as Swift numbers it.
enum RecorderOption {
    static let noStacks: UInt32 = 1
    static let drop: UInt32 = 2
}

extension Trace {
    /// All events in time order.
    var events: [HeapEvent] {
        var all: [HeapEvent] = []
        forEachEvent { (event: HeapEvent) in all.append(event) }
        return all
    }
}

/// Holds what must be true of every trace that the core writes.
func expectSound(_ trace: Trace, _ state: ht_test_state, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(trace.corruption == nil, sourceLocation: sourceLocation)
    #expect(trace.isComplete, sourceLocation: sourceLocation)
    #expect(trace.cutOffset == nil, sourceLocation: sourceLocation)
    #expect(trace.allocations == state.drained_allocations, sourceLocation: sourceLocation)
    #expect(trace.frees == state.drained_frees, sourceLocation: sourceLocation)
    #expect(state.write_error == 0, sourceLocation: sourceLocation)
}
