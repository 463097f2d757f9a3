// Copies and what became of them; growth and copies of Swift's containers that frames do not tell apart.
@testable import HeapAnalysis
import Symbolication
import Testing

@Suite struct CopiesViewTests {
    @Test func `what became of a clone is told by its block's end`() throws {
        var source = ScriptedSource()
        source.own(1, family: "String", type: "String", cause: "clone")
        source.own(2, family: "String", type: "String", cause: "growth")
        source.own(3, family: "Shared", type: "Rc<T>", cause: "copyOnWrite")
        source.events = [
            // Freed at once; freed later; grown by realloc; grown by a new block; live; copied on write and freed.
            .allocate(0x100, size: 10, at: 1), .free(0x100, at: 2),
            .allocate(0x100, size: 11, at: 3), .allocate(0x200, size: 12, at: 4),
            .move(0x200, to: 0x300, size: 24, stack: 2, freed: 5, at: 6), .free(0x100, at: 7),
            .allocate(0x400, size: 13, at: 8), .allocate(0x500, size: 26, stack: 2, at: 9), .free(0x400, at: 10),
            .allocate(0x600, size: 14, at: 11), .allocate(0x700, size: 15, stack: 3, at: 12), .free(0x700, at: 13),
        ]
        let profile = source.profile(tracksChains: true)
        let view = try #require(CopiesView(profile, by: [.type]))
        let clones = try #require(view.rows.first { $0.cause == .clone })
        #expect(clones.made == sum(5, 60))
        #expect(clones.temporary == sum(1, 10))
        #expect(clones.freed == sum(1, 11))
        #expect(clones.resized == sum(2, 25))
        #expect(clones.live == sum(1, 14))
        let shared = try #require(view.rows.first { $0.cause == .copyOnWrite })
        #expect(shared.key.type == "Rc<T>")
        #expect(shared.made == sum(1, 15))
        #expect(view.totals.map(\.made) == [sum(5, 60), sum(1, 15)])
        // A clone that grows is a chain that began as a clone.
        #expect(try #require(GrowthView(profile, by: [.type])).total.steps == 2)
        #expect(try #require(CopiesView(profile, by: [.type], filter: RowFilter(family: "shared"))).rows.count == 1)
    }

    private func sum(_ blocks: Int, _ bytes: Int) -> BlockSum {
        var sum = BlockSum()
        sum.blocks = blocks
        sum.bytes = bytes
        return sum
    }

    @Test func `the share of the borrowed comes from the program's counters`() {
        let shares = CopiesView.borrowedShares([
            CounterTotal(name: "Cow.borrowed", total: 3), CounterTotal(name: "Cow.owned", total: 1),
            CounterTotal(name: "my.Text.owned", total: 2), CounterTotal(name: "Cow.cloned", total: 9),
            CounterTotal(name: "plain", total: 9),
        ])
        #expect(
            shares == [
                BorrowedShare(name: "Cow", borrowed: 3, owned: 1),
                BorrowedShare(name: "my.Text", borrowed: 0, owned: 2),
            ])
        #expect(shares[0].share == 0.75)
    }

    // MARK: - Swift

    private static let core = "/usr/lib/swift/linux/libswiftCore.so"

    /// Stack 1 appends to `Array<Int16>`, stack 2 constructs one, stack 3 is the runtime's metadata, stack 4 appends to a string, stack 5 sets
    /// a dictionary's value.
    private func swift(
        _ events: [ScriptedEvent], fields: RowFields = [.family, .cause, .site], tracksFlows: Bool = false
    ) -> HeapProfile {
        let object = SymbolicatedFrame(
            function: "swift_allocObject", linkageName: "swift_allocObject", language: .c, modulePath: Self.core)
        func library(_ function: String, _ arguments: [String] = []) -> SymbolicatedFrame {
            SymbolicatedFrame(
                function: function, linkageName: "$s", language: .swift, templateArguments: arguments,
                modulePath: Self.core)
        }
        func user(_ line: Int) -> SymbolicatedFrame {
            SymbolicatedFrame(
                function: "app.work()", linkageName: "$s", file: "/src/app.swift", line: line, language: .swift,
                modulePath: "/app/tool")
        }
        let element = ["Swift.Int16"]
        let frames: [UInt64: [SymbolicatedFrame]] = [
            1: [object],
            2: [
                library(
                    "_ContiguousArrayBuffer._consumeAndCreateNew(bufferIsUnique:minimumCapacity:growForAppend:)",
                    element),
                user(1),
            ],
            3: [library("Array.init(repeating:count:)", element), user(2)],
            4: [
                SymbolicatedFrame(
                    function: "swift_getGenericMetadata", linkageName: "swift_getGenericMetadata", language: .c,
                    modulePath: Self.core), user(3),
            ],
            5: [library("String.append(_:)"), user(4)],
            6: [library("_NativeSet.copyAndResize(capacity:)", element), user(5)],
        ]
        var source = ScriptedSource()
        source.hasSwiftRuntime = true
        source.modules = [
            (0..<0x1000, LoadedModule(description: ModuleDescription(path: Self.core, buildID: []), bias: 0))
        ]
        for (id, addresses) in [1: [2, 3], 2: [2, 4], 3: [5], 4: [2, 6], 5: [2, 7]] as [UInt32: [UInt64]] {
            source.stacks[id] = SourceStack(addresses: addresses, tag: nil, firstUse: 0, isTruncated: false)
        }
        source.events = events
        return source.profile(fields: fields, symbolicator: ListedSymbols(frames), tracksFlows: tracksFlows)
    }

    private func causes(_ events: [ScriptedEvent], line: Int = 1) -> [Cause: Int] {
        let rows = swift(events).rows(by: [.cause, .site]).filter { $0.key.site?.line == line }
        return Dictionary(uniqueKeysWithValues: rows.map { ($0.key.cause ?? .unknown, $0.figures.allocations) })
    }

    /// An array of 100 elements of two bytes, constructed.
    private let original = ScriptedEvent.allocate(0x100, size: 232, stack: 2, at: 1)

    @Test func `storage whose predecessor ends next is growth`() {
        #expect(causes([original, .allocate(0x200, size: 432, at: 2), .free(0x100, at: 3)]) == [.growth: 1])
    }

    @Test func `storage that frees nothing is a copy when it has room for what lives on`() {
        let twice: [ScriptedEvent] = [
            original, .allocate(0x200, size: 432, at: 2), .allocate(0x300, size: 232, stack: 2, at: 3),
        ]
        #expect(causes(twice) == [.copyOnWrite: 1])
        let same: [ScriptedEvent] = [
            original, .allocate(0x200, size: 232, at: 2), .free(0x200, at: 3), .free(0x100, at: 4),
        ]
        #expect(causes(same) == [.copyOnWrite: 1])
    }

    @Test func `the last storage of a trace is decided, too`() {
        #expect(causes([original, .allocate(0x200, size: 432, at: 2)]) == [.copyOnWrite: 1])
    }

    @Test func `the first storage of a container that was empty is no copy`() {
        // Room for one element; nothing that it could be a copy of; the first of the type.
        #expect(causes([original, .allocate(0x200, size: 34, at: 2), .free(0x200, at: 3)]) == [.growth: 1])
        #expect(causes([original, .free(0x100, at: 2), .allocate(0x200, size: 432, at: 3)]) == [.growth: 1])
        #expect(causes([.allocate(0x200, size: 432, at: 3)]) == [.growth: 1])
    }

    @Test func `storage that nothing that lives has the size for stays undecided`() throws {
        let events: [ScriptedEvent] = [original, .allocate(0x200, size: 332, at: 2), .free(0x200, at: 3)]
        #expect(causes(events) == [.unknown: 1])
        let view = try #require(CopiesView(swift(events), by: [.family]))
        #expect(view.undecided.blocks == 1)
        #expect(view.rows.isEmpty)
    }

    @Test func `metadata that the runtime makes in between is skipped`() {
        var events = [original, .allocate(0x200, size: 432, at: 2)]
        for time in 0..<100 as Range<UInt64> {
            events += [
                .allocate(0x1000, size: 40, stack: 3, at: 3 + 2 * time), .free(0x1000, at: 4 + 2 * time),
            ]
        }
        #expect(causes(events + [.free(0x100, at: 900)]) == [.growth: 1])
        #expect(causes(events + [.allocate(0x300, size: 34, at: 900)]) == [.copyOnWrite: 1, .growth: 1])
    }

    @Test func `a string that was inline before has its first storage, a shared one a copy`() {
        let text = ScriptedEvent.allocate(0x100, size: 352, stack: 4, at: 1)
        #expect(
            causes([text, .allocate(0x200, size: 64, stack: 4, at: 2), .free(0x200, at: 3)], line: 4) == [.growth: 2])
        #expect(
            causes([text, .allocate(0x200, size: 352, stack: 4, at: 2), .free(0x200, at: 3)], line: 4)
                == [.growth: 1, .copyOnWrite: 1])
    }

    @Test func `the first table of a set is made by a copying function and is none`() {
        let first = ScriptedEvent.allocate(0x100, size: 80, stack: 5, at: 1)
        #expect(causes([first, .free(0x900, at: 2)], line: 5) == [.growth: 1])
        let copy = ScriptedEvent.allocate(0x200, size: 160, stack: 5, at: 3)
        #expect(
            causes([first, .free(0x900, at: 2), copy, .free(0x200, at: 4)], line: 5) == [.growth: 1, .copyOnWrite: 1])
    }

    @Test func `figures of blocks that are counted apart sum to the whole, at the peak, too`() throws {
        let profile = swift([
            original, .allocate(0x200, size: 432, at: 2), .free(0x100, at: 3),
            .allocate(0x300, size: 100, stack: 3, at: 4),
            .allocate(0x400, size: 832, at: 5), .free(0x300, at: 6), .free(0x400, at: 7), .free(0x200, at: 8),
            .allocate(0x500, size: 34, at: 9), .free(0x500, at: 10),
        ])
        let rows = profile.rows(by: [.cause, .site])
        let trace = profile.trace
        #expect(rows.reduce(0) { $0 + $1.figures.allocations } == trace.allocations)
        #expect(rows.reduce(0) { $0 + $1.figures.bytes } == trace.bytesAllocated)
        #expect(rows.reduce(0) { $0 + $1.figures.frees } == trace.frees)
        #expect(rows.reduce(0) { $0 + $1.figures.liveBytes } == 0)
        #expect(rows.reduce(0) { $0 + $1.figures.temporary } == trace.temporary)
        #expect(trace.peakBytes == 432 + 100 + 832)
        #expect(rows.reduce(0) { $0 + $1.figures.peakBytes } == trace.peakBytes)
        let copy = try #require(rows.first { $0.key.cause == .copyOnWrite })
        #expect(copy.figures.peakBytes == 832)
        #expect(copy.figures.frees == 1)
        #expect(copy.lifetime == nil || copy.figures.frees == 1)
        let growth = try #require(rows.first { $0.key.cause == .growth && $0.key.site?.line == 1 })
        #expect(growth.figures.peakBytes == 432)
        #expect(growth.figures.allocations == 2)
        #expect(rows.allSatisfy { $0.figures.allocations > 0 })
    }

    @Test func `flows between threads keep to blocks that are counted apart`() throws {
        let profile = swift(
            [
                original, .allocate(0x200, size: 432, at: 2), .free(0x100, at: 3), .free(0x200, thread: 2, at: 4),
                .allocate(0x300, size: 232, stack: 2, at: 5),
                // The end of the copy itself is what decides that it was one.
                .allocate(0x400, size: 432, at: 6), .free(0x400, thread: 2, at: 7), .free(0x300, thread: 2, at: 8),
            ], fields: [.family, .cause, .thread], tracksFlows: true)
        let flows = try #require(ThreadFlows(profile, by: [.family]))
        #expect(flows.crossing.map { [$0.from, $0.to, $0.blocks, $0.bytes] } == [[1, 2, 3, 1096]])
        let rows = profile.rows(by: [.cause])
        for row in rows { #expect((row.figures.elsewhere ?? 0) <= row.figures.frees, "\(row.key)") }
        #expect(rows.reduce(0) { $0 + ($1.figures.elsewhere ?? 0) } == 3)
        #expect(rows.first { $0.key.cause == .growth }?.figures.elsewhere == 1)
        #expect(rows.first { $0.key.cause == .copyOnWrite }?.figures.elsewhere == 1)
    }
}
