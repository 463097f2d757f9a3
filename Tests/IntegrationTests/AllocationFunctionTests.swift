// The whole grid of hooked functions: the programs check what each promises (alignment, contents, errno), the trace is
// held to one event a call, and usable sizes are those of a native run.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct AllocationFunctionTests {
    private func record(_ file: String, _ language: SourceLanguage, options: [String] = []) throws -> Recording {
        let program = try ProgramBuilder.build(
            testProgram: file, language: language, arguments: ["-O1", "-fno-builtin", "-w"])
        return try Recording(program, options: options)
    }

    private static let gridSizes = [
        10007, 10009, 10037, 10039, 10041, 10047, 10061, 10112, 10067, 10069, 10079, 10091, 10176, 10093, 10099,
    ]

    @Test func `every C function is one event and keeps its promises`() throws {
        let recording = try record("api-grid.c", .c)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        let report = try recording.report(by: "size")
        for size in Self.gridSizes { #expect(report.events(ofSize: size) == Events(1, 1), "size \(size)") }
        #expect(report.trace.reallocations == 5)
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.trace.lost == 0)
        // Calls that failed asked for sizes no block can have.
        #expect(report.rows.allSatisfy { ($0.size ?? 0) < 1 << 30 })
    }

    @Test func `usable sizes and what failing calls leave in errno are the allocator's own`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "api-grid.c", language: .c, arguments: ["-O1", "-fno-builtin", "-w"])
        let native = try run(program)
        let recording = try record("api-grid.c", .c)
        #expect(native.isSuccess)
        #expect(recording.result.stdout == native.stdout)
    }

    @Test(arguments: ["jemalloc", "mimalloc", "tcmalloc"])
    func `every C function is one event on another allocator, too`(allocator: String) throws {
        guard Machine.hasAllocator(allocator) else { try skip("\(allocator) is not installed") }
        let recording = try record("magic-sizes.c", .c, options: ["--allocator", allocator])
        let report = try recording.report(by: "size")
        #expect(report.trace.allocator == allocator)
        #expect(report.events(ofSize: 1009) == Events(300, 299))
        #expect(report.events(ofSize: 3001) == Events(50, 50))
        #expect(report.trace.reallocations == 10)
        #expect(report.trace.lost == 0)
    }

    private static let operatorSizes = [
        11003, 11027, 11047, 11057, 12288, 12800, 13312, 13824, 11087, 11093, 14336, 14848, 11119, 15360,
    ]

    @Test func `every form of operator new and delete is one event`() throws {
        let recording = try record("operators.cpp", .cxx)
        #expect(recording.result.isSuccess, "\(recording.result.stderr)")
        let report = try recording.report(by: "size")
        for size in Self.operatorSizes { #expect(report.events(ofSize: size) == Events(1, 1), "size \(size)") }
        #expect(report.trace.unmatchedFrees == 0)
        #expect(report.rows.allSatisfy { ($0.size ?? 0) < 1 << 30 })
    }

    /// Most allocators have operators of their own, which call no malloc, and one of them another of its functions.
    @Test(arguments: ["jemalloc", "mimalloc", "tcmalloc"])
    func `every form of operator new and delete is one event on another allocator, too, and its function has a name`(
        allocator: String
    ) throws {
        guard Machine.hasAllocator(allocator) else { try skip("\(allocator) is not installed") }
        let recording = try record("operators.cpp", .cxx, options: ["--allocator", allocator])
        // How the program ends is the allocator's doing: a mimalloc that is built as C cannot throw, and aborts.
        let report = try recording.report(by: "size")
        for size in Self.operatorSizes { #expect(report.events(ofSize: size) == Events(1, 1), "size \(size)") }
        #expect(report.trace.allocator == allocator)
        #expect(report.trace.unmatchedFrees == 0)
        // Plain new, for a start: nothing else brings the allocator's library into this program's stacks. One function
        // serves new and new[] in some allocators, others have no new between new[] and malloc.
        let program = try ProgramBuilder.build(
            """
            #include <new>
            int main() {
                ::operator delete(::operator new(11003));
                ::operator delete[](::operator new[](11027));
                ::operator delete(::operator new(11047, std::nothrow));
            }
            """, language: .cxx, arguments: ["-O1", "-fno-builtin"])
        func owners(_ options: [String]) throws -> [String?] {
            let report = try Recording(program, options: options).wholeReport(by: "type,size")
            return [11003, 11027, 11047].map { size in report.rows.first { $0.size == size }?.type }
        }
        let known = try owners([])
        #expect(known.first == "new in main")
        #expect(try owners(["--allocator", allocator]) == known)
    }

    @Test func `the operators count as many events as the mallocs beneath them`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "operators.cpp", language: .cxx, arguments: ["-O1", "-fno-builtin", "-w"])
        let counter = try ReferenceCounter()
        let recording = try Recording(
            program,
            environment: .inherited(
                adding: counter.variables(skipping: "heaptrail").merging(["LD_PRELOAD": counter.library]) { $1 }))
        let trace = try recording.report(by: "size").trace
        let counts = try counter.counts()
        #expect(trace.allocations == Int(counts.allocations))
        #expect(trace.frees == Int(counts.frees))
    }
}
