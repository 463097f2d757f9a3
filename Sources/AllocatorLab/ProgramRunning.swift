// Running a program once, as a comparison asks for it: measured, or rehearsed, when it is looked at and its time does not
// count.

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
    /// The programs that were seen to run in it.
    var programs: [SeenProgram] = []

    /// Puts a rehearsal together.
    public init(outcome: RunOutcome, output: OutputFingerprint, complaint: String? = nil, note: String? = nil) {
        self.outcome = outcome
        self.output = output
        self.complaint = complaint
        self.note = note
    }

    init(
        outcome: RunOutcome, output: OutputFingerprint, complaint: String?, notes: [String?], programs: [SeenProgram]
    ) {
        let notes = notes.compactMap { $0 }
        self.init(
            outcome: outcome, output: output, complaint: complaint,
            note: notes.isEmpty ? nil : notes.joined(separator: "; "))
        self.programs = programs
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
