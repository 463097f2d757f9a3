// The order of the runs and the judgement of how they ended: one round to warm up, in which standard output is
// compared, then timed rounds in which each allocator has its turn, so that a change of the machine's pace meets all.

/// Runs a program once. The real one is `ProgramLauncher`; tests put a made-up one in its place.
public protocol ProgramRunning {
    /// Runs the program on `allocator` with its output discarded.
    ///
    /// - Throws: when the program cannot be started.
    func measure(on allocator: Allocator) throws -> RunMeasurement

    /// Runs the program on `allocator` and fingerprints its standard output.
    ///
    /// - Throws: when the program cannot be started.
    func fingerprint(on allocator: Allocator) throws -> (outcome: RunOutcome, output: OutputFingerprint)
}

/// Length and hash of a program's standard output.
public struct OutputFingerprint: Equatable, Sendable {
    /// How many bytes there were.
    public private(set) var count: UInt64 = 0
    /// FNV-1a, 64 bits.
    public private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    /// The fingerprint of no output.
    public init() {}

    /// Takes more output in.
    public mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            count += 1
        }
    }
}

/// A comparison about to be made.
public struct AllocatorComparison {
    private let allocators: [Allocator]
    private let runs: Int
    private let runner: any ProgramRunning

    /// Plans `runs` timed runs on each of `allocators`; the first is the one the others are measured against.
    public init(allocators: [Allocator], runs: Int, runner: any ProgramRunning) {
        self.allocators = allocators
        self.runs = runs
        self.runner = runner
    }

    /// Makes all the runs.
    ///
    /// - Parameter progress: called before each run with how many are done and how many there are.
    /// - Returns: a row for every allocator, also for those under which the program fails.
    /// - Throws: when the program cannot be started.
    public func callAsFunction(progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }) throws -> Comparison {
        let total = allocators.count * (runs + 1)
        var done = 0
        func step<Result>(_ body: () throws -> Result) rethrows -> Result {
            progress(done, total)
            defer { done += 1 }
            return try body()
        }

        let warmUps = try allocators.map { allocator in try step { try runner.fingerprint(on: allocator) } }
        var measurements = [[RunMeasurement]](repeating: [], count: allocators.count)
        for _ in 0..<runs {
            for (index, allocator) in allocators.enumerated() {
                measurements[index].append(try step { try runner.measure(on: allocator) })
            }
        }
        return try judge(warmUps, measurements)
    }

    /// Leaves out the runs that ended unlike the first, and says so.
    private func judge(
        _ warmUps: [(outcome: RunOutcome, output: OutputFingerprint)], _ measurements: [[RunMeasurement]]
    ) throws -> Comparison {
        let expected = warmUps.lazy.map(\.outcome).first(where: \.isExit) ?? .exited(0)
        var rows: [Comparison.Row] = []
        var remarks: [Comparison.Remark] = []
        if case .exited(let status) = expected, status != 0 {
            remarks.append(failure("the program exits with status \(status)"))
        }
        for (index, allocator) in allocators.enumerated() {
            let all = [warmUps[index].outcome] + measurements[index].map(\.outcome)
            let counted = measurements[index].filter { $0.outcome.isExit && $0.outcome == expected }
            rows.append(Comparison.Row(allocator: allocator.name, runs: counted))
            let bad = all.filter { !$0.isExit || $0 != expected }
            if let first = bad.first {
                remarks.append(
                    failure(
                        "\(allocator.name): \(bad.count) of \(all.count) runs \(first.words), left out of the figures"))
            } else if warmUps[0].outcome == expected, warmUps[index].output != warmUps[0].output {
                let remark = try outputRemark(allocator, expected: warmUps[0].output)
                if !remarks.contains(remark) { remarks.append(remark) }
            }
        }
        return Comparison(runs: runs, rows: rows, remarks: remarks)
    }

    /// Output differs: the allocator's doing only if the program prints the same every time on the first one.
    private func outputRemark(_ allocator: Allocator, expected: OutputFingerprint) throws -> Comparison.Remark {
        let first = allocators[0]
        guard try runner.fingerprint(on: first).output == expected else {
            return Comparison.Remark(
                description: "standard output differs from run to run on \(first.name) itself, so it was not compared",
                isFailure: false)
        }
        return failure("\(allocator.name): standard output differs from that on \(first.name)")
    }

    private func failure(_ description: String) -> Comparison.Remark {
        Comparison.Remark(description: description, isFailure: true)
    }
}

extension RunOutcome {
    fileprivate var isExit: Bool { if case .exited = self { true } else { false } }

    fileprivate var words: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .signaled(let signal): "were ended by signal \(signal)"
        }
    }
}
