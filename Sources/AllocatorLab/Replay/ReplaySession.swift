// The order of the runs: one for memory on each allocator, which warms up, too; then rounds in which each allocator has its turn, so that a change
// of the machine's pace meets all. The null allocator takes part in every round: what it needs is the replay's own cost.

/// A replay about to be made.
public struct ReplaySession {
    private let plan: ReplayPlan
    private let allocators: [Allocator]
    private let simulations: [SimulatedAllocator]
    private let runs: Int
    private let touch: ReplayTouch
    private let runner: ReplayRunner

    /// Latency runs on each allocator, at most.
    private static let latencyRuns = 3

    /// Plans `runs` timed runs on each of `allocators`.
    /// - Parameters:
    ///   - simulations: allocators that are simulated besides.
    ///   - executable: the program `heaptrail-replay`.
    ///   - secondsAtMost: how long a run may take; an allocator whose run takes longer counts as failed.
    public init(
        plan: ReplayPlan, allocators: [Allocator], simulations: [SimulatedAllocator] = [], runs: Int,
        touch: ReplayTouch, executable: String, secondsAtMost: Double? = nil
    ) {
        self.simulations = simulations
        self.plan = plan
        self.allocators = allocators
        self.runs = runs
        self.touch = touch
        // Simulated allocators have no memory: nothing is to be written to the null allocator's either.
        runner = ReplayRunner(
            executable: executable, plan: plan, touch: allocators.isEmpty ? .none : touch, secondsAtMost: secondsAtMost)
    }

    /// What is written must have room: a program may ask for far more than it ever touches, and the trace does not tell.
    private func refuseTooMuch() throws(ReplayError) {
        guard touch != .none, !allocators.isEmpty, let available = AvailableMemory.bytes, plan.peakBytes > available
        else { return }
        throw .tooLarge(
            "its blocks take \(Comparison.size(Double(plan.peakBytes))) at their peak, and this machine has \(Comparison.size(Double(available))) to give; with --touch none nothing is written to them"
        )
    }

    /// Makes all the runs.
    ///
    /// - Parameter progress: called before each run with how many are done and how many there are.
    /// - Returns: a row for every allocator, also for those on which the replay fails.
    /// - Throws: `ReplayError` when nothing can be run.
    public func callAsFunction(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws(ReplayError)
        -> Replay
    {
        try refuseTooMuch()
        let subjects: [Allocator?] = [nil] + allocators
        let latencyRuns = min(runs, Self.latencyRuns)
        let total = subjects.count * (1 + runs + latencyRuns) + simulations.count
        var done = 0
        var failures = [String?](repeating: nil, count: subjects.count)
        func run(_ mode: ReplayMode, _ index: Int) throws(ReplayError) -> ReplayFigures? {
            progress(done, total)
            done += 1
            if failures[index] != nil { return nil }
            switch try runner.run(mode, on: subjects[index]) {
            case .success(let figures): return figures
            case .failure(let failure):
                failures[index] = failure.description
                return nil
            }
        }

        var memory: [ReplayFigures?] = []
        for index in subjects.indices {
            memory.append(try run(.memory, index))
            // Nothing can be said without the replay's own part.
            if let failure = failures[0] { throw .system(action: "the replay on no allocator \(failure)", code: 0) }
        }
        var times = [[ReplayFigures]](repeating: [], count: subjects.count)
        var latencies = times
        for round in 0..<runs {
            for index in subjects.indices {
                if let figures = try run(.time, index) { times[index].append(figures) }
                if round < latencyRuns, let figures = try run(.latency, index) { latencies[index].append(figures) }
            }
        }

        let own = Spread(times[0].map(Self.nanosecondsPerEvent))
        var rows: [Replay.Row] = []
        for index in subjects.indices.dropFirst() {
            var row = Replay.Row(allocator: allocators[index - 1].name)
            row.failure = failures[index]
            row.take(times: times[index], own: own)
            row.take(latencies: latencies[index], of: plan.owners)
            if let figures = memory[index] { row.take(memory: figures, own: memory[0], plan: plan) }
            rows.append(row)
        }
        for simulated in simulations {
            progress(done, total)
            done += 1
            rows.append(try Replay.Row(simulating: simulated, plan: plan))
        }
        if let failure = failures[0] { throw .system(action: "the replay on no allocator \(failure)", code: 0) }
        return Replay(plan: plan, runs: runs, touch: touch, ownNanosecondsPerEvent: own, rows: rows)
    }

    static func nanosecondsPerEvent(_ figures: ReplayFigures) -> Double {
        Double(figures.cpuNanoseconds) / Double(max(1, figures.events))
    }
}
