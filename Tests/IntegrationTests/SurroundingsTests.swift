// What a recorded program sees of its surroundings is what it sees natively.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct SurroundingsTests {
    private func program() throws -> String {
        try ProgramBuilder.build(testProgram: "surroundings.c", language: .c)
    }

    /// Sorted: the order of the environment is nobody's promise.
    private func lines(_ result: ProcessResult) -> [Substring] { result.stdout.split(separator: "\n").sorted() }

    /// Fails with the lines that only one of the two has.
    private func expectSame(
        _ recording: Recording, _ native: ProcessResult, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let difference = lines(recording.result).difference(from: lines(native))
        #expect(difference.isEmpty, "\(difference)", sourceLocation: sourceLocation)
    }

    @Test func `environment, descriptors, signals and threads are as without the recorder`() throws {
        let native = try run(program())
        let recording = try Recording(program())
        #expect(lines(native).contains { $0.hasPrefix("descriptor 2") })
        expectSame(recording, native)
    }

    @Test func `the program sees neither the preload nor a variable of the recorder`() throws {
        let recording = try Recording(program())
        let environment = lines(recording.result).filter { $0.hasPrefix("environment ") }
        #expect(!environment.isEmpty)
        #expect(!environment.contains { $0.contains("LD_PRELOAD") || $0.contains("HEAPTRAIL_") })
    }

    @Test func `a preload of the user's own stays`() throws {
        let counter = try ReferenceCounter()
        let variables = ["LD_PRELOAD": counter.library]
        let native = try run(program(), environment: .inherited(adding: variables))
        let recording = try Recording(program(), environment: .inherited(adding: variables))
        expectSame(recording, native)
        #expect(lines(recording.result).contains("environment LD_PRELOAD=\(counter.library)"))
    }

    @Test(arguments: ["--no-stacks", "--follow"])
    func `the surroundings do not depend on how it is recorded`(option: String) throws {
        let native = try run(program())
        let recording = try Recording(program(), options: [option])
        expectSame(recording, native)
    }

    @Test func `a jemalloc that came with the recorder leaves no variable either`() throws {
        guard Machine.hasAllocator("jemalloc") else { try skip("jemalloc is not installed") }
        let recording = try Recording(program(), options: ["--allocator", "jemalloc"])
        let environment = lines(recording.result).filter { $0.hasPrefix("environment ") }
        #expect(!environment.contains { $0.contains("LD_PRELOAD") || $0.contains("HEAPTRAIL_") })
    }

    @Test func `a child of the program is not preloaded into`() throws {
        let native = try run("bash", ["-c", "env | sort; true"])
        let recording = try Recording("bash", ["-c", "env | sort; true"])
        #expect(recording.result.stdout == native.stdout)
        #expect(!recording.result.stdout.contains("heaptrail.so"))
    }

    @Test func `standard input reaches the program`() throws {
        let text = String(repeating: "a line of input\n", count: 5000)
        let recording = try Recording("cat", stdin: Array(text.utf8))
        #expect(recording.result.stdout == text)
        #expect(recording.result.isSuccess)
    }
}
