// One Rust program, many builds: what it owns is written above each of its functions, and every build must tell that story,
// in the same words with debug information, in fewer without.

internal import Foundation
import TestSupport
import Testing

@Suite(
    .enabled(if: BuildProducts.areBuilt, Machine.notBuilt),
    .enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"))
struct RustBuildTests {
    static let programs = ["rust-owners", "rust-collections", "rust-tasks", "rust-clones"]
    static let described: [[String]] = [
        [], ["-O"], ["-C", "opt-level=1"], ["-C", "opt-level=s"], ["-O", "-C", "symbol-mangling-version=v0"],
        ["-O", "-C", "lto=fat", "-C", "codegen-units=1", "-C", "panic=abort"],
        ["-O", "-C", "force-frame-pointers=yes"],
    ]

    /// Family, type and cause.
    struct Ownership: Hashable, CustomStringConvertible {
        var family: String
        var type: String
        var cause: String
        var description: String { "\(family) \(type) \(cause)" }
    }

    /// What the source says of each function: the line `// = family type cause; …` above it.
    private func expectations(of program: String) throws -> [String: Set<Ownership>] {
        let source = try String(contentsOfFile: BuildProducts.testProgram("\(program).rs"), encoding: .utf8)
        var result: [String: Set<Ownership>] = [:]
        var pending: Set<Ownership> = []
        for line in source.split(separator: "\n") {
            if line.hasPrefix("// = ") {
                for text in line.dropFirst(5).split(separator: ";") {
                    let words = text.split(separator: " ")
                    pending.insert(
                        Ownership(
                            family: String(words[0]), type: words.dropFirst().dropLast().joined(separator: " "),
                            cause: String(words[words.count - 1])))
                }
            } else if line.hasPrefix("fn "), !pending.isEmpty {
                result[String(line.dropFirst(3).prefix { $0 != "(" })] = pending
                pending = []
            }
        }
        return result
    }

    private func report(of program: String, arguments: [String]) throws -> Report {
        let file = try ProgramBuilder.build(testProgram: "\(program).rs", language: .rust, arguments: arguments)
        let recording = try Recording(file)
        #expect(recording.result.status == .exited(0))
        return try recording.report(by: "owner,cause,site")
    }

    /// What a report says of each function, in the program's own words.
    private func findings(in report: Report, program: String) -> [String: Set<Ownership>] {
        let crate = program.replacingOccurrences(of: "-", with: "_") + "::"
        var result: [String: Set<Ownership>] = [:]
        for row in report.rows {
            guard var site = row.site ?? nil else { continue }
            if let place = site.range(of: " (") { site = String(site[..<place.lowerBound]) }
            let type = (row.type ?? "").replacingOccurrences(of: crate, with: "")
            result[site.replacingOccurrences(of: crate, with: ""), default: []]
                .insert(Ownership(family: row.family ?? "", type: type, cause: row.cause ?? ""))
        }
        return result
    }

    @Test(arguments: programs, described)
    func `a build with debug information names owner and cause of every allocation`(
        program: String, arguments: [String]
    ) throws {
        let report = try report(of: program, arguments: arguments)
        let findings = findings(in: report, program: program)
        for (function, expected) in try expectations(of: program) {
            #expect(findings[function] == expected, "\(function), built with \(arguments)")
        }
        #expect((report.attributed.bytes ?? 0) >= 0.95 && (report.attributed.allocations ?? 0) >= 0.95)
    }

    /// What the function may be said to own where inlined functions are not known: the types without their arguments, or
    /// what a vector or a table may belong to.
    private func isTrue(_ found: Ownership, of expected: Set<Ownership>) -> Bool {
        for (text, families) in [
            ("alloc in ", Set<String>()), ("collection in ", []),
            ("Vec or String in ", ["Array", "String", "Cow"]),
            ("array in ", ["Array", "Box", "Cow"]), ("Vec of ", ["Array"]),
            // Nodes are boxes of the library's.
            ("Box, Rc or Arc in ", ["Box", "Shared", "Task", "Dictionary", "Set", "Array"]),
            ("Vec<u8> or String in ", ["Array", "String", "Cow"]),
            ("HashMap or HashSet in ", ["Dictionary", "Set"]), ("BTreeMap or BTreeSet in ", ["Dictionary", "Set"]),
        ] where found.type.hasPrefix(text) {
            return families.isEmpty || expected.contains { families.contains($0.family) }
        }
        // `Arc<[_]>` says that it is a slice.
        let end = found.type.firstIndex(of: "<").map {
            found.type[$0...].hasPrefix("<[") ? found.type.index($0, offsetBy: 2) : $0
        }
        let head = found.type[..<(end ?? found.type.endIndex)]
        let isBare = found.type.dropFirst(head.count).allSatisfy { "<_, >]".contains($0) }
        return expected.contains { truth in
            guard truth.family == found.family else { return false }
            // A heap's storage is a Vec, and its own functions are inlined.
            let names = truth.type.hasPrefix("BinaryHeap") ? [truth.type, "Vec<"] : [truth.type]
            return names.contains { isBare ? $0.hasPrefix(head) : $0 == found.type }
        }
    }

    @Test(arguments: programs, [["-O"], ["-O", "-C", "symbol-mangling-version=v0"], ["-C", "opt-level=s"]])
    func `a build without debug information says less, and nothing else`(program: String, arguments: [String]) throws {
        let report = try report(of: program, arguments: arguments + ["-C", "strip=debuginfo"])
        let expectations = try expectations(of: program)
        let findings = findings(in: report, program: program)
        #expect(!findings.isEmpty)
        for (function, found) in findings {
            guard let expected = expectations[function] else { continue }
            for ownership in found { #expect(isTrue(ownership, of: expected), "\(function): \(ownership)") }
        }
        #expect((report.attributed.bytes ?? 0) >= 0.85 && (report.attributed.allocations ?? 0) >= 0.85)
    }

    @Test(arguments: programs)
    func `a stripped build names no type of the program's`(program: String) throws {
        let report = try report(of: program, arguments: ["-O", "-C", "strip=symbols"])
        let crate = program.replacingOccurrences(of: "-", with: "_") + "::"
        #expect(report.trace.allocations > 0)
        for row in report.rows { #expect(row.type?.contains(crate) != true) }
    }

    @Test(arguments: programs)
    func `line tables alone name the owners that full debug information does`(program: String) throws {
        let arguments = ["-O", "-C", "debuginfo=line-tables-only"]
        let findings = findings(in: try report(of: program, arguments: arguments), program: program)
        for (function, expected) in try expectations(of: program) {
            // Closures have no enclosing function there, and an error's concrete type shows in the place of `dyn Error`.
            for ownership in findings[function] ?? [] {
                #expect(expected.contains(ownership), "\(function)")
            }
        }
        #expect(findings.count > 2)
    }
}
