// The independent count of heap calls that Heaptrail's totals are held against: builds
// Tests/Programs/reference-counter.c, gives it a page and reads the page. See that file for what counts as what.

internal import Foundation

/// A preload library that counts heap calls into a shared page, and the reading of that page.
public final class ReferenceCounter {
    /// What the page holds.
    public struct Counts: Equatable, Sendable {
        /// The id of the process that was counted; 0 when none was.
        public let pid: Int32
        /// How many images (the program and what it exec'd) counted; the other figures are the last one's.
        public let images: UInt64
        /// Calls that returned a block, reallocations included.
        public let allocations: UInt64
        /// Blocks given back, reallocations included.
        public let frees: UInt64
        /// Reallocations that were a free and an allocation; both are counted above too.
        public let reallocations: UInt64
        /// Bytes requested by the allocations.
        public let bytes: UInt64
        /// Calls answered before the real allocator was known, in none of the figures above; 0 on glibc.
        public let bootCalls: UInt64
    }

    /// The preload library, for `LD_PRELOAD`: alone, before or after another one.
    public let library: String
    private let directory: TemporaryDirectory
    private let page: String

    /// Builds the library if need be and makes a fresh page: one counter counts one process.
    ///
    /// - Throws: `TestSupportError` when there is no C compiler or the page cannot be made.
    public init() throws {
        library = try ProgramBuilder.build(
            testProgram: "reference-counter.c", language: .c, name: "reference-counter.so",
            arguments: ["-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-builtin", "-Werror"])
        directory = try TemporaryDirectory()
        page = try directory.write([UInt8](repeating: 0, count: 4096), to: "page")
    }

    /// The variables that switch the counter on, `LD_PRELOAD` not among them.
    ///
    /// - Parameter skipped: base name of an executable that is not counted, `heaptrail` say, when it starts the program
    ///   and inherits the same environment.
    public func variables(skipping skipped: String? = nil) -> [String: String] {
        var variables = ["REFERENCE_COUNTER_PAGE": page]
        if let skipped { variables["REFERENCE_COUNTER_SKIP"] = skipped }
        return variables
    }

    /// An environment in which a program is counted by this counter alone.
    public func environment(adding additions: [String: String] = [:]) -> ProcessEnvironment {
        var all = variables().merging(additions) { _, new in new }
        all["LD_PRELOAD"] = [library, additions["LD_PRELOAD"]].compactMap { $0 }.joined(separator: " ")
        return .inherited(adding: all)
    }

    /// The page as it stands, also while the program runs.
    ///
    /// - Throws: `TestSupportError` when no process has used the page: a count of nothing is no count.
    public func counts() throws -> Counts {
        let bytes = try directory.read("page")
        let words = (0..<8).map { word in
            bytes[(word * 8)..<(word * 8 + 8)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard words[0] != 0 else { throw TestSupportError("the reference counter was never loaded") }
        return Counts(
            pid: Int32(truncatingIfNeeded: words[0]), images: words[1], allocations: words[2], frees: words[3],
            reallocations: words[4], bytes: words[5], bootCalls: words[6])
    }
}
