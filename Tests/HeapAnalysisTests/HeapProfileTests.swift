// Profiles: what is resolved, how rows group and sum, and that the same events give the same profile.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct HeapProfileTests {
    /// Three owners, two threads, three sizes; `Box<Matrix>` by two stacks.
    private func sample() -> ScriptedSource {
        var source = ScriptedSource()
        source.own(1, family: "Box", type: "Box<Matrix>", cause: "construct", addresses: [0x1101, 0x1201])
        source.own(2, family: "Box", type: "Box<Matrix>", cause: "clone", addresses: [0x1102, 0x1201])
        source.own(3, family: "String", type: "String", cause: "growth", addresses: [0x2101, 0x1201])
        source.modules = [
            (
                0x1000..<0x2000,
                LoadedModule(description: ModuleDescription(path: "/bin/app", buildID: []), bias: 0x1000)
            ),
            (
                0x2000..<0x3000,
                LoadedModule(description: ModuleDescription(path: "/lib/libfoo.so", buildID: []), bias: 0x2000)
            ),
        ]
        source.usable = [505: 520, 40: 40]
        source.facts.nanosecondsPerTick = 2
        source.events = [
            .allocate(0x10, size: 505, stack: 1, thread: 1, at: 10),
            .allocate(0x20, size: 40, stack: 3, thread: 2, at: 20),
            .free(0x10, thread: 1, at: 110), .allocate(0x30, size: 505, stack: 2, thread: 2, at: 120),
            .allocate(0x40, size: 77, stack: 0, thread: 1, at: 130), .free(0x90, thread: 1, at: 140),
            .free(0x20, thread: 2, at: 150),
        ]
        return source
    }

    @Test func rowsOfEveryGroupingSumToTheTrace() {
        for keys in [[.family], [.owner], [.cause], [.site], [.size], [.thread], [.module], [.owner, .size, .thread]]
            as [[GroupingKey]]
        {
            let fields = RowFields(keys)
            let profile = sample().profile(fields: fields)
            let rows = profile.rows(by: fields)
            let trace = profile.trace
            #expect(rows.reduce(0) { $0 + $1.figures.allocations } == trace.allocations)
            #expect(rows.reduce(0) { $0 + $1.figures.frees } == trace.frees - trace.unmatchedFrees)
            #expect(rows.reduce(0) { $0 + $1.figures.bytes } == trace.bytesAllocated)
            #expect(rows.reduce(0) { $0 + $1.figures.peakBytes } == trace.peakBytes)
            #expect(rows.reduce(0) { $0 + $1.figures.liveBytes } == trace.liveBytes)
            #expect(rows.reduce(0) { $0 + $1.figures.liveBlocks } == trace.liveBlocks)
            #expect(rows.reduce(0) { $0 + $1.figures.temporary } == trace.temporary)
            #expect(Set(rows.map(\.key)).count == rows.count)
        }
    }

    @Test func anOwnersRowHoldsTheSumsOfItsStacks() throws {
        let rows = sample().profile().rows(by: GroupingKey.owner.fields)
        #expect(rows.map(\.key.family) == ["Box", "Unattributed", "String"])
        let box = try #require(rows.first)
        #expect(box.key.family == "Box")
        #expect(box.figures.allocations == 2)
        #expect(box.figures.frees == 1)
        #expect(box.figures.bytes == 1010)
        #expect(box.figures.slackBytes == 30)
        #expect(box.figures.liveBlocks == 1)
        #expect(box.causes == [.clone, .construct])
        #expect(box.key.cause == nil)
        #expect(box.key.site == nil)
        // Freed after 100 ticks of two nanoseconds.
        let median = try #require(box.lifetime?.median)
        #expect(abs(median - 200) <= 13)
        #expect(rows[1].figures.slackBytes == nil)
        #expect(rows[1].lifetime == nil)
    }

    @Test func aRowCarriesTheKeysOfItsGroupingOnly() {
        let fields = RowFields([.family, .cause])
        for row in sample().profile(fields: fields).rows(by: fields) {
            #expect(row.key.family != nil)
            #expect(row.key.language != nil)
            #expect(row.key.cause != nil)
            #expect(row.key.type == nil)
            #expect(row.key.size == nil)
            #expect(row.key.module == nil)
        }
    }

    @Test func rowsOfThreadsSizesAndModulesAreTold() {
        let threads = sample().profile(fields: .thread).rows(by: .thread)
        #expect(threads.map(\.key.thread) == [1, 2])
        #expect(threads.map(\.figures.allocations) == [2, 2])
        let sizes = sample().profile(fields: .size).rows(by: .size)
        #expect(sizes.map(\.key.size) == [505, 77, 40])
        let modules = sample().profile().rows(by: .module)
        #expect(modules.map(\.key.module) == ["/bin/app", "", "/lib/libfoo.so"])
    }

    @Test func viewsOrderByTheirOwnMeasureAndTiesByTheKey() {
        var source = ScriptedSource()
        for (id, type) in [(1, "B"), (2, "A"), (3, "C")] as [(UInt32, String)] {
            source.own(id, family: "Class", type: type, cause: "construct")
            source.events.append(.allocate(UInt64(id) * 16, size: 8, stack: id, at: UInt64(id)))
        }
        source.events.append(.free(0x20, at: 9))
        let profile = source.profile()
        #expect(profile.rows(by: .type).map(\.key.type) == ["A", "B", "C"])
        #expect(profile.rows(by: .type, order: .live).map(\.key.type) == ["B", "C", "A"])
    }

    @Test func sitesOfFilesThatShareANameKeepOneOrder() {
        var source = ScriptedSource()
        source.modules = [
            (0..<0x1000, LoadedModule(description: ModuleDescription(path: "/bin/app", buildID: []), bias: 0))
        ]
        var frames: [UInt64: [SymbolicatedFrame]] = [:]
        let folders = ["m", "c", "x", "a", "k", "t", "e", "r"]
        for (number, folder) in folders.enumerated() {
            source.own(
                UInt32(number), family: "Box", type: "Box<T>", cause: "construct", addresses: [UInt64(number) + 1])
            source.events.append(.allocate(UInt64(number + 1) * 16, size: 8, stack: UInt32(number), at: 1))
            frames[UInt64(number)] = [
                SymbolicatedFrame(
                    function: "make", file: "/src/\(folder)/util.c", line: 7, language: .c, modulePath: "/bin/app")
            ]
        }
        let rows = source.profile(symbolicator: ListedSymbols(frames)).rows(by: GroupingKey.site.fields)
        #expect(rows.map(\.key.site?.file) == folders.sorted().map { "/src/\($0)/util.c" })
    }

    @Test func theTailOfTheLifetimesIsTheirNinetyNinthPercentile() throws {
        var source = ScriptedSource()
        source.facts.nanosecondsPerTick = 1
        for number in 1...100 as ClosedRange<UInt64> {
            source.events += [
                .allocate(number * 16, size: 8, at: number * 10_000),
                .free(number * 16, at: number * 10_000 + (number > 95 ? 4096 : 4)),
            ]
        }
        let lifetime = try #require(source.profile().rows(by: .family).first?.lifetime)
        #expect(lifetime.median == 4)
        #expect(abs(lifetime.p99 - 4096) <= 256)
    }

    @Test func aFreeReadTooEarlyIsNotWaitedForWhereEventsWereLost() {
        var source = ScriptedSource()
        source.events = [.free(0x10, thread: 2, at: 10), .allocate(0x10, size: 8, thread: 1, at: 11)]
        #expect(source.profile().trace.unmatchedFrees == 0)
        #expect(source.profile().trace.liveBlocks == 0)
        source.facts.lost = 1
        #expect(source.profile().trace.unmatchedFrees == 1)
        #expect(source.profile().trace.liveBlocks == 1)
    }

    @Test func aBlockThatFitsExactlyHasNoSlackAndOneSmallerThanAskedAnUnknownOne() {
        var source = ScriptedSource()
        source.usable = [40: 40, 50: 49]
        source.events = [.allocate(0x10, size: 40, at: 1)]
        #expect(source.profile().rows(by: .family).map(\.figures.slackBytes) == [0])
        source.events = [.allocate(0x10, size: 50, at: 1)]
        #expect(source.profile().rows(by: .family).map(\.figures.slackBytes) == [nil])
    }

    @Test func aCallThatEndsItsModuleBelongsToThatModule() {
        var source = sample()
        source.own(1, family: "Box", type: "Box<Matrix>", cause: "construct", addresses: [0x2000])
        source.events = [.allocate(0x10, size: 8, stack: 1, at: 1)]
        #expect(source.profile().rows(by: .module).map(\.key.module) == ["/bin/app"])
    }

    @Test func filtersMatchOwnerSiteAndModuleIgnoringCase() {
        let profile = sample().profile()
        #expect(profile.rows(by: .type, filter: RowFilter(family: "box")).map(\.key.type) == ["Box<Matrix>"])
        #expect(profile.rows(by: .type, filter: RowFilter(text: "MATRIX")).map(\.key.type) == ["Box<Matrix>"])
        #expect(profile.rows(by: .type, filter: RowFilter(text: "LIBFOO")).map(\.key.type) == ["String"])
        #expect(profile.rows(by: .type, filter: RowFilter(text: "nothing here")).isEmpty)
        #expect(
            profile.rows(by: .family, filter: RowFilter(text: "unattributed")).map(\.key.family) == ["Unattributed"])
    }

    @Test func theAttributedShareIsWhatIsNotUnattributed() throws {
        let shares = sample().profile().attributed
        #expect(shares.allocations == 0.75)
        let bytes = try #require(shares.bytes)
        #expect(abs(bytes - (1 - 77.0 / 1127)) < 1e-12)
        #expect(ScriptedSource().profile().attributed.bytes == nil)
    }

    @Test func everyAddressIsSymbolicatedOnceAndBeforeTheReturnAddress() {
        let symbols = ListedSymbols()
        let profile = sample().profile(symbolicator: symbols)
        // Offsets in the file: the return address less one, less the load bias.
        #expect(symbols.asked == [0x100: 2, 0x101: 1, 0x200: 1])
        #expect(profile.symbolicatedFrames(ofStack: 0).map(\.function) == ["f256", "f512"])
    }

    @Test func runtimeLibrariesAreNotTheAllocatingModule() {
        for path in ["/usr/lib/libswiftCore.so", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libstdc++.so.6.0.30"] {
            #expect(RuntimeModule.isRuntime(path: path))
        }
        for path in ["/usr/lib/libcurl.so.4", "/usr/lib/libFoundation.so", "/home/me/app", "libcrypto.so.3"] {
            #expect(!RuntimeModule.isRuntime(path: path))
        }
    }

    @Test func countersAreListedByNameAndThreadsBySerial() {
        var source = sample()
        source.counters = [
            CounterTotal(name: "Cow.owned", total: 1), CounterTotal(name: "Cow.borrowed", total: 3),
            CounterTotal(name: "Cow.owned", total: 4),
        ]
        source.threadNames = [ThreadName(serial: 2, threadID: 99, name: "worker")]
        let profile = source.profile()
        #expect(profile.counters.map(\.name) == ["Cow.borrowed", "Cow.owned"])
        #expect(profile.counters.map(\.total) == [3, 5])
        #expect(profile.threads.map(\.serial) == [1, 2])
        #expect(profile.threads[0].name == nil)
        #expect(profile.threads[1].name == "worker")
        #expect(profile.threads[1].allocations == 2)
        #expect(profile.threads[0].frees == 2)
    }

    @Test func theSameEventsGiveTheSameProfile() {
        var numbers = NumberSequence(seed: 11)
        var source = ScriptedSource()
        for id in 1...40 as ClosedRange<UInt32> {
            source.own(id, family: "Array", type: "Array<T\(id % 13)>", cause: "growth", addresses: [UInt64(id) * 7])
        }
        for time in 1...3000 as ClosedRange<UInt64> {
            let address = numbers.next(500) * 16
            if numbers.next(2) == 0 {
                source.events.append(
                    .allocate(address, size: numbers.next(4) * 8, stack: UInt32(numbers.next(41)), at: time))
            } else {
                source.events.append(.free(address, at: time))
            }
        }
        let descriptions = (0..<4).map { _ in
            source.profile(fields: [.type, .size]).rows(by: [.type, .size]).map { "\($0)" }
        }
        #expect(Set(descriptions).count == 1)
        #expect(descriptions[0].count > 20)
    }
}
