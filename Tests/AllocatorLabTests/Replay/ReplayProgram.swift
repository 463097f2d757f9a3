// The program that performs plans, built from its sources: plain, and under sanitizers.

import Foundation
import TestSupport

@testable import AllocatorLab

/// The program heaptrail-replay, built for these tests.
enum ReplayProgram {
    static let plain = Result { try build("plain", ["-O1"]) }
    // The Swift toolchain's clang links its thread sanitizer only with libdispatch.
    static let thread = Result { try build("thread", ["-O1", "-fsanitize=thread"], compiler: "gcc") }
    static let address = Result {
        try build("address", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"])
    }

    private static let folder = Result { try TemporaryDirectory() }

    private static func build(_ name: String, _ options: [String], compiler: String? = nil) throws -> String {
        let sources = "\(BuildProducts.packageRoot)/CShims/CReplay"
        let files = try FileManager.default.contentsOfDirectory(atPath: sources).filter { $0.hasSuffix(".c") }
        let path = try folder.get().file("heaptrail-replay-\(name)")
        try runChecked(
            compiler ?? SourceLanguage.c.compiler,
            ["-std=c11", "-D_GNU_SOURCE", "-g", "-pthread", "-fno-builtin-malloc", "-I\(sources)/include"] + options
                + files.sorted().map { "\(sources)/\($0)" } + ["\(sources)/program/main.c", "-o", path], timeout: 300)
        return path
    }

    /// Runs a plan with it.
    static func runner(_ plan: ReplayPlan, touch: ReplayTouch = .first) throws -> ReplayRunner {
        try ReplayRunner(executable: plain.get(), plan: plan, touch: touch)
    }

    /// Why a run on a library of this source has no figures; empty when it has.
    static func failure(
        _ plan: ReplayPlan, _ mode: ReplayMode, library source: String, secondsAtMost: Double? = nil
    ) throws -> String {
        let path = try ProgramBuilder.build(
            source, language: .c, name: "lib.so", arguments: ["-shared", "-fPIC", "-fno-builtin", "-O1"])
        let allocator = Allocator(name: "broken", libraryPath: path)
        var runner = try runner(plan)
        runner.secondsAtMost = secondsAtMost
        switch try runner.run(mode, on: allocator) {
        case .success: return ""
        case .failure(let failure): return failure.description
        }
    }
}
