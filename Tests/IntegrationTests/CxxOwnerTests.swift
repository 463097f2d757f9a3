// C++ programs whose owners are known, built by two compilers for two standard libraries, with and without optimization and
// debug information. Every function of Tests/Programs/owners.cpp is a site; its table says what it may own.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct CxxOwnerTests {
    /// One way to build the program.
    struct Build: Sendable, CustomTestStringConvertible {
        let compiler: String
        let arguments: [String]

        init(_ compiler: String, _ arguments: String...) {
            self.compiler = compiler
            self.arguments = arguments
        }

        /// Skips the test where the compiler or the standard library is not installed.
        func require() throws {
            guard Tool.isInstalled(compiler) else { try skip("\(compiler) is not installed") }
            let source = "#include <coroutine>\nint main() {}\n"
            do {
                _ = try ProgramBuilder.build(
                    source, language: .cxx, name: "probe", arguments: ["-std=c++20"] + arguments, compiler: compiler)
            } catch {
                try skip("\(testDescription) builds no program here: libc++-dev is not installed")
            }
        }

        var testDescription: String { "\(compiler) \(arguments.joined(separator: " "))" }
    }

    /// An owner as the program's table names it.
    struct Owner: Hashable, CustomStringConvertible {
        let family: String
        let type: String

        var description: String { "\(family) \(type)" }

        /// Whether a row without debug information says the same and no more than is known: a type without its arguments,
        /// one of two containers that look alike, or the function that called operator new.
        func isToldCoarsely(by row: Owner, site: String) -> Bool {
            if row.type == "new in \(site)" || row.type == "new[] in \(site)" { return true }
            // An inlined pattern leaves the containers that it is made of.
            if type == "std::regex" { return true }
            let bare = type.split(separator: "<").first.map(String.init) ?? type
            if row.type.components(separatedBy: " or ").contains(bare.replacingOccurrences(of: "multi", with: "")) {
                return true
            }
            guard row.family == family else { return false }
            let spelled = row.type.replacingOccurrences(of: "(multi)", with: "multi")
            return row.type == bare || spelled == type
                || row.type.replacingOccurrences(of: "(multi)", with: "") == type
        }
    }

    static let detailed = [
        Build("g++", "-O0"), Build("g++", "-O2"), Build("clang++", "-O0"), Build("clang++", "-O3"),
        Build("clang++", "-O2", "-stdlib=libc++"),
    ]
    static let bare = [
        Build("g++", "-O0", "-g0"), Build("g++", "-O2", "-g0"), Build("g++", "-O3", "-g0", "-flto"),
        Build("clang++", "-O2", "-g0"), Build("clang++", "-O2", "-g0", "-stdlib=libc++"),
    ]

    /// The owners of each function, from the program's own table.
    private static func table() throws -> [String: Set<Owner>] {
        let text = try String(contentsOfFile: BuildProducts.testProgram("owners.cpp"), encoding: .utf8)
        var table: [String: Set<Owner>] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("//! ") {
            let parts = line.dropFirst(4).split(separator: ":", maxSplits: 1)
            let owners = String(try #require(parts.last)).components(separatedBy: " / ").map { owner in
                let words = owner.trimmingCharacters(in: .whitespaces).split(separator: " ", maxSplits: 1)
                return Owner(family: String(words[0]), type: String(words[1]))
            }
            table[String(parts[0])] = Set(owners)
        }
        return table
    }

    private static func report(_ build: Build, stripped: Bool = false) throws -> Report {
        try build.require()
        let arguments = ["-std=c++20"] + build.arguments + (stripped ? ["-s"] : [])
        let program = try ProgramBuilder.build(
            testProgram: "owners.cpp", language: .cxx, arguments: arguments, compiler: build.compiler)
        let recording = try Recording(program, ["3"])
        #expect(recording.result.status == .exited(0), "\(recording.result.stderr)")
        return try recording.wholeReport(by: "family,owner,site")
    }

    /// The function that a site names, without the place in its file.
    private static func function(of row: Report.Row) -> String? {
        row.site.map { site in site.components(separatedBy: " (").first ?? site }
    }

    @Test(arguments: detailed)
    func `with debug information every block has its owner by name`(build: Build) throws {
        let table = try Self.table()
        let report = try Self.report(build)
        var seen: Set<String> = []
        for row in report.rows {
            guard let site = Self.function(of: row), let known = table[site] else { continue }
            let owner = Owner(family: row.family ?? "", type: row.type ?? "")
            #expect(known.contains(owner), "\(site): \(owner)")
            seen.insert(site)
        }
        #expect(seen.count >= table.count - 4, "\(table.keys.filter { !seen.contains($0) })")
        #expect((report.attributed.allocations ?? 0) >= 0.95)
        #expect((report.attributed.bytes ?? 0) >= 0.95)
    }

    @Test(arguments: bare)
    func `without debug information a block has the same owner, or less of its name`(build: Build) throws {
        let table = try Self.table()
        let report = try Self.report(build)
        var seen: Set<String> = []
        for row in report.rows {
            guard let site = Self.function(of: row), let known = table[site] else { continue }
            let owner = Owner(family: row.family ?? "", type: row.type ?? "")
            let isTold = known.contains(owner) || known.contains { $0.isToldCoarsely(by: owner, site: site) }
            #expect(isTold, "\(site): \(owner)")
            seen.insert(site)
        }
        #expect(seen.count >= table.count / 2, "\(table.keys.filter { !seen.contains($0) })")
        #expect((report.attributed.allocations ?? 0) >= 0.85)
        #expect((report.attributed.bytes ?? 0) >= 0.85)
    }

    @Test
    func `of a stripped program most bytes have a named owner`() throws {
        let report = try Self.report(Build("g++", "-O2", "-g0"), stripped: true)
        #expect((report.attributed.bytes ?? 0) >= 0.85)
        let types = Set(report.rows.compactMap(\.type))
        // What virtual tables, length checks and imported functions tell without a symbol.
        #expect(types.isSuperset(of: ["geo::Circle", "std::shared_ptr<geo::Mesh>", "std::vector", "std::string"]))
        #expect(!types.contains("geo::Mesh::Mesh"))
    }
}
