// What the runs of a comparison come to: which of them count, and what has to be said of the others, of the program's output
// and of the allocator that really served it.

/// The rows of a comparison and the remarks on them.
struct ComparisonJudgement {
    /// An allocator, and the rehearsal on it.
    struct Trial {
        let allocator: Allocator
        let rehearsal: Rehearsal
        /// What was done so that the allocator serves the program.
        let repair: String?
        /// What a reader has to know of the rehearsal besides.
        let notes: [String]

        /// Takes a rehearsal for what it is: one whose program ran on another allocator came to nothing.
        init(_ allocator: Allocator, _ rehearsal: Rehearsal, repair: String? = nil) {
            let placement = AllocatorPlacement(of: rehearsal.programs, on: allocator)
            var rehearsal = rehearsal
            if rehearsal.outcome.isExit, let failure = placement.failure { rehearsal.outcome = .broken(failure) }
            self.allocator = allocator
            self.rehearsal = rehearsal
            self.repair = repair
            notes = [rehearsal.note, placement.note].compactMap { $0 }
        }
    }

    /// One row an allocator, in the order of the trials.
    private(set) var rows: [Comparison.Row] = []
    /// What a reader has to know.
    private(set) var remarks: [Comparison.Remark] = []

    private let trials: [Trial]
    /// How a run that counts ends: as the first rehearsal that ended by itself.
    private let expected: RunOutcome
    /// The trial whose output the others' is held against.
    private let model: Int
    private let outputAgain: (Allocator) -> OutputFingerprint?

    /// Judges the runs.
    ///
    /// - Parameters:
    ///   - measurements: the timed runs of each trial.
    ///   - subject: what ends with a status, for messages.
    ///   - outputAgain: rehearses once more, for the output alone; nil where that cannot be done.
    init(
        trials: [Trial], measurements: [[RunMeasurement]], subject: String,
        outputAgain: @escaping (Allocator) -> OutputFingerprint?
    ) {
        self.trials = trials
        self.outputAgain = outputAgain
        model = trials.firstIndex { $0.rehearsal.outcome.isExit } ?? 0
        let first = trials[model].rehearsal
        expected = first.outcome.isExit ? first.outcome : .exited(0)
        for repair in trials.compactMap(\.repair) { add(note: repair) }
        if case .exited(let status) = expected, status != 0 {
            add(failure("\(subject) exits with status \(status)", said: first.complaint))
        }
        for (index, measured) in measurements.enumerated() { judge(index, measured) }
        for trial in trials {
            for note in trial.notes { add(note: "\(trial.allocator.name): \(note)") }
        }
        addLoadingNote()
    }

    /// Leaves out the runs that ended otherwise than expected, and says so.
    private mutating func judge(_ index: Int, _ measured: [RunMeasurement]) {
        let (allocator, rehearsal) = (trials[index].allocator, trials[index].rehearsal)
        // Without the library every run is another allocator's, however it ended.
        let isVoid = if case .broken = rehearsal.outcome { true } else { false }
        let isBad = { [expected] (outcome: RunOutcome) in isVoid || outcome != expected }
        let all = [rehearsal.outcome] + measured.map(\.outcome)
        let bad = all.filter(isBad)
        var remark: Comparison.Remark?
        if let first = bad.first {
            let words = first.words(plural: bad.count > 1)
            let what = "\(allocator.name): \(bad.count) of \(all.count) runs \(words), left out of the figures"
            remark = failure(what, said: isBad(rehearsal.outcome) ? rehearsal.complaint : nil)
        } else if rehearsal.output != trials[model].rehearsal.output {
            remark = outputRemark(allocator)
        }
        if let remark { add(remark) }
        let counted = measured.map { isBad($0.outcome) ? nil : $0 }
        rows.append(Comparison.Row(allocator: allocator.name, rounds: counted, failure: remark?.failureText))
    }

    /// Output differs: the allocator's doing only if the program prints the same every time on the first one.
    private func outputRemark(_ allocator: Allocator) -> Comparison.Remark {
        let first = trials[model].allocator
        guard let again = outputAgain(first) else {
            return failure(
                "\(allocator.name): standard output differs from that on \(first.name); whether it does so from run to run "
                    + "was not to be seen", said: nil)
        }
        guard again == trials[model].rehearsal.output else {
            return Comparison.Remark(
                description: "standard output differs from run to run on \(first.name) itself, so it was not compared",
                isFailure: false)
        }
        return failure("\(allocator.name): standard output differs from that on \(first.name)", said: nil)
    }

    /// Of a program that hardly runs, most of what another allocator costs may be the loading of its library.
    private mutating func addLoadingNote() {
        let walls = zip(trials, rows).compactMap { trial, row in
            // The C library is loaded anyway.
            trial.allocator.libraryPath.map(ServingAllocator.isSystemLibrary) ?? true ? nil : row.wallSeconds?.median
        }
        guard let shortest = walls.min(), shortest < Self.shortRunSeconds else { return }
        add(
            note: "a run takes \(Comparison.duration(shortest)): loading the allocator's library is part of it, and "
                + "may be most of a difference")
    }

    /// Loading takes up to 2 ms.
    private static let shortRunSeconds = 0.01

    private mutating func add(note description: String) {
        add(Comparison.Remark(description: description, isFailure: false))
    }

    /// The same is said once.
    private mutating func add(_ remark: Comparison.Remark) {
        if !remarks.contains(remark) { remarks.append(remark) }
    }

    private func failure(_ description: String, said complaint: String?) -> Comparison.Remark {
        Comparison.Remark(description: description + (complaint.map { "; it said: \($0)" } ?? ""), isFailure: true)
    }
}
