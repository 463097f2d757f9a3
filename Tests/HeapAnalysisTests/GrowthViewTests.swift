// Growth from block to block, on event sequences whose truth is known by hand.
@testable import HeapAnalysis
import Testing

@Suite struct GrowthViewTests {
    /// Stack 1 makes arrays grow, stack 2 texts, stack 3 constructs arrays, stack 4 is of C, stack 5 of array elements.
    private func source(_ events: [ScriptedEvent]) -> ScriptedSource {
        var source = ScriptedSource()
        source.own(1, family: "Array", type: "Vec<u8>", cause: "growth")
        source.own(2, family: "String", type: "String", cause: "growth")
        source.own(3, family: "Array", type: "Vec<u8>", cause: "construct")
        source.own(4, family: "C", type: "libc: malloc", cause: "unknown")
        source.own(5, family: "Box", type: "Box<u8>", cause: "construct")
        source.events = events
        return source
    }

    private func row(_ events: [ScriptedEvent], type: String = "Vec<u8>") throws -> GrowthRow {
        let profile = source(events).profile(tracksChains: true)
        let view = try #require(GrowthView(profile, by: [.type]))
        return view.rows.first { $0.key.type == type } ?? GrowthRow(key: view.total.key)
    }

    @Test func `a larger block and then the end of the smaller one is a step`() throws {
        let row = try row([
            .allocate(0x100, size: 8, at: 1), .allocate(0x200, size: 16, at: 2), .free(0x100, at: 3),
            .allocate(0x300, size: 32, at: 4), .free(0x200, at: 5), .free(0x300, at: 6),
        ])
        #expect(row.containers == 1)
        #expect(row.chains == 1)
        #expect(row.steps == 2)
        #expect(row.longest == 2)
        #expect(row.copiedBytes == 24)
        #expect(row.finalBytes == GrowthSizes(median: 32, p90: 32, largest: 32))
        #expect(row.live == 0)
    }

    @Test func `a container that is made with room and then grows is one container`() throws {
        let row = try row([
            .allocate(0x100, size: 64, stack: 3, at: 1), .allocate(0x200, size: 128, at: 2), .free(0x100, at: 3),
        ])
        #expect(row.containers == 1)
        #expect(row.steps == 1)
        #expect(row.copiedBytes == 64)
        #expect(row.live == 1)
    }

    @Test func `two containers that grow in turns are two chains`() throws {
        let row = try row([
            .allocate(0x100, size: 8, at: 1), .allocate(0x110, size: 8, at: 2),
            .allocate(0x200, size: 16, at: 3), .free(0x100, at: 4), .allocate(0x220, size: 16, at: 5),
            .free(0x110, at: 6),
            .allocate(0x300, size: 32, at: 7), .free(0x200, at: 8), .free(0x300, at: 9), .free(0x220, at: 10),
        ])
        #expect(row.containers == 2)
        #expect(row.steps == 3)
        #expect(row.longest == 2)
        #expect(row.finalBytes == GrowthSizes(median: 16, p90: 32, largest: 32))
    }

    @Test func `blocks of the elements may come in between, other frees may not`() throws {
        let elements = try row([
            .allocate(0x100, size: 8, at: 1), .allocate(0x200, size: 16, at: 2),
            .allocate(0x900, size: 5, stack: 5, at: 3),
            .free(0x100, at: 4),
        ])
        #expect(elements.steps == 1)
        let others = try row([
            .allocate(0x900, size: 5, stack: 5, at: 1), .allocate(0x100, size: 8, at: 2),
            .allocate(0x200, size: 16, at: 3),
            .free(0x900, at: 4), .free(0x100, at: 5),
        ])
        #expect(others.steps == 0)
    }

    @Test(
        arguments: [
            // Another owner's, a larger one, an equal one, a younger one.
            (2, 8, 16, 1), (1, 32, 16, 1), (1, 16, 16, 1), (1, 8, 16, 9),
        ] as [(UInt32, UInt64, UInt64, UInt64)])
    func `no other block is taken for the one that was replaced`(
        stack: UInt32, old: UInt64, new: UInt64, time: UInt64
    ) throws {
        var events: [ScriptedEvent] = [
            .allocate(0x100, size: old, stack: stack, at: time), .allocate(0x200, size: new, at: 5),
            .free(0x100, at: 10),
        ]
        // Skewed stamps: the block is read first, but is the younger.
        if time > 5 { events.swapAt(0, 1) }
        #expect(try row(events).steps == 0)
    }

    @Test func `the buckets of a C++ hash table grow, its nodes do not`() throws {
        var source = ScriptedSource()
        source.stacks[1] = SourceStack(
            addresses: [],
            tag: TagEvidence(
                family: "Dictionary", type: "std::unordered_map<int, int>", cause: "construct", language: "c++"),
            firstUse: 0, isTruncated: false)
        // Node, first buckets, erased node, node, larger buckets in the place of the first.
        source.events = [
            .allocate(0x100, size: 16, at: 1), .allocate(0x200, size: 104, at: 2), .free(0x100, at: 3),
            .allocate(0x300, size: 16, at: 4), .allocate(0x400, size: 232, at: 5), .free(0x200, at: 6),
            .free(0x300, at: 7), .free(0x400, at: 8),
        ]
        let profile = source.profile(tracksChains: true)
        let view = try #require(GrowthView(profile, by: [.type]))
        #expect(view.rows.map(\.steps) == [1])
        #expect(view.total.containers == 1)
        #expect(view.total.copiedBytes == 104)
        #expect(profile.rows(by: .cause).map(\.key.cause) == [.construct])
    }

    @Test func `what another thread does in between changes nothing`() throws {
        let row = try row([
            .allocate(0x100, size: 8, at: 1), .allocate(0x900, size: 4, stack: 3, thread: 2, at: 2),
            .allocate(0x200, size: 16, at: 3), .free(0x900, thread: 2, at: 4),
            .allocate(0x910, size: 64, thread: 2, at: 5), .free(0x100, at: 6),
        ])
        #expect(row.chains == 1)
        #expect(row.steps == 1)
        #expect(row.copiedBytes == 8)
        #expect(row.containers == 2)
    }

    @Test func `a free by another thread is no growth`() throws {
        #expect(
            try row([
                .allocate(0x100, size: 8, at: 1), .allocate(0x200, size: 16, at: 2), .free(0x100, thread: 2, at: 3),
            ]).steps == 0)
    }

    @Test func `a realloc is a step of whatever owner; in place nothing is copied, and shrinking is none`() throws {
        let row = try row(
            [
                .allocate(0x100, size: 8, stack: 4, at: 1),
                .move(0x100, to: 0x200, size: 16, stack: 4, freed: 2, at: 3),
                .move(0x200, to: 0x200, size: 32, stack: 4, freed: 4, at: 5),
                .move(0x200, to: 0x300, size: 4, stack: 4, freed: 6, at: 7), .free(0x300, at: 8),
            ], type: "libc: malloc")
        #expect(row.steps == 2)
        #expect(row.inPlace == 1)
        #expect(row.copiedBytes == 8)
        #expect(row.finalBytes.largest == 4)
    }

    @Test func `large blocks that glibc moves by their pages are not counted as copied`() throws {
        var source = source([
            .allocate(0x7000_0010, size: 1 << 20, stack: 4, at: 1),
            .move(0x7000_0010, to: 0x7800_0010, size: 2 << 20, stack: 4, freed: 2, at: 3),
        ])
        func row() throws -> GrowthRow {
            try #require(GrowthView(source.profile(tracksChains: true), by: [.type])?.rows.first)
        }
        #expect(try row().copiedBytes == 1 << 20)
        source.facts.allocator = "glibc"
        #expect(try row().copiedBytes == 0)
        #expect(try row().remapped == 1)
        #expect(try row().steps == 1)
    }

    @Test func `containers that stay small count against what is to be reserved`() throws {
        var events: [ScriptedEvent] = []
        var time: UInt64 = 0
        func container(_ sizes: [UInt64]) {
            var last: UInt64?
            for size in sizes {
                time += 1
                events.append(.allocate(time << 12, size: size, at: time << 1))
                if let last { events.append(.free(last << 12, at: time << 1 + 1)) }
                last = time
            }
            if let last { events.append(.free(last << 12, at: time << 1 + 1)) }
        }
        for _ in 0..<10 { container([64, 128, 256, 512, 1024]) }
        var profile = source(events).profile(tracksChains: true)
        let site = GroupingKey.site.fields
        var advice = try #require(GrowthView(profile, by: site)?.rows.first?.reserve)
        #expect(
            advice == ReserveAdvice(bytes: 1024, share: 1, savedAllocations: 40, savedCopies: 9600, savedBytes: 9600))
        // Another hundred that never grow: 960 bytes too many for each of them are more than what is saved.
        for _ in 0..<100 { container([64]) }
        profile = source(events).profile(tracksChains: true)
        let row = try #require(GrowthView(profile, by: site)?.rows.first)
        #expect(row.reserve == nil)
        #expect(row.containers == 110)
        #expect(row.chains == 10)
        #expect(row.finalBytes == GrowthSizes(median: 64, p90: 64, largest: 1024))
        // Half that stay small and half that grow far: enough for the smaller half is what can be had without asking for more.
        events = []
        for _ in 0..<10 { container([8, 16]) }
        for _ in 0..<10 { container([8, 16, 4096]) }
        profile = source(events).profile(tracksChains: true)
        advice = try #require(GrowthView(profile, by: site)?.rows.first?.reserve ?? advice)
        #expect(advice.bytes != 4096)
        // Rows that are not of one site are not advised.
        #expect(GrowthView(profile, by: [.family])?.rows.first?.reserve == nil)
    }

    @Test func `sampled traces have no view, for blocks cannot be followed`() {
        var source = source([.allocate(0x100, size: 8, at: 1)])
        source.facts.isSampled = true
        #expect(GrowthView(source.profile(tracksChains: true), by: [.type]) == nil)
        #expect(CopiesView(source.profile(tracksChains: true), by: [.type]) == nil)
    }

    @Test func `rows sum to the total whatever they are grouped by, and filters hold`() throws {
        var numbers = NumberSequence(seed: 5)
        var events: [ScriptedEvent] = []
        for time in 1...4000 as ClosedRange<UInt64> {
            let address = numbers.next(60) << 8
            switch numbers.next(4) {
            case 0: events.append(.free(address, thread: UInt32(numbers.next(2)), at: time))
            case 1:
                events.append(
                    .move(address, to: numbers.next(60) << 8, size: numbers.next(90), stack: 4, freed: time, at: time))
            default:
                events.append(
                    .allocate(
                        address, size: numbers.next(90), stack: UInt32(numbers.next(5)) + 1,
                        thread: UInt32(numbers.next(2)), at: time))
            }
        }
        let profile = source(events).profile(tracksChains: true)
        for fields in [GroupingKey.site.fields, GroupingKey.family.fields, [.cause], []] as [RowFields] {
            let view = try #require(GrowthView(profile, by: fields))
            #expect(view.total.steps > 50)
            #expect(view.rows.reduce(0) { $0 + $1.steps } == view.total.steps)
            #expect(view.rows.reduce(0) { $0 + $1.copiedBytes } == view.total.copiedBytes)
            #expect(view.rows.reduce(0) { $0 + $1.chains } == view.total.chains)
        }
        let texts = try #require(GrowthView(profile, by: [.family], filter: RowFilter(family: "string")))
        #expect(texts.rows.allSatisfy { $0.key.family == "String" })
        let descriptions = (0..<3).map { _ in "\(GrowthView(source(events).profile(tracksChains: true), by: [.type])!)"
        }
        #expect(Set(descriptions).count == 1)
    }
}
