// What `doctor` comes to: a list of checks, a verdict, and the command to type. Plain values; what is found is
// Machine- and ProgramInspection's, what it means is in Machine- and ProgramDiagnosis.

/// A finding and what to do about it.
public struct Check: Sendable, Equatable {
    /// How much it matters.
    public enum State: String, Sendable {
        /// As it should be.
        case ok
        /// It can be recorded, but something will not be seen, or not by name.
        case warning
        /// It cannot be recorded.
        case problem
    }

    /// How much it matters.
    public var state: State
    /// What was looked at, in one word or two.
    public var name: String
    /// What was found, in one line.
    public var finding: String
    /// What to do about it, in one line; nil where there is nothing to do.
    public var advice: String?

    /// Puts a check together.
    public init(_ state: State, _ name: String, _ finding: String, advice: String? = nil) {
        self.state = state
        self.name = name
        self.finding = finding
        self.advice = advice
    }
}

/// The outcome of an examination.
public struct Diagnosis: Sendable {
    /// What was examined: the program's name or the machine.
    public var subject: String
    /// The checks, in the order they are shown.
    public var checks: [Check]
    /// The outcome in one line.
    public var verdict: String
    /// What to type next.
    public var command: String?
    /// 0, 66 for a missing program, 69 where it cannot be recorded.
    public var exitStatus: Int32
    /// The facts behind the checks, for JSON.
    public var facts: DiagnosisFacts

    /// The checks of a state.
    public func checks(_ state: Check.State) -> [Check] { checks.filter { $0.state == state } }
}

/// The facts behind a diagnosis.
public struct DiagnosisFacts: Sendable {
    /// The program's; nil where the machine alone was examined.
    public var program: ProgramInspection?
    /// The machine's; nil where a program was examined.
    public var machine: MachineInspection?
}
