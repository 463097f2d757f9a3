// Growth and copies of real programs whose containers tell themselves what they did: in each language, unoptimised and optimised, the same
// figures. The programs print `growth FUNCTION steps=N …` and `copy FUNCTION copies=N …`; each function must be the site of just that.

internal import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ChainTests {
    /// What the views' members of a report say.
    private struct Growth: Decodable {
        struct Row: Decodable {
            let type: String
            let site: String?
            let steps: Int
            let inPlace: Int
            let bytesCopied: Int
            let finalBytes: Sizes
            let reserve: Reserve?
        }
        struct Sizes: Decodable { let max: Int }
        struct Reserve: Decodable { let savedAllocations: Int }
        let steps: Int
        let rows: [Row]
    }
    private struct Copies: Decodable {
        struct Sum: Decodable { let blocks: Int }
        struct Row: Decodable {
            let type: String
            let site: String?
            let cause: String
            let made: Sum
            let temporary: Sum
            let resized: Sum
            let liveUnresized: Sum
        }
        let rows: [Row]
    }
    private struct Views: Decodable {
        let growth: Growth?
        let copies: Copies?
    }

    private func views(_ recording: Recording, _ view: String) throws -> Views {
        let text = try runChecked(
            BuildProducts.heaptrail(), ["report", recording.trace, "--view", view, "--json"], timeout: 120)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Views.self, from: Data(text.utf8))
    }

    /// Holds a program's views to what it printed.
    private func check(_ program: String) throws {
        let recording = try Recording(program)
        #expect(recording.result.isSuccess)
        let growth = try #require(try views(recording, "growth").growth)
        let copies = try #require(try views(recording, "copies").copies)
        var told = 0
        for line in recording.result.stdout.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 2, words[0] == "growth" || words[0] == "copy" else { continue }
            told += 1
            let pairs = words.dropFirst(2).map { $0.split(separator: "=") }.filter { $0.count == 2 }
            let values = Dictionary(uniqueKeysWithValues: pairs.map { (String($0[0]), Int($0[1]) ?? -1) })
            // `grow(`, `grow (` and `grow` alone, but not `growRows`.
            func isSite(_ site: String?) -> Bool {
                guard let site, let name = site.firstRange(of: words[1]) else { return false }
                return site[name.upperBound...].first.map { !$0.isLetter && $0 != "_" } ?? true
            }
            let grown = growth.rows.filter { isSite($0.site) }
            let copied = copies.rows.filter { isSite($0.site) }
            if words[0] == "growth" {
                #expect(grown.reduce(0) { $0 + $1.steps } == values["steps"], "\(line): \(grown)")
                if let inPlace = values["in_place"] {
                    #expect(grown.reduce(0) { $0 + $1.inPlace } == inPlace, "\(line)")
                }
                if let bytes = values["copied"] { #expect(grown.reduce(0) { $0 + $1.bytesCopied } == bytes, "\(line)") }
                if let final = values["final"] {
                    // Swift gives an array what the allocator gives beyond what was asked for.
                    let largest = grown.map(\.finalBytes.max).max() ?? 0
                    #expect(largest <= final && largest > final - 16, "\(line): \(largest)")
                }
                // Elements may be copied into it, the container itself is not.
                let types = Set(grown.map(\.type))
                #expect(!copied.contains { types.contains($0.type) }, "\(line): \(copied)")
                if grown.count == 1, let row = grown.first, row.inPlace == 0, values["steps"] ?? 0 > 3 {
                    #expect(row.reserve?.savedAllocations == row.steps, "\(line)")
                }
            } else {
                #expect(copied.reduce(0) { $0 + $1.made.blocks } == values["copies"], "\(line): \(copied)")
                if let count = values["at_once"] {
                    #expect(copied.reduce(0) { $0 + $1.temporary.blocks } == count, "\(line)")
                }
                if let count = values["resized"] {
                    #expect(copied.reduce(0) { $0 + $1.resized.blocks } == count, "\(line)")
                }
                if let count = values["live"] {
                    #expect(copied.reduce(0) { $0 + $1.liveUnresized.blocks } == count, "\(line)")
                }
            }
        }
        #expect(told > 4)
    }

    @Test(arguments: ["-O1", "-O0"])
    func `buffers of C that realloc moved, left in place or moved by their pages`(level: String) throws {
        try check(ProgramBuilder.build(testProgram: "chains.c", language: .c, arguments: [level, "-fno-builtin"]))
    }

    @Test(arguments: ["-O0", "-O2"])
    func `containers of C++ that grew and were copied`(level: String) throws {
        try check(ProgramBuilder.build(testProgram: "chains.cpp", language: .cxx, arguments: [level]))
    }

    @Test(
        .enabled(if: SourceLanguage.rust.isAvailable, "rustc 1.66 or later is not installed"),
        arguments: ["-Copt-level=0", "-Copt-level=3"])
    func `containers of Rust that grew and were cloned`(level: String) throws {
        try check(ProgramBuilder.build(testProgram: "chains.rs", language: .rust, arguments: [level]))
    }

    @Test(
        .enabled(if: SourceLanguage.swift.isAvailable, "swiftc is not installed"), arguments: ["-Onone", "-O"])
    func `containers of Swift that grew and were copied because they were shared`(level: String) throws {
        let program = try ProgramBuilder.build(
            testProgram: "chains.swift", language: .swift, arguments: [level, "-parse-as-library"])
        try check(program)
        // Each cause has its own rows in every report.
        let rows = try Recording(program).report(by: "site").rows
        let copied = rows.filter { $0.site?.contains("copyByAppend") == true && $0.cause == "copyOnWrite" }
        #expect(copied.map(\.allocations) == [12])
        #expect(rows.allSatisfy { $0.site?.contains("copyBy") != true || $0.cause != "growth" })
        #expect(rows.reduce(0) { $0 + $1.allocations } == (try Recording(program).report().trace.allocations))
    }

    @Test func `a sampled trace has no growth and no copies, in words and as null`() throws {
        let program = try ProgramBuilder.build(
            testProgram: "chains.c", language: .c, arguments: ["-O1", "-fno-builtin"])
        let recording = try Recording(program, options: ["--sample", "1KiB"])
        for view in ["growth", "copies"] {
            let views = try views(recording, view)
            #expect(views.growth == nil)
            #expect(views.copies == nil)
            let text = try runChecked(
                BuildProducts.heaptrail(), ["report", recording.trace, "--view", view], timeout: 120)
            #expect(text.contains("sampled trace: record without --sample"))
        }
    }
}
