// One run of a plan in a process of its own, and what it said of itself. The only file that reads what the C loop writes.

internal import CReplay
internal import Glibc

/// What a run is made for.
enum ReplayMode: String, Sendable {
    /// How long the calls take, without a clock at each.
    case time
    /// How long each call takes.
    case latency
    /// How much memory is held, call by call in the trace's order.
    case memory
}

/// What of a new block a replay writes.
public enum ReplayTouch: String, CaseIterable, Sendable {
    /// Nothing.
    case none
    /// The first byte of each page.
    case first
    /// Every byte.
    case all
}

/// The sums of one owner or one class of sizes in a run.
struct ReplayPart: Equatable, Sendable {
    var peakLive: UInt64 = 0
    var peakSlack: UInt64 = 0
    var bytes: UInt64 = 0
    var slack: UInt64 = 0
    var allocations: UInt64 = 0
    var calls: UInt64 = 0
    var ticks: UInt64 = 0

    mutating func add(_ other: ReplayPart) {
        peakLive &+= other.peakLive
        peakSlack &+= other.peakSlack
        bytes &+= other.bytes
        slack &+= other.slack
        allocations += other.allocations
        calls += other.calls
        ticks += other.ticks
    }
}

/// A point of the curve in a run.
struct ReplayPoint: Equatable, Sendable {
    var events: UInt64
    var live: UInt64
    var usable: UInt64
    var anonymous: UInt64
}

/// Where a live block lies in a run.
struct ReplayPlace: Equatable, Sendable {
    var address: UInt64
    var usable: UInt64
    var owner: Int
}

/// What a run that came to its end measured.
struct ReplayFigures: Sendable {
    var events: UInt64
    var calls: UInt64
    var cpuNanoseconds: UInt64
    var wallNanoseconds: UInt64
    var minorFaults: UInt64
    var hasUsable: Bool
    var startAnonymous: UInt64
    var peakAnonymous: UInt64
    var endAnonymous: UInt64
    var freedAnonymous: UInt64
    var ticksPerNanosecond: Double
    /// What the clock of single calls takes itself.
    var clockTicks: Double
    var clockStep: UInt64
    var worstTicks: [UInt64]
    var worstSizes: [UInt64]
    var points: [ReplayPoint]
    var owners: [ReplayPart]
    var classes: [ReplayPart]
    /// Counts of calls by ticks, for allocations, frees and reallocations.
    var latencies: [[UInt64]]
    /// The blocks that live at the trace's peak, and at its end; empty where they were too many to tell.
    var peakPlaces: [ReplayPlace]
    var endPlaces: [ReplayPlace]
}

/// Why a run has no figures, as a clause that goes on from the allocator's name.
struct ReplayRunFailure: Error, Equatable, CustomStringConvertible {
    var description: String
}

/// Runs a plan, each time in a fresh process.
struct ReplayRunner {
    /// The program `heaptrail-replay`.
    let executable: String
    let plan: ReplayPlan
    let touch: ReplayTouch
    /// Seconds after which a run is killed; nil where it may take as long as it does.
    var secondsAtMost: Double?

    /// Runs the plan on an allocator; on none at all when it is nil.
    func run(_ mode: ReplayMode, on allocator: Allocator?) throws(ReplayError) -> Result<
        ReplayFigures, ReplayRunFailure
    > {
        let result = try PlanFile(purpose: "result")
        let errors = try PlanFile(purpose: "errors")
        guard let outcome = try start(mode, allocator, result: result.descriptor, errors: errors.descriptor) else {
            let limit = Comparison.seconds(secondsAtMost ?? 0)
            return .failure(ReplayRunFailure(description: "took more than \(limit) (--timeout) and was killed"))
        }
        let bytes = try result.contents()
        let said = String(decoding: try errors.contents(last: 4096), as: UTF8.self)
        return bytes.withUnsafeBytes { figures($0, outcome: outcome, said: said) }
    }

    /// Runs the program to its end; what the allocator started beside it ends then, too.
    ///
    /// - Returns: how it ended, nil where it took too long and was killed.
    private func start(
        _ mode: ReplayMode, _ allocator: Allocator?, result: Int32, errors: Int32
    ) throws(ReplayError) -> RunOutcome? {
        var words = [executable, mode.rawValue, touch.rawValue]
        if allocator == nil { words.append("null") }
        if let library = allocator?.libraryPath { words.append(library) }
        do {
            let child = try ChildProcess(
                ChildProcess.Request(
                    path: executable, arguments: words.map { ByteString($0) },
                    environment: Self.environment(for: allocator, over: ByteString.environment),
                    input: plan.file.descriptor, output: result, errors: errors, leadsGroup: true))
            let deadline = secondsAtMost.map { child.startedNanoseconds + UInt64($0 * 1e9) }
            // Without interrupts there is nothing that ends the wait but these two.
            if try ChildWatch(interrupts: .none).wait(for: child, until: deadline) == .timeIsUp { return nil }
            return try child.reap().outcome
        } catch {
            let failure = error as? LaunchError
            throw .system(action: failure?.action ?? executable, code: failure?.code ?? EINTR)
        }
    }

    /// What a run sees: the user's variables but for LD_PRELOAD, for such a library would be measured, too, or be the allocator.
    static func environment(for allocator: Allocator?, over own: [ByteString]) -> [ByteString] {
        let rest = own.filter { $0.dropping(prefix: "LD_PRELOAD=") == nil }
        return allocator?.environment(over: rest) ?? rest
    }

    private func figures(
        _ bytes: UnsafeRawBufferPointer, outcome: RunOutcome, said: String
    ) -> Result<ReplayFigures, ReplayRunFailure> {
        let headerBytes = MemoryLayout<ht_replay_result>.stride
        let header = bytes.count >= headerBytes ? bytes.loadUnaligned(as: ht_replay_result.self) : ht_replay_result()
        let place =
            "after \(Comparison.grouped(Double(header.events))) of \(Comparison.grouped(Double(plan.events))) events"
        if case .signaled(let signal) = outcome {
            let name = String(cString: strsignal(signal))
            return .failure(
                ReplayRunFailure(description: "was ended by signal \(signal) (\(name)) \(place)\(last(said))"))
        }
        guard header.magic == UInt32(HT_REPLAY_RESULT_MAGIC), header.is_over == 1, outcome == .exited(0) else {
            return .failure(ReplayRunFailure(description: reason(header, outcome, place: place) + last(said)))
        }
        guard header.hash == plan.hash, header.events == plan.events else {
            return .failure(ReplayRunFailure(description: "made other calls than the trace"))
        }
        var offset = headerBytes
        func table<Row, Value>(_ count: Int, of type: Row.Type, _ make: (Row) -> Value) -> [Value] {
            defer { offset += count * MemoryLayout<Row>.stride }
            guard bytes.count >= offset + count * MemoryLayout<Row>.stride else { return [] }
            return (0..<count).map {
                make(bytes.loadUnaligned(fromByteOffset: offset + $0 * MemoryLayout<Row>.stride, as: type))
            }
        }
        let points = table(plan.curve.count, of: ht_replay_point.self) {
            ReplayPoint(events: $0.events, live: $0.live, usable: $0.usable, anonymous: $0.anonymous)
        }
        let owners = table(plan.owners.count, of: ht_replay_part.self, ReplayPart.init)
        let classes = table(Int(HT_REPLAY_CLASSES), of: ht_replay_part.self, ReplayPart.init)
        let latencies = (0..<Int(HT_REPLAY_CALLS)).map { _ in
            table(Int(HT_REPLAY_LATENCY_BINS), of: UInt64.self) { $0 }
        }
        func placeOf(_ row: ht_replay_place) -> ReplayPlace {
            ReplayPlace(address: row.address, usable: row.usable, owner: Int(clamping: row.owner))
        }
        let most = UInt64(HT_REPLAY_PLACES)
        let peakPlaces = table(Int(min(most, header.peak_places)), of: ht_replay_place.self, placeOf)
        let endPlaces = table(Int(min(most, header.end_places)), of: ht_replay_place.self, placeOf)
        return .success(
            ReplayFigures(
                events: header.events, calls: header.calls, cpuNanoseconds: header.cpu_ns,
                wallNanoseconds: header.wall_ns, minorFaults: header.minor_faults, hasUsable: header.has_usable != 0,
                startAnonymous: header.start_anonymous, peakAnonymous: header.peak_anonymous,
                endAnonymous: header.end_anonymous,
                freedAnonymous: header.freed_anonymous, ticksPerNanosecond: header.ticks_per_ns,
                clockTicks: header.clock_ticks, clockStep: header.clock_step,
                worstTicks: [header.worst_ticks.0, header.worst_ticks.1, header.worst_ticks.2],
                worstSizes: [header.worst_size.0, header.worst_size.1, header.worst_size.2], points: points,
                owners: owners, classes: classes, latencies: latencies, peakPlaces: peakPlaces, endPlaces: endPlaces))
    }

    private func reason(_ header: ht_replay_result, _ outcome: RunOutcome, place: String) -> String {
        let size = Comparison.grouped(Double(header.failed_size))
        switch ht_replay_failure(header.failure) {
        case HT_REPLAY_NO_MEMORY:
            let call = header.failed_op == HT_REPLAY_REALLOC.rawValue ? "realloc" : "an allocation"
            return "gave no memory for \(call) of \(size) bytes \(place)"
        case HT_REPLAY_MISALIGNED: return "gave a block of \(size) bytes that is not aligned as asked \(place)"
        case HT_REPLAY_WRONG_LIBRARY: return "was not loaded: malloc is another library's"
        case HT_REPLAY_WRONG_CURVE: return "does not come to the trace's live bytes (\(size)) \(place)"
        case HT_REPLAY_OVERWRITTEN:
            return "wrote to a block of \(size) bytes that was live, or gave out its place again, \(place)"
        case HT_REPLAY_SYSTEM: return "failed \(place): \(String(cString: strerror(header.code)))"
        default: return "\(outcome.words(plural: false)) \(place)"
        }
    }

    /// The last thing that a process said on standard error, as part of a line.
    private func last(_ said: String) -> String {
        guard let line = said.split(whereSeparator: \.isNewline).last else { return "" }
        return ": " + line.prefix(200)
    }
}

extension ReplayPart {
    fileprivate init(_ part: ht_replay_part) {
        self.init(
            peakLive: part.peak_live, peakSlack: part.peak_slack, bytes: part.bytes, slack: part.slack,
            allocations: part.allocations, calls: part.calls, ticks: part.ticks)
    }
}
