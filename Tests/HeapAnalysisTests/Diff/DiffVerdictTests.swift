// What each verdict rests on, and what it leaves to the allocators.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct DiffVerdictTests {
    @Test func `the order of events is told apart from what was done`() {
        var old = DiffSources.owners([("A", [100]), ("B", [200])])
        var new = old
        old.events.append(.free(0x1000, at: 0x9000))
        new.events.insert(.free(0x1000, at: 0x1500), at: 1)
        let diff = DiffSources.diff(old, new)
        #expect(diff.verdict == .order)
        #expect(diff.rows(by: DiffSources.owner).first { $0.key.row.type == "A" }?.change(.peakBytes) == -100)
    }

    @Test func `verdicts are of what passes the filter`() {
        let old = DiffSources.owners([("Apple", [10]), ("Pear", [10])])
        let new = DiffSources.owners([("Apple", [10]), ("Pear", [99])])
        #expect(DiffSources.diff(old, new).verdict == .different)
        #expect(DiffSources.diff(old, new, filter: RowFilter(text: "apple")).verdict == .nothing)
        #expect(DiffSources.diff(old, new, filter: RowFilter(text: "plum")).verdict == .empty)
        #expect(DiffSources.diff(old, new, filter: RowFilter(text: "plum")).total == nil)
    }

    @Test func `only slack differs where the allocator gave other sizes`() throws {
        var old = DiffSources.owners([("A", [10, 20]), ("B", [30])])
        var new = old
        old.usable = [10: 24, 20: 24, 30: 40]
        new.usable = [10: 16, 20: 32, 30: 32]
        new.facts.allocator = "jemalloc"
        let diff = DiffSources.diff(old, new)
        #expect(diff.verdict == .slack)
        #expect(diff.caveats == [.allocators(old: "glibc", new: "jemalloc")])
        #expect(diff.hasOtherAllocator)
        let rows = diff.rows(by: DiffSources.owner)
        #expect(rows.map { $0.change(.slackBytes) } == [-8, 0])
        #expect(rows.map(\.isChanged) == [false, false])
        #expect(rows.map(\.hasOtherSlack) == [true, false])
    }

    @Test func `slack that one side does not know is not compared`() {
        var old = DiffSources.owners([("A", [10])])
        let new = old
        old.usable = [10: 24]
        let row = DiffSources.diff(old, new).rows(by: DiffSources.owner)[0]
        #expect(row.change(.slackBytes) == nil)
        #expect(!row.isChanged)
        #expect(DiffSources.diff(old, new).verdict == .slack)
    }

    @Test func `what only an allocator's library does is no doing of the program`() {
        func profile(allocator: String, withLibrary: Bool) -> HeapProfile {
            var source = ScriptedSource()
            source.facts.allocator = allocator
            source.modules = [
                (0..<0x1000, LoadedModule(description: ModuleDescription(path: "/bin/app", buildID: []), bias: 0)),
                (
                    0x1000..<0x2000,
                    LoadedModule(description: ModuleDescription(path: "/lib/libstdc++.so.6", buildID: []), bias: 0x1000)
                ),
            ]
            let addresses: [UInt64] = withLibrary ? [0x101, 0x1201] : [0x101]
            for (number, address) in addresses.enumerated() {
                source.stacks[UInt32(number + 1)] = SourceStack(addresses: [address], firstUse: 0, isTruncated: false)
                source.events.append(.allocate(UInt64(number + 1) * 4096, size: 8, stack: UInt32(number + 1), at: 1))
            }
            let symbols = ListedSymbols([
                0x100: [
                    SymbolicatedFrame(
                        function: "main", file: "/src/main.c", line: 3, language: .c, modulePath: "/bin/app")
                ]
            ])
            return source.profile(symbolicator: symbols)
        }
        let plain = profile(allocator: "glibc", withLibrary: false)
        let brought = ProfileDiff(old: plain, new: profile(allocator: "jemalloc", withLibrary: true))
        #expect(brought.verdict == .slack)
        #expect(brought.broughtAlong.map { $0.change(.allocations) } == [1])
        // On one allocator the same row is the program's doing.
        let loaded = ProfileDiff(old: plain, new: profile(allocator: "glibc", withLibrary: true))
        #expect(loaded.verdict == .different)
        #expect(loaded.broughtAlong.isEmpty)
    }
}
