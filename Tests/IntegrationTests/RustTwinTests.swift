// The workloads' Rust twins, standard library alone and no tags: owners and causes come from call stacks. Each source
// states in `//! expect:` lines what a trace of it must show; both the plain and the optimised build are held to them.

internal import Foundation
import TestSupport
import Testing

@Suite(
    .enabled(if: BuildProducts.areBuilt, Machine.notBuilt),
    .enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"))
struct RustTwinTests {
    static let names = [
        "adaptive_set", "box_matrix", "cow_query", "json_name", "mutex_threads", "my_string", "strings",
    ]

    /// One `//! expect: family=… type=… cause=… size=… allocations=… frees=…` line.
    struct Expectation {
        let family: String
        let type: String
        let cause: String
        let size: Int
        let events: Events

        init?(_ line: Substring) {
            guard let fields = line.range(of: "//! expect: ").map({ line[$0.upperBound...] }) else { return nil }
            var values: [Substring: String] = [:]
            // A value may hold blanks (`Cow<str, X>`): it ends where the next `name=` begins.
            for match in fields.matches(of: /(family|type|cause|size|allocations|frees)=(.*?)(?= [a-z]+=|$)/) {
                values[match.1] = String(match.2)
            }
            guard let family = values["family"], let type = values["type"], let cause = values["cause"],
                let size = values["size"].flatMap({ Int($0) }),
                let allocations = values["allocations"].flatMap({ Int($0) }),
                let frees = values["frees"].flatMap({ Int($0) })
            else { return nil }
            (self.family, self.type, self.cause, self.size) = (family, type, cause, size)
            events = Events(allocations, frees)
        }
    }

    private func check(_ name: String, arguments: [String]) throws {
        let path = "\(BuildProducts.packageRoot)/Sources/DemoWorkloads/Rust/\(name).rs"
        let source = try String(contentsOfFile: path, encoding: .utf8)
        let expectations = source.split(separator: "\n").compactMap(Expectation.init)
        #expect(!expectations.isEmpty)
        #expect(expectations.count == source.components(separatedBy: "//! expect:").count - 1)

        let program = try ProgramBuilder.build(source, language: .rust, name: name, arguments: arguments)
        let native = try run(program)
        let recording = try Recording(program)
        #expect(recording.result.status == native.status)
        #expect(recording.result.stdout == native.stdout)

        let report = try recording.report(by: "owner,cause,size")
        for expected in expectations {
            let matching = report.rows.filter {
                $0.family == expected.family && $0.cause == expected.cause && $0.size == expected.size
                    // A bare name stands for any element type: `Vec` for `Vec<(Cow<str>, Cow<str>)>`.
                    && ($0.type == expected.type || $0.type?.hasPrefix(expected.type + "<") == true)
            }
            let sum = matching.reduce(into: Events(0, 0)) { sum, row in
                sum.allocations += row.allocations
                sum.frees += row.frees
            }
            let near = report.rows.filter { $0.size == expected.size }.map {
                "\($0.family ?? "?") \($0.type ?? "?") by \($0.cause ?? "?")"
            }
            #expect(sum == expected.events, "\(name): \(expected); of that size: \(near)")
        }
        #expect(report.trace.lost == 0)
        #expect(report.trace.complete)
    }

    @Test(arguments: names)
    func `an unoptimised twin shows its owners, causes and counts`(name: String) throws {
        try check(name, arguments: [])
    }

    @Test(arguments: names)
    func `an optimised twin shows its owners, causes and counts`(name: String) throws {
        try check(name, arguments: ["-O"])
    }
}
