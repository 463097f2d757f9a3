// What recording costs in memory: a bound on what the program gains and on the recorder's own, on a churn that goes
// through the rings many times over. A ring that were filled round and round instead of being used again while it is warm
// would show here as shared memory of the program.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct MemoryTests {
    private struct Usage {
        let peak, anonymous, shared, parentPeak: Int

        /// Reads the program's own words.
        init(_ text: String) throws {
            let match = try #require(
                text.wholeMatch(of: /program ([0-9]+) ([0-9]+) ([0-9]+)\nparent ([0-9]+)\n/), "\(text)")
            peak = try #require(Int(match.1))
            anonymous = try #require(Int(match.2))
            shared = try #require(Int(match.3))
            parentPeak = try #require(Int(match.4))
        }
    }

    @Test(arguments: [1, 64], [[], ["--no-stacks"]])
    func `twenty million events add 16 MB and 64 KiB a thread at most, and 64 MB beside it`(
        threads: Int, options: [String]
    ) throws {
        let program = try ProgramBuilder.build(
            testProgram: "memory.c", language: .c, arguments: ["-O2", "-fno-builtin", "-pthread"])
        let arguments = ["\(threads)", "20000000"]
        let native = try Usage(run(program, arguments, timeout: 240).stdout)
        let recording = try Recording(program, arguments, options: options, timeout: 240)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        let recorded = try Usage(recording.result.stdout)
        let bound = 16_000 + 64 * threads
        #expect(recorded.peak - native.peak <= bound)
        #expect(recorded.anonymous + recorded.shared - native.anonymous - native.shared <= bound)
        #expect(recorded.parentPeak <= 64_000)
        let trace = try recording.report(by: "thread").trace
        #expect(trace.events >= 20_000_000)
        #expect(trace.lost == 0)
        #expect(trace.complete)
    }
}
