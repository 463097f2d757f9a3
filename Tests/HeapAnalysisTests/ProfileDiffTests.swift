// Differences of scripted recordings: what is matched, what is told apart, and what each verdict rests on.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct ProfileDiffTests {
    /// A recording in which stack n allocates blocks of an owner's.
    private func source(_ owners: [(type: String, sizes: [UInt64])], cause: String = "construct") -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.program = "app"
        source.facts.allocator = "glibc"
        source.facts.nanosecondsPerTick = 1
        var address: UInt64 = 0x1000
        for (index, owner) in owners.enumerated() {
            let stack = UInt32(index + 1)
            source.own(stack, family: "Class", type: owner.type, cause: cause, addresses: place(of: owner.type))
            for size in owner.sizes {
                source.events.append(.allocate(address, size: size, stack: stack, at: address))
                address += 0x1000
            }
        }
        return source
    }

    /// Where an owner allocates, the same in every recording.
    private func place(of type: String) -> [UInt64] { [type.utf8.reduce(1) { $0 * 31 + UInt64($1) }] }

    private func diff(_ old: ScriptedSource, _ new: ScriptedSource, filter: RowFilter = RowFilter()) -> ProfileDiff {
        ProfileDiff(old: old.profile(), new: new.profile(), filter: filter)
    }

    private let owner = GroupingKey.owner.fields

    @Test func `two recordings of the same events differ in nothing`() {
        let one = source([("A", [10, 20]), ("B", [30])])
        let diff = diff(one, one)
        #expect(diff.verdict == .nothing)
        #expect(diff.caveats.isEmpty)
        #expect(diff.rows(by: owner).allSatisfy { !$0.isChanged && !$0.hasOtherSlack })
        for figure in DiffFigure.ofProgram { #expect(diff.total?.change(figure) == 0) }
    }

    @Test func `rows are matched by name, whatever order their stacks come in`() {
        let diff = diff(source([("A", [10]), ("B", [20, 20])]), source([("B", [20, 20]), ("A", [10])]))
        #expect(diff.verdict == .nothing)
        #expect(diff.rows(by: owner).map(\.key.row.type) == ["B", "A"])
    }

    @Test func `changes are new less old, the largest first, and rows on one side are marked`() throws {
        let old = source([("A", [100]), ("Gone", [50]), ("Same", [7])])
        let new = source([("A", [100, 8]), ("New", [300, 300]), ("Same", [7])])
        let rows = diff(old, new).rows(by: owner)
        #expect(rows.map(\.key.row.type) == ["New", "Gone", "A", "Same"])
        #expect(rows.map { $0.change(.bytes) } == [600, -50, 8, 0])
        #expect(rows.map { $0.change(.allocations) } == [2, -1, 1, 0])
        #expect(rows.map { $0.old == nil } == [true, false, false, false])
        #expect(rows.map { $0.new == nil } == [false, true, false, false])
        #expect(rows.map(\.isChanged) == [true, true, true, false])
        let total = try #require(diff(old, new).total)
        #expect(total.change(.bytes) == 558)
        #expect(total.old?.figures.bytes == 157)
        #expect(diff(old, new).verdict == .different)
    }

    @Test func `a change of what is live or at the peak counts as much as one of all bytes`() {
        var old = source([("Kept", [500]), ("More", [100])])
        old.events.append(.free(0x1000, at: 0x9000))
        let new = source([("Kept", [500]), ("More", [100, 60])])
        let rows = diff(old, new).rows(by: owner)
        #expect(rows.map(\.key.row.type) == ["Kept", "More"])
        #expect(rows[0].change(.liveBytes) == 500)
        #expect(rows[0].change(.bytes) == 0)
        #expect(rows[0].change(.frees) == -1)
    }

    @Test func `only slack differs where the allocator gave other sizes`() throws {
        var old = source([("A", [10, 20]), ("B", [30])])
        var new = old
        old.usable = [10: 24, 20: 24, 30: 40]
        new.usable = [10: 16, 20: 32, 30: 32]
        new.facts.allocator = "jemalloc"
        let diff = diff(old, new)
        #expect(diff.verdict == .slack)
        #expect(diff.caveats == [.allocators(old: "glibc", new: "jemalloc")])
        #expect(diff.hasOtherAllocator)
        let rows = diff.rows(by: owner)
        #expect(rows.map { $0.change(.slackBytes) } == [-8, 0])
        #expect(rows.map(\.isChanged) == [false, false])
        #expect(rows.map(\.hasOtherSlack) == [true, false])
    }

    @Test func `slack that one side does not know is not compared`() {
        var old = source([("A", [10])])
        let new = old
        old.usable = [10: 24]
        let row = diff(old, new).rows(by: owner)[0]
        #expect(row.change(.slackBytes) == nil)
        #expect(!row.isChanged)
        #expect(diff(old, new).verdict == .slack)
    }

    @Test func `slack by owner names who pays more, over the run and at the peak`() {
        var old = source([("A", [10, 20]), ("B", [30])])
        var new = old
        old.usable = [10: 24, 20: 24, 30: 40]
        new.usable = [10: 16, 20: 64, 30: 32]
        var fields = owner
        fields.insert(.size)
        let slack = SlackDiff(old: old.profile(fields: fields), new: new.profile(fields: fields), by: owner)
        #expect(slack.rows.map(\.key.row.type) == ["A", "B"])
        #expect(slack.rows.map(\.change) == [32, -8])
        #expect(slack.rows.map(\.changeAtPeak) == [32, -8])
        #expect(slack.total.old?.slackBytes == 28)
        #expect(slack.total.new?.share == 52.0 / 112)
    }

    @Test func `the order of events is told apart from what was done`() {
        var old = source([("A", [100]), ("B", [200])])
        var new = old
        old.events.append(.free(0x1000, at: 0x9000))
        new.events.insert(.free(0x1000, at: 0x1500), at: 1)
        let diff = diff(old, new)
        #expect(diff.verdict == .order)
        #expect(diff.rows(by: owner).first { $0.key.row.type == "A" }?.change(.peakBytes) == -100)
    }

    @Test func `causes of one owner are rows of their own`() {
        let diff = diff(source([("A", [10])]), source([("A", [10])], cause: "clone"))
        #expect(diff.verdict == .different)
        #expect(diff.rows(by: owner).allSatisfy { !$0.isChanged })
        #expect(diff.rows(by: .cause).map { $0.key.row.cause } == [.clone, .construct])
    }

    @Test func `verdicts are of what passes the filter`() {
        let old = source([("Apple", [10]), ("Pear", [10])])
        let new = source([("Apple", [10]), ("Pear", [99])])
        #expect(diff(old, new).verdict == .different)
        #expect(diff(old, new, filter: RowFilter(text: "apple")).verdict == .nothing)
        #expect(diff(old, new, filter: RowFilter(text: "plum")).verdict == .empty)
        #expect(diff(old, new, filter: RowFilter(text: "plum")).total == nil)
    }

    // MARK: - Sites, modules, threads

    /// A recording of an executable whose functions have these places.
    private func sited(_ sites: [(function: String, file: String?, line: Int?)], executable: String = "/bin/app")
        -> HeapProfile
    {
        var source = ScriptedSource()
        source.facts.executablePath = executable
        source.modules = [
            (0..<0x1000, LoadedModule(description: ModuleDescription(path: executable, buildID: []), bias: 0))
        ]
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        for (number, site) in sites.enumerated() {
            source.own(
                UInt32(number + 1), family: "Box", type: "Box<T>", cause: "construct", addresses: [UInt64(number) + 1])
            source.events.append(.allocate(UInt64(number + 1) * 16, size: 8, stack: UInt32(number + 1), at: 1))
            frames[UInt64(number)] = [
                SymbolicatedFrame(
                    function: site.function, file: site.file, line: site.line, language: .c, modulePath: executable)
            ]
        }
        return source.profile(symbolicator: ListedSymbols(frames))
    }

    private func sites(_ old: HeapProfile, _ new: HeapProfile) -> [DiffRow] {
        ProfileDiff(old: old, new: new).rows(by: GroupingKey.site.fields)
    }

    @Test func `a site is its function and file; lines and folders may change`() {
        let old = sited([("make", "/old/src/a.c", 7), ("make", "/old/src/a.c", 9)])
        let new = sited([("make", "/new/tree/a.c", 70), ("make.constprop.0", "/new/tree/a.c", 71)])
        let rows = sites(old, new)
        #expect(rows.count == 1)
        #expect(rows[0].key.row.site == Site(function: "make", file: "a.c"))
        #expect(rows[0].old?.figures.allocations == 2)
        #expect(!rows[0].isChanged)
    }

    @Test func `functions of one name in two files are two sites`() {
        let both = sited([("make", "/src/a.c", 7), ("make", "/src/b.c", 7)])
        #expect(sites(both, both).map(\.key.row.site?.file) == ["a.c", "b.c"])
        #expect(ProfileDiff(old: both, new: both).verdict == .nothing)
    }

    @Test func `a function that moved to another file is matched where there is no doubt`() {
        let rows = sites(sited([("make", "/src/a.c", 7)]), sited([("make", "/src/moved.c", 3)]))
        #expect(rows.map(\.key.row.site?.file) == ["moved.c"])
        #expect(rows.map(\.isChanged) == [false])
        let doubtful = sites(
            sited([("make", "/src/a.c", 7)]), sited([("make", "/src/b.c", 3), ("make", "/src/c.c", 3)]))
        #expect(doubtful.count == 3)
        #expect(doubtful.filter { $0.old != nil && $0.new != nil }.isEmpty)
    }

    @Test func `the executables are one module, whatever they are called`() {
        let old = sited([("make", "/src/a.c", 7)], executable: "/tmp/app-old")
        let new = sited([("make", "/src/a.c", 7)], executable: "/bin/app")
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

    // MARK: - Caveats

    @Test func `recordings that are not of one kind are told`() {
        var old = source([("A", [10])])
        var new = old
        old.facts.isComplete = false
        old.facts.lost = 3
        old.facts.ending = .exited(0)
        new.facts.mode = "text"
        new.facts.isAttached = true
        new.facts.ending = .killed(9)
        new.facts.program = "/opt/other"
        #expect(
            diff(old, new).caveats == [
                .programs(old: "app", new: "other"), .incomplete(.old), .lost(.old, events: 3), .text(.new),
                .attached(.new),
                .endings(old: .exited(0), new: .killed(9)),
            ])
        var empty = new
        empty.events = []
        #expect(diff(new, empty).caveats.contains(.withoutEvents(.new)))
        var bare = source([("A", [10])])
        bare.stacks = [:]
        #expect(diff(bare, bare).caveats == [.withoutStacks(.old), .withoutStacks(.new)])
    }

    // MARK: - Samples

    /// A sample in which each of `owners` was hit so often by allocations of 100 bytes, each of which stands for `weight`.
    private func sample(_ owners: [(type: String, hits: Int)], weight: Float = 10) -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.isSampled = true
        source.facts.sampleBytes = 1000
        for (index, owner) in owners.enumerated() {
            let stack = UInt32(index + 1)
            source.own(stack, family: "Class", type: owner.type, cause: "construct", addresses: place(of: owner.type))
            for hit in 0..<owner.hits {
                source.events.append(
                    .allocate(
                        UInt64(index + 1) << 20 | UInt64(hit) * 256, size: 100, stack: stack, at: 1, weight: weight))
            }
        }
        return source
    }

    @Test func `differences of samples within two standard errors are noise`() throws {
        // 100 hits of weight 10: 1,000 allocations, ± the root of 100 · 10 · 9, or 94.9; the difference of two such ± 134.
        let diff = diff(sample([("A", 100), ("B", 100)]), sample([("A", 120), ("B", 200)]))
        let rows = diff.rows(by: owner)
        #expect(rows.map(\.key.row.type) == ["B", "A"])
        let error = try #require(diff.error(rows[1], .allocations))
        #expect(abs(error - (90.0 * 220).squareRoot()) < 1e-6)
        #expect(rows.map { diff.isNoise($0) } == [false, true])
        #expect(diff.verdict == .different)
        #expect(self.diff(sample([("A", 100)]), sample([("A", 120)])).verdict == .noise)
        #expect(self.diff(sample([("A", 100)]), sample([("A", 100)])).verdict == .nothing)
    }

    @Test func `an owner that only one sample hit may be chance`() {
        let once = diff(sample([("A", 100)]), sample([("A", 100), ("B", 1)]))
        #expect(once.rows(by: owner).first { $0.new != nil && $0.old == nil }.map { once.isNoise($0) } == true)
        let often = diff(sample([("A", 100)]), sample([("A", 100), ("B", 50)]))
        #expect(often.rows(by: owner).first { $0.new != nil && $0.old == nil }.map { often.isNoise($0) } == false)
    }

    @Test func `a sample beside a complete recording is told, and its errors are the difference's`() throws {
        let complete = source([("A", [UInt64](repeating: 100, count: 1000))])
        var sampled = sample([("A", 105)])
        sampled.facts.program = "app"
        sampled.facts.allocator = "glibc"
        let diff = diff(complete, sampled)
        #expect(diff.caveats.contains(.sampling(old: nil, new: 1000)))
        let row = try #require(diff.rows(by: owner).first)
        #expect(diff.error(row, .allocations) == (90.0 * 105).squareRoot())
        #expect(diff.verdict == .noise)
        #expect(!self.diff(complete, complete).isSampled)
    }
}
