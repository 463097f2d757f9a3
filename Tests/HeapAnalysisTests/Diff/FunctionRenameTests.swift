// Functions that have another name: taken for one only where figures show it, and nothing speaks against it.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct FunctionRenameTests {
    /// The difference between two recordings of functions that allocate so many blocks.
    private func diff(
        _ old: [(String, Int)], _ new: [(String, Int)], oldFile: String = "/src/a.c", newFile: String = "/src/a.c"
    ) -> ProfileDiff {
        func profile(_ functions: [(String, Int)], _ file: String) -> HeapProfile {
            DiffSources.sites(
                functions.flatMap { function, blocks in
                    Array(repeating: (function: function, file: file, line: 7), count: blocks)
                })
        }
        return ProfileDiff(old: profile(old, oldFile), new: profile(new, newFile))
    }

    private func renames(_ diff: ProfileDiff) -> [String] { diff.renames.map { "\($0.old) → \($0.new)" } }

    @Test func `a function whose name is gone is the one that is new with the same figures`() {
        let diff = diff([("main", 1), ("parse", 3)], [("main", 1), ("read", 3)])
        #expect(renames(diff) == ["parse → read"])
        #expect(diff.verdict == .nothing)
        let row = diff.rows(by: GroupingKey.site.fields).first { $0.key.row.site?.function == "read" }
        #expect(row?.formerSite == Site(function: "parse", file: "a.c"))
        #expect(row?.old?.figures.allocations == 3)
        #expect(row?.isChanged == false)
    }

    @Test func `it may have moved to another file, too`() {
        let diff = diff([("parse", 3)], [("read", 3)], newFile: "/src/moved.c")
        #expect(renames(diff) == ["parse → read"])
        #expect(diff.rows(by: GroupingKey.site.fields).map(\.key.row.site?.file) == ["moved.c"])
        #expect(diff.verdict == .nothing)
    }

    @Test func `other figures, two candidates, or a name that is in both are no proof`() {
        #expect(renames(diff([("parse", 3)], [("read", 4)])).isEmpty)
        #expect(diff([("parse", 3)], [("read", 4)]).verdict == .different)
        #expect(renames(diff([("parse", 3)], [("read", 3), ("scan", 3)])).isEmpty)
        #expect(renames(diff([("parse", 3), ("scan", 3)], [("read", 3)])).isEmpty)
        #expect(renames(diff([("parse", 3), ("read", 1)], [("read", 3)])).isEmpty)
        #expect(renames(diff([("parse", 3)], [("read", 3), ("parse", 1)])).isEmpty)
    }

    /// A recording of functions that allocate blocks for owners.
    private func profile(_ rows: [(function: String, owner: String, blocks: Int)], isSampled: Bool = false)
        -> HeapProfile
    {
        var source = ScriptedSource()
        source.facts.executablePath = "/bin/app"
        source.facts.isSampled = isSampled
        source.modules = [
            (0..<0x1000, LoadedModule(description: ModuleDescription(path: "/bin/app", buildID: []), bias: 0))
        ]
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        var address: UInt64 = 0x1000
        for (number, row) in rows.enumerated() {
            let stack = UInt32(number + 1)
            source.own(stack, family: "Box", type: row.owner, cause: "construct", addresses: [UInt64(stack)])
            frames[UInt64(number)] = [
                SymbolicatedFrame(
                    function: row.function, file: "/src/a.c", line: 1, language: .c, modulePath: "/bin/app")
            ]
            for _ in 0..<row.blocks {
                source.events.append(.allocate(address, size: 8, stack: stack, at: address))
                address += 0x100
            }
        }
        return source.profile(symbolicator: ListedSymbols(frames))
    }

    @Test func `what else the function allocates is set side by side, even where it differs`() {
        let diff = ProfileDiff(
            old: profile([("parse", "Box<A>", 3), ("parse", "Box<B>", 5)]),
            new: profile([("read", "Box<A>", 3), ("read", "Box<B>", 9)]))
        #expect(renames(diff) == ["parse → read"])
        let rows = diff.rows(by: GroupingKey.site.fields)
        #expect(rows.map { $0.change(.allocations) } == [4, 0])
        #expect(rows.allSatisfy { $0.old != nil && $0.new != nil })
        #expect(diff.verdict == .different)
    }

    @Test func `two owners that point to different functions prove nothing`() {
        let diff = ProfileDiff(
            old: profile([("parse", "Box<A>", 3), ("parse", "Box<B>", 5)]),
            new: profile([("read", "Box<A>", 3), ("scan", "Box<B>", 5)]))
        #expect(renames(diff).isEmpty)
        #expect(diff.rows(by: GroupingKey.site.fields).count == 4)
    }

    @Test func `estimates that are equal are no proof`() {
        let diff = ProfileDiff(
            old: profile([("parse", "Box<A>", 3)], isSampled: true),
            new: profile([("read", "Box<A>", 3)], isSampled: true))
        #expect(renames(diff).isEmpty)
    }

    @Test func `what a filter leaves out still speaks against it`() {
        let old = profile([("parse", "Box<A>", 3), ("read", "Box<B>", 5)])
        let new = profile([("read", "Box<A>", 3)])
        #expect(renames(ProfileDiff(old: old, new: new, filter: RowFilter(text: "Box<A>"))).isEmpty)
    }
}
