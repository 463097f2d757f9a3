// The order of the runs: rounds to warm up, in the first of which the program is looked at, then timed rounds in which each
// allocator has its turn, so that a change of the machine's pace meets all.

/// A comparison about to be made.
public struct AllocatorComparison {
    private let allocators: [Allocator]
    private let runs: Int
    private let warmUps: Int
    private let runner: any ProgramRunning

    /// Plans `runs` timed runs on each of `allocators`, after `warmUps` (at least 1) untimed ones; the first allocator is
    /// the one the others are measured against.
    public init(allocators: [Allocator], runs: Int, warmUps: Int = 1, runner: any ProgramRunning) {
        self.allocators = allocators
        self.runs = runs
        self.warmUps = max(1, warmUps)
        self.runner = runner
    }

    /// Makes all the runs. Every second round has the allocators in reverse, so that what follows the place in a round
    /// (a machine that slows down, a cache that fills) falls out of the ratios.
    ///
    /// - Parameter progress: called before each run with how many are done and how many there are.
    /// - Returns: a row for every allocator, also for those under which the program fails.
    /// - Throws: when the program cannot be started.
    public func callAsFunction(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws -> Comparison {
        let total = allocators.count * (runs + warmUps)
        var done = 0
        func step<Result>(_ body: () throws -> Result) rethrows -> Result {
            progress(done, total)
            defer { done += 1 }
            return try body()
        }

        let trials = try allocators.map { allocator in try step { try rehearse(on: allocator) } }
        for _ in 1..<warmUps {
            for trial in trials { _ = try step { try runner.measure(on: trial.allocator) } }
        }
        var measurements = [[RunMeasurement]](repeating: [], count: trials.count)
        for round in 0..<runs {
            let order = round % 2 == 0 ? Array(trials.indices) : trials.indices.reversed()
            for index in order {
                measurements[index].append(try step { try runner.measure(on: trials[index].allocator) })
            }
        }
        let judgement = ComparisonJudgement(trials: trials, measurements: measurements, subject: runner.subject) {
            (try? runner.rehearse(on: $0))?.output
        }
        return Comparison(runs: runs, warmUps: warmUps, rows: judgement.rows, remarks: judgement.remarks)
    }

    /// Rehearses the program; once more where another allocator stood before the C library, with that one in front of it.
    private func rehearse(on allocator: Allocator) throws -> ComparisonJudgement.Trial {
        let rehearsal = try runner.rehearse(on: allocator)
        if let repair = AllocatorPlacement(of: rehearsal.programs, on: allocator).repair {
            let again = try runner.rehearse(on: repair.allocator)
            // It is the first time that the C library serves it: an end of its own is as good as another.
            if again.outcome.isExit || !rehearsal.outcome.isExit {
                return ComparisonJudgement.Trial(repair.allocator, again, repair: repair.note)
            }
        }
        return ComparisonJudgement.Trial(allocator, rehearsal)
    }
}
