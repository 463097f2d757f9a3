// Which thread makes which operation of a plan, in whose turn, and what it has to wait for. Every wait is for something earlier in the trace's
// order, so none can be for ever.

internal import CReplay

/// The threads of a plan: the streams of their operations, and the turns in which the trace interleaved them.
struct PlanThreads {
    /// In the order of their first calls; the process's first thread is the first one.
    private(set) var streams: [PlanStream]
    /// Times that a thread has to wait for another one.
    private(set) var waits: UInt64 = 0

    private let writer: PlanWriter
    private let mainThread: UInt32?
    private let turns: PlanStream
    private var streamsByThread: [UInt32: PlanStream] = [:]
    /// Whose event came last.
    private var latest: (thread: UInt32, stream: PlanStream)?
    /// Whose turn it is.
    private var current: PlanStream
    /// Turns before this one, and the operations of this one.
    private var turn: UInt64 = 0
    private var turnOperations: UInt64 = 0

    /// - Parameter mainThread: serial of the thread that the process began with; nil when not known: the first one that calls.
    init(mainThread: UInt32?, writer: PlanWriter) {
        self.writer = writer
        self.mainThread = mainThread
        turns = PlanStream(number: .max, writer: writer)
        current = PlanStream(number: 0, writer: writer)
        streams = [current]
    }

    /// Threads that make calls.
    var calling: Int { streamsByThread.count }

    /// The stream of a thread of the trace; begins the thread when this is its first call.
    @inline(__always)
    mutating func stream(ofThread thread: UInt32) -> PlanStream {
        if let latest, latest.thread == thread { return latest.stream }
        let stream = streamsByThread[thread] ?? begin(thread)
        latest = (thread, stream)
        return stream
    }

    private mutating func begin(_ thread: UInt32) -> PlanStream {
        let isMain = thread == mainThread || mainThread == nil && streamsByThread.isEmpty
        let stream = isMain ? streams[0] : PlanStream(number: UInt32(streams.count), writer: writer)
        streamsByThread[thread] = stream
        if isMain { return stream }
        streams.append(stream)
        // Whoever was running; the trace does not tell who made the thread.
        emit(current, HT_REPLAY_START, slot: stream.number, detail: 0)
        stream.learn(current.number, hasDone: current.operations)
        stream.turns = turn...turn
        return stream
    }

    /// Appends an operation of one to four words to a thread's stream.
    @inline(__always)
    mutating func emit(
        _ stream: PlanStream, _ op: ht_replay_op, slot: UInt32, detail: UInt64, _ second: UInt64? = nil,
        _ third: UInt64? = nil, _ fourth: UInt64? = nil
    ) {
        if stream !== current {
            endTurn()
            current = stream
        }
        turnOperations += 1
        stream.append(UInt64(op.rawValue), slot: slot, detail: detail, second, third, fourth)
    }

    /// Makes a thread wait until another one has done so much, unless it is known to have.
    @inline(__always)
    mutating func wait(_ stream: PlanStream, for other: UInt32, operations: UInt64) {
        if other == stream.number || stream.knows(other, hasDone: operations) { return }
        emit(stream, HT_REPLAY_WAIT, slot: other, detail: operations)
        stream.learn(other, hasDone: operations)
        waits += 1
    }

    private mutating func endTurn() {
        var left = turnOperations
        while left > 0 {
            let part = min(left, UInt64(UInt32.max))
            turns.append(0, slot: current.number, detail: part)
            left -= part
        }
        current.turns = current.turns.lowerBound...turn
        turn += 1
        turnOperations = 0
    }

    // MARK: The end

    /// Ends the last turn and writes everything out.
    /// - Returns: every stream's index of blocks, the turns' last; turns of one thread alone are none.
    mutating func finish() throws(ReplayError) -> [PlanStream] {
        endTurn()
        guard streams.count < 1 << Int(HT_REPLAY_SLOT_BITS) else {
            throw .tooLarge("the trace has more threads than any replay can hold")
        }
        guard streams.allSatisfy({ $0.operations < UInt64(UInt32.max) }) else {
            throw .tooLarge("a thread makes more than 4,294,967,295 calls, which no replay can hold")
        }
        if streams.count == 1 { turns.drop() }
        let all = streams + [turns]
        for stream in all { stream.flush() }
        return all
    }

    /// The most threads that there were at once, from a thread's first turn to its last; the process's first one is always there.
    var mostAtOnce: Int {
        let begins = streams.dropFirst().map(\.turns.lowerBound).sorted()
        let ends = streams.dropFirst().map(\.turns.upperBound).sorted()
        var over = 0
        var most = 0
        for (begun, turn) in begins.enumerated() {
            while ends[over] < turn { over += 1 }
            most = max(most, begun + 1 - over)
        }
        return most + 1
    }
}
