// Sites, modules and threads of two builds: what is one although the builds differ.
@testable import HeapAnalysis
import Testing

@Suite struct DiffSiteTests {
    private func sites(_ old: HeapProfile, _ new: HeapProfile) -> [DiffRow] {
        ProfileDiff(old: old, new: new).rows(by: GroupingKey.site.fields)
    }

    @Test func `a site is its function and file; lines and folders may change`() {
        let old = DiffSources.sites([("make", "/old/src/a.c", 7), ("make", "/old/src/a.c", 9)])
        let new = DiffSources.sites([("make", "/new/tree/a.c", 70), ("make.constprop.0", "/new/tree/a.c", 71)])
        let rows = sites(old, new)
        #expect(rows.count == 1)
        #expect(rows[0].key.row.site == Site(function: "make", file: "a.c"))
        #expect(rows[0].old?.figures.allocations == 2)
        #expect(!rows[0].isChanged)
    }

    @Test func `functions of one name in two files are two sites`() {
        let both = DiffSources.sites([("make", "/src/a.c", 7), ("make", "/src/b.c", 7)])
        #expect(sites(both, both).map(\.key.row.site?.file) == ["a.c", "b.c"])
        #expect(ProfileDiff(old: both, new: both).verdict == .nothing)
    }

    @Test func `a function that moved to another file is matched where there is no doubt`() {
        let rows = sites(DiffSources.sites([("make", "/src/a.c", 7)]), DiffSources.sites([("make", "/src/moved.c", 3)]))
        #expect(rows.map(\.key.row.site?.file) == ["moved.c"])
        #expect(rows.map(\.isChanged) == [false])
        let doubtful = sites(
            DiffSources.sites([("make", "/src/a.c", 7)]),
            DiffSources.sites([("make", "/src/b.c", 3), ("make", "/src/c.c", 3)]))
        #expect(doubtful.count == 3)
        #expect(doubtful.filter { $0.old != nil && $0.new != nil }.isEmpty)
    }

    @Test func `the executables are one module, whatever they are called`() {
        let old = DiffSources.sites([("make", "/src/a.c", 7)], executable: "/tmp/app-old")
        let new = DiffSources.sites([("make", "/src/a.c", 7)], executable: "/bin/app")
        let diff = ProfileDiff(old: old, new: new)
        #expect(diff.rows(by: .module).map(\.key.row.module) == ["app"])
        #expect(diff.caveats == [.programs(old: "app-old", new: "app")])
        #expect(diff.verdict == .nothing)
    }

    @Test func `threads are matched by name, the main one as such, nameless ones by number`() {
        func profile(_ names: [Int: String]) -> HeapProfile {
            var source = ScriptedSource()
            source.threadNames = names.map { ThreadName(serial: $0, threadID: nil, name: $1) }
            for thread in 1...4 as ClosedRange<UInt32> {
                source.events.append(.allocate(UInt64(thread) * 16, size: 8, thread: thread, at: UInt64(thread)))
            }
            return source.profile(fields: .thread)
        }
        let old = profile([1: "app", 2: "app", 3: "io", 4: "worker"])
        let new = profile([1: "app", 2: "app", 3: "worker", 4: "io"])
        let rows = ProfileDiff(old: old, new: new).rows(by: .thread)
        #expect(rows.map(\.key.thread) == ["io", "main", "thread 2", "worker"])
        #expect(rows.map(\.isChanged) == [false, false, false, false])
    }
}
