// Recorded call stacks beside libunwind's of the very same allocations, frame by frame.

internal import Foundation
internal import TestSupport
internal import Testing

@Suite(.enabled(if: WalkComparison.obstacle == nil, "\(WalkComparison.obstacle ?? "")"))
struct WalkTests {
    /// Ways to build the C program: levels, with and without frame pointers, by both compilers.
    static let builds = [
        ["-O0"], ["-O1", "-fomit-frame-pointer"], ["-O2", "-fomit-frame-pointer"], ["-O3", "-fno-omit-frame-pointer"],
    ]

    private func shapes(_ flags: [String]) throws -> String {
        try ProgramBuilder.build(testProgram: "walk-shapes.c", language: .c, arguments: flags + ["-Wl,-z,now"])
    }

    @Test(
        "equal libunwind's in calls, realigned frames, recursion, jumps, coroutines and threads",
        arguments: builds, ["calls", "frames", "jumps", "contexts", "threads"])
    func shapes(flags: [String], shape: String) throws {
        try WalkComparison(shapes(flags), [shape]).expectEqual(atLeast: 200)
    }

    @Test("equal libunwind's where a signal struck, at any instruction, on either stack", arguments: builds)
    func signals(flags: [String]) throws {
        let program = try shapes(flags)
        try WalkComparison(program, ["steps"]).expectEqual(atLeast: 1000)
        try WalkComparison(program, ["releases"]).expectEqual(atLeast: 1000)
        try WalkComparison(program, ["profile"], every: 7).expectEqual(atLeast: 1000)
        try WalkComparison(program, ["altstack"], every: 7).expectEqual(atLeast: 1000)
    }

    @Test("end early, and say so, where the loader binds a function and keeps the way on in rbx")
    func lazyBinding() throws {
        let program = try ProgramBuilder.build(
            testProgram: "walk-shapes.c", language: .c, arguments: ["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"])
        let comparison = try WalkComparison(program, ["steps"])
        #expect(comparison.differing == 0, "\(comparison.differences)")
        #expect(comparison.equal > 1000)
    }

    @Test("300 frames deep are whole, deeper than the limit hold the innermost frames and say so", arguments: builds)
    func deep(flags: [String]) throws {
        let program = try shapes(flags)
        let whole = try WalkComparison(program, ["deep"])
        whole.expectEqual(atLeast: 150)
        #expect(whole.truncated >= 2)
        #expect(whole.deepest > 900)
        let cut = try WalkComparison(program, ["deep"], options: ["--max-depth", "20"])
        #expect(cut.differing == 0, "\(cut.differences)")
        #expect(cut.truncated > 100)
        #expect(cut.deepest == 20)
    }

    @Test("of coroutines switched by hand end where the stack does, whatever lies there", arguments: builds)
    func switches(flags: [String]) throws {
        let comparison = try WalkComparison(shapes(flags), ["switches"])
        #expect(comparison.differing == 0, "\(comparison.differences)")
        #expect(comparison.missing == 0)
        #expect(comparison.equal + comparison.withoutGarbage + comparison.endedEarly > 1000)
        #expect(comparison.withoutGarbage > 100)
        #expect(comparison.equal > 200)
    }

    @Test(
        "equal libunwind's while exceptions fly, and in coroutines of C++20", arguments: ["-std=c++17", "-std=c++20"])
    func exceptions(standard: String) throws {
        for level in ["-O0", "-O2"] {
            let program = try ProgramBuilder.build(
                testProgram: "walk-throws.cpp", language: .cxx, arguments: [standard, level])
            try WalkComparison(program).expectEqual(atLeast: 300)
        }
    }

    @Test(
        "equal libunwind's while panics unwind",
        .enabled(if: SourceLanguage.rust.isAvailable, "no rustc that the programs can be built with"))
    func panics() throws {
        let program = try ProgramBuilder.build(testProgram: "walk-panics.rs", language: .rust, arguments: ["-O"])
        try WalkComparison(program).expectEqual(atLeast: 1000)
    }

    @Test("equal libunwind's in tasks on Swift's cooperative pool")
    func tasks() throws {
        let program = try ProgramBuilder.build(
            testProgram: "walk-tasks.swift", language: .swift, arguments: ["-O"])
        try WalkComparison(program).expectEqual(atLeast: 500)
    }
}
