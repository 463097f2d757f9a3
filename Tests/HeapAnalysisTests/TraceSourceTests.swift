// Whole traces, built byte by byte: what the reader delivers arrives in the profile.
@testable import HeapAnalysis
import Symbolication
import Testing
import TestSupport
import TraceReader

@Suite struct TraceSourceTests {
    private func trace() throws -> Trace {
        var builder = TraceBuilder()
        builder.info([(2, "app"), (4, "glibc"), (10, "/bin/app")])
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events { records in
            records.tag(1, family: "Box", type: "Box<Matrix>", cause: "construct", language: "swift")
            records.counter(1, "Cow.borrowed")
            records.module(1, path: "/bin/app", from: 0x1000, to: 0x2000, bias: 0x1000)
            records.stack(1, frames: [0x1011, 0x1021], tag: 1)
            records.usable(size: 505, usable: 520)
            records.allocate(0x10_0000, size: 505, stack: 1, at: 1100)
            records.reallocate(0x10_0000, to: 0x20_0000, size: 505, stack: 1, freed: 1200, at: 1300)
            records.count(1, 5)
        }
        builder.clock(ticks: 2000, monotonic: 3000, realtime: 3000)
        builder.end(ticks: 2000)
        return try Trace.open(bytes: builder.bytes)
    }

    @Test func aTraceArrivesWithItsFactsTablesAndEvents() throws {
        let symbols = ListedSymbols([0x10: [SymbolicatedFrame(function: "make", modulePath: "/bin/app")]])
        let profile = try #require(HeapProfile(analysing: trace(), symbolicator: symbols))
        #expect(profile.trace.facts.program == "app")
        #expect(profile.trace.facts.pid == 4242)
        #expect(profile.trace.facts.allocator == "glibc")
        #expect(profile.trace.facts.mode == "collector")
        #expect(profile.trace.allocations == 2)
        #expect(profile.trace.frees == 1)
        #expect(profile.trace.reallocations == 1)
        #expect(profile.trace.durationNanoseconds == 600)
        #expect(profile.trace.facts.isComplete)
        #expect(profile.counters == [CounterTotal(name: "Cow.borrowed", total: 5)])
        let rows = profile.rows(by: GroupingKey.owner.fields)
        #expect(rows.map(\.key.type) == ["Box<Matrix>"])
        #expect(rows[0].figures.slackBytes == 30)
        #expect(rows[0].figures.peakBytes == 505)
        #expect(profile.symbolicatedFrames(ofStack: 0).map(\.function) == ["make", "f32"])
    }

    @Test func `blocks have the type that their stack tells, unless they tell one of their own`() throws {
        var builder = TraceBuilder()
        builder.events { records in
            for (id, name) in [(0x7000, "app.First"), (0x7100, "app.Second"), (0x7200, "app.Third")]
                as [(UInt64, String)]
            {
                records.type(id, name)
            }
            records.stack(1, frames: [0x11])
            records.stackType(1, 0x7000)
            records.stack(2, frames: [0x11])
            records.stackType(2, 0x7100)
            // An id far from the others.
            records.stack(200_000_000, frames: [0x11])
            records.stackType(200_000_000, 0x7200)
            // Of a stack that was never defined nothing is kept.
            records.stackType(77, 0x7200)
            records.allocate(0x10, size: 64, stack: 1, at: 1100)
            records.allocate(0x20, size: 64, stack: 2, at: 1200)
            records.allocate(0x30, size: 64, stack: 200_000_000, at: 1300)
            records.allocate(0x40, size: 64, stack: 1, type: 0x7200, at: 1400)
            records.allocate(0x50, size: 64, stack: 77, at: 1500)
        }
        builder.end(ticks: 2000)
        let profile = try #require(
            HeapProfile(analysing: Trace.open(bytes: builder.bytes), symbolicator: ListedSymbols([:])))
        let rows = profile.rows(by: [.type])
        #expect(
            Dictionary(uniqueKeysWithValues: rows.map { ($0.key.type ?? "", $0.figures.allocations) })
                .filter { $0.key.hasPrefix("app.") } == ["app.First": 1, "app.Second": 1, "app.Third": 2])
        #expect(rows.reduce(0) { $0 + $1.figures.allocations } == 5)
    }

    @Test(arguments: ["/bin/app-1.2", "./app-1.2", "app-1.2", "/usr/bin/app"])
    func `the executable is found however it was started`(path: String) throws {
        var builder = TraceBuilder()
        builder.info([(10, path)])
        builder.events { records in
            records.module(1, path: "/lib/libfoo.so.1", from: 0x4000, to: 0x5000, bias: 0x4000)
            records.module(2, path: "/bin/app-1.2", from: 0x1000, to: 0x2000, bias: 0x1000)
            records.module(3, path: "[vdso]", from: 0x6000, to: 0x7000, bias: 0x6000)
            records.stack(1, frames: [0x1011])
            records.allocate(0x10_0000, size: 505, stack: 1, at: 1100)
        }
        builder.end(ticks: 2000)
        let trace = try Trace.open(bytes: builder.bytes)
        let symbols = ListedSymbols([
            0x10: [SymbolicatedFrame(function: "make", language: .c, modulePath: "/bin/app-1.2")]
        ])
        let profile = try #require(HeapProfile(analysing: trace, symbolicator: symbols))
        #expect(profile.trace.facts.executablePath == "/bin/app-1.2")
        #expect(profile.rows(by: .site).first?.key.site?.function == "make")
    }

    @Test func anImageThatTheTraceDoesNotHaveIsNil() throws {
        #expect(try HeapProfile(analysing: trace(), image: 7, symbolicator: ListedSymbols()) == nil)
    }

    @Test func aTextTraceHasNoClock() throws {
        let text = "ALLOC: 0x10, size 505\nnoise\nFREE: 0x10, size 505\n"
        let trace = try Trace.open(bytes: Array(text.utf8))
        let profile = try #require(HeapProfile(analysing: trace, symbolicator: ListedSymbols()))
        #expect(profile.trace.allocations == 1)
        #expect(profile.trace.temporary == 1)
        #expect(profile.trace.durationNanoseconds == nil)
        #expect(profile.rows(by: .type).first?.lifetime == nil)
    }

    @Test func aTypeOfTheTextDialectBringsItsFamily() throws {
        let text =
            "ALLOC: 0x10, size 505, owner Box<app.Matrix>, cause construct\nALLOC: 0x20, size 9, owner app.Node, cause unknown\n"
        let trace = try Trace.open(bytes: Array(text.utf8))
        let profile = try #require(HeapProfile(analysing: trace, symbolicator: ListedSymbols()))
        let rows = profile.rows(by: [.family, .type, .cause])
        #expect(rows.map(\.key.family) == ["Box", "Class"])
        #expect(rows.map(\.key.type) == ["Box<app.Matrix>", "app.Node"])
        #expect(rows.map(\.key.cause) == [.construct, .unknown])
    }

    @Test(arguments: [
        ("Box<Matrix>", "Box"), ("std::vector<Point>", "Array"), ("Swift.Dictionary<String, a.B>", "Dictionary"),
        ("std::string", "String"), ("Rc<str>", "Shared"), ("", "Unattributed"), ("own::Matrix", "Class"),
    ])
    func theFamilyOfATypeFollowsFromItsName(type: String, family: String) {
        #expect(OwnerFamily.family(ofType: type) == family)
    }
}
