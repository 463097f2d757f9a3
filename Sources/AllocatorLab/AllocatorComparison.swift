// The order of the runs and the judgement of how they ended: rounds to warm up, in the first of which standard output is
// compared, then timed rounds in which each allocator has its turn, so that a change of the machine's pace meets all.

/// A run whose output was looked at and whose time was not.
public struct Rehearsal: Equatable, Sendable {
    /// How it ended.
    public var outcome: RunOutcome
    /// Of its standard output.
    public var output: OutputFingerprint
    /// The last line of its standard error, nil where it wrote none.
    public var complaint: String?
    /// What a reader has to know of it besides, as a sentence about the program; nil for nothing.
    public var note: String?

    /// Puts a rehearsal together.
    public init(outcome: RunOutcome, output: OutputFingerprint, complaint: String? = nil, note: String? = nil) {
        self.outcome = outcome
        self.output = output
        self.complaint = complaint
        self.note = note
    }
}

/// Runs a program once. `ProgramLauncher` and `ServerRunner` are the real ones; tests put a made-up one in their place.
public protocol ProgramRunning {
    /// What ends with a status: `the program`, `the drive command`.
    var subject: String { get }

    /// Runs the program on `allocator` with its output discarded.
    ///
    /// - Throws: when the program cannot be started.
    func measure(on allocator: Allocator) throws -> RunMeasurement

    /// Runs the program on `allocator` and fingerprints its standard output.
    ///
    /// - Throws: when the program cannot be started.
    func rehearse(on allocator: Allocator) throws -> Rehearsal
}

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

        let rehearsals = try allocators.map { allocator in try step { try runner.rehearse(on: allocator) } }
        for _ in 1..<warmUps {
            for allocator in allocators { _ = try step { try runner.measure(on: allocator) } }
        }
        var measurements = [[RunMeasurement]](repeating: [], count: allocators.count)
        for round in 0..<runs {
            let order = round % 2 == 0 ? Array(allocators.indices) : allocators.indices.reversed()
            for index in order {
                measurements[index].append(try step { try runner.measure(on: allocators[index]) })
            }
        }
        return try judge(rehearsals, measurements)
    }

    /// Leaves out the runs that ended unlike the first, and says so.
    private func judge(_ rehearsals: [Rehearsal], _ measurements: [[RunMeasurement]]) throws -> Comparison {
        let expected = rehearsals.lazy.map(\.outcome).first(where: \.isExit) ?? .exited(0)
        var rows: [Comparison.Row] = []
        var remarks: [Comparison.Remark] = []
        if case .exited(let status) = expected, status != 0 {
            remarks.append(failure("\(runner.subject) exits with status \(status)", said: rehearsals[0].complaint))
        }
        for (index, allocator) in allocators.enumerated() {
            let rehearsal = rehearsals[index]
            var isBad: (RunOutcome) -> Bool = { !$0.isExit || $0 != expected }
            // Without the library every run is another allocator's, however it ended.
            if case .broken = rehearsal.outcome { isBad = { _ in true } }
            let counted = measurements[index].map { isBad($0.outcome) ? nil : $0 }
            let all = [rehearsal.outcome] + measurements[index].map(\.outcome)
            let bad = all.filter(isBad)
            let remark: Comparison.Remark?
            if let first = bad.first {
                let words = first.words(plural: bad.count > 1)
                let what = "\(allocator.name): \(bad.count) of \(all.count) runs \(words), left out of the figures"
                remark = failure(what, said: isBad(rehearsal.outcome) ? rehearsal.complaint : nil)
            } else if rehearsals[0].outcome == expected, rehearsal.output != rehearsals[0].output {
                remark = try outputRemark(allocator, expected: rehearsals[0].output)
            } else {
                remark = nil
            }
            if let remark, !remarks.contains(remark) { remarks.append(remark) }
            rows.append(Comparison.Row(allocator: allocator.name, rounds: counted, failure: remark?.failureText))
        }
        for (allocator, note) in zip(allocators, rehearsals.map(\.note)) {
            guard let note else { continue }
            remarks.append(Comparison.Remark(description: "\(allocator.name): \(note)", isFailure: false))
        }
        if let note = loadingNote(rows) { remarks.append(note) }
        return Comparison(runs: runs, warmUps: warmUps, rows: rows, remarks: remarks)
    }

    /// Of a program that hardly runs, most of what another allocator costs may be the loading of its library.
    private func loadingNote(_ rows: [Comparison.Row]) -> Comparison.Remark? {
        let walls = zip(allocators, rows).compactMap { allocator, row in
            allocator.libraryPath == nil ? nil : row.wallSeconds?.median
        }
        guard let shortest = walls.min(), shortest < Self.shortRunSeconds else { return nil }
        return Comparison.Remark(
            description:
                "a run takes \(Comparison.duration(shortest)): loading the allocator's library is part of it, and "
                + "may be most of a difference",
            isFailure: false)
    }

    /// Loading takes up to 2 ms.
    private static let shortRunSeconds = 0.01

    /// Output differs: the allocator's doing only if the program prints the same every time on the first one.
    private func outputRemark(_ allocator: Allocator, expected: OutputFingerprint) throws -> Comparison.Remark {
        let first = allocators[0]
        guard try runner.rehearse(on: first).output == expected else {
            return Comparison.Remark(
                description: "standard output differs from run to run on \(first.name) itself, so it was not compared",
                isFailure: false)
        }
        return failure("\(allocator.name): standard output differs from that on \(first.name)", said: nil)
    }

    private func failure(_ description: String, said complaint: String?) -> Comparison.Remark {
        Comparison.Remark(description: description + (complaint.map { "; it said: \($0)" } ?? ""), isFailure: true)
    }
}

extension RunOutcome {
    /// The end of a sentence about one run or more.
    func words(plural: Bool) -> String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signaled(let signal): "\(plural ? "were" : "was") ended by signal \(signal)"
        case .broken(let reason): "failed: \(reason)"
        }
    }
}
