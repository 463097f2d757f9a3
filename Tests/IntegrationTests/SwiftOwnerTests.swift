// Swift programs whose owners are known: the source says in `// expect:` lines what a report of it must show, and every build of it is held to
// the same lines, optimised or not, with the standard library shared or linked in, with symbols or stripped.

internal import Foundation
import TestSupport
import Testing

@Suite(
    .enabled(if: BuildProducts.areBuilt, Machine.notBuilt),
    .enabled(if: SourceLanguage.swift.isAvailable, "swiftc is not installed"))
struct SwiftOwnerTests {
    /// One `// expect: family | type | cause | allocations` line.
    struct Expectation {
        let family: String
        let type: String
        let cause: String
        let allocations: Int

        init?(_ line: Substring) {
            guard line.hasPrefix("// expect: ") else { return nil }
            let fields = line.dropFirst("// expect: ".count).components(separatedBy: " | ")
            guard fields.count == 4, let allocations = Int(fields[3]) else { return nil }
            (family, type, cause, self.allocations) = (fields[0], fields[1], fields[2], allocations)
        }
    }

    static let source = "swift-owners.swift"

    static func expectations() throws -> [Expectation] {
        let text = try String(contentsOfFile: BuildProducts.testProgram(source), encoding: .utf8)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("// expect: ") }
        let expectations = lines.compactMap(Expectation.init)
        try #require(!lines.isEmpty && expectations.count == lines.count)
        return expectations
    }

    private func program(_ arguments: [String], name: String = "owners") throws -> String {
        try ProgramBuilder.build(
            testProgram: Self.source, language: .swift, name: name,
            arguments: ["-parse-as-library", "-module-name", "owners"] + arguments)
    }

    private func check(_ program: String, where isChecked: (Expectation) -> Bool = { _ in true }) throws -> Report {
        let recording = try Recording(program)
        #expect(recording.result.status == 0)
        #expect(recording.result.stdout == "6\n")
        let report = try recording.wholeReport(by: "owner,cause")
        for expected in try Self.expectations() where isChecked(expected) {
            let matching = report.rows.filter {
                $0.family == expected.family && $0.type == expected.type
                    && (expected.cause == "*" || $0.cause == expected.cause)
            }
            let found = matching.reduce(0) { $0 + $1.allocations }
            #expect(found == expected.allocations, "\(expected.family) \(expected.type) \(expected.cause)")
        }
        return report
    }

    @Test("debug and release builds tell the same, true story", arguments: [["-Onone"], ["-O"]])
    func known(arguments: [String]) throws {
        let report = try check(try program(arguments))
        #expect((report.attributed?.bytes ?? 0) >= 0.95)
        #expect((report.attributed?.allocations ?? 0) >= 0.95)
    }

    @Test("with the standard library linked in, the story is the same")
    func staticLibrary() throws {
        let report = try check(try program(["-O", "-static-stdlib"], name: "owners-static"))
        #expect((report.attributed?.bytes ?? 0) >= 0.95)
    }

    @Test("a stripped program still says what the metadata says")
    func stripped() throws {
        let folder = try TemporaryDirectory()
        let copy = folder.file("owners")
        try runChecked(try Tool.require("strip"), ["-o", copy, try program(["-O"])])
        // What names functions is gone, and with it what tells a closure's context from other boxes.
        let report = try check(copy) { !$0.type.contains(" in ") && $0.family != "Box" && $0.family != "Data" }
        #expect((report.attributed?.bytes ?? 0) >= 0.85)
        #expect((report.attributed?.allocations ?? 0) >= 0.85)
    }

    @Test("without the runtime's types, frames name what they can and nothing else")
    func framesAlone() throws {
        let recording = try Recording(try program(["-O"]), options: ["--no-swift-types"])
        let report = try recording.wholeReport(by: "owner,cause")
        let families = Set(report.rows.compactMap(\.family))
        #expect(families.isSuperset(of: ["Array", "String", "Dictionary", "Set", "Task"]))
        let types = report.rows.filter { $0.language == "swift" && $0.family == "Set" }.compactMap(\.type)
        #expect(types.allSatisfy { $0 == "Set" || $0 == "Set<UInt16>" })
    }
}
