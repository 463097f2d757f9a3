// What a workload is, and what it promises a trace will show. Owns the vocabulary of the expected counts; the workloads
// are one file each and `Catalogue` lists them.

import HeaptrailTags

/// One program of the demo: it prints a result that is the same on every run, and allocates exactly what it says.
protocol Workload: SendableMetatype {
    /// The word that runs it.
    static var name: String { get }
    /// One line for `heaptrail-demo list`.
    static var summary: String { get }
    /// The blocks that it makes under owner tags, the same in debug and release builds and on every allocator.
    static var expected: [ExpectedRow] { get }
    /// The counters that it leaves.
    static var counters: [String: Int] { get }

    /// Runs it once.
    static func run(_ options: Options) throws(WorkloadError)
}

extension Workload {
    static var counters: [String: Int] { [:] }
}

/// Why a workload could not do its work; the message is one line for standard error.
struct WorkloadError: Error {
    let message: String
}

/// What a trace must show of one owner and cause: blocks made under that tag, and how many of those were freed.
/// No blocks at all is a promise too: it is the negative control.
struct ExpectedRow {
    let family: String
    let type: String
    let cause: AllocationCause
    /// The bytes asked for, where every build and allocator asks for the same.
    var size: Int?
    let allocations: Int
    let frees: Int

    init(
        _ family: String, _ type: String, _ cause: AllocationCause, size: Int? = nil, allocations: Int,
        frees: Int? = nil
    ) {
        self.family = family
        self.type = type
        self.cause = cause
        self.size = size
        self.allocations = allocations
        self.frees = frees ?? allocations
    }
}

/// Runs `body` under a tag made from the same words as an ``ExpectedRow``.
func attributed<Result>(
    _ family: String, _ type: String, _ cause: AllocationCause, _ body: () -> Result
) -> Result {
    withOwnerTag(OwnerTag(family: family, type: type, cause: cause), body)
}

/// Runs a sample of a step outside of the account: a first use sets metadata up on the heap, which belongs to no step.
func warmUp(_ body: () -> Void) {
    withOwnerTagsSuspended(body)
}

/// Prints a line of the result. Its text is the telling's own, and not of the step that it tells of: out of the account.
func say(_ line: @autoclosure () -> String) {
    withOwnerTagsSuspended { print(line()) }
}

/// The value, behind a wall that no optimiser looks through: what crosses it must exist, on the heap where its type says so.
@inline(never)
@_optimize(none)
func opaque<Value>(_ value: Value) -> Value { value }
