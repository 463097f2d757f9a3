// From what runs measured to what is shown of them, on figures written by hand.

import HeapAnalysis
import ProfileExport
import Testing

@testable import AllocatorLab

@Suite struct ReplayFiguresTests {
    /// Those of a run of 1000 events that took no time and no memory.
    private func figures() -> ReplayFigures {
        ReplayFigures(
            events: 1000, calls: 1000, cpuNanoseconds: 0, wallNanoseconds: 1, minorFaults: 0, hasUsable: true,
            startAnonymous: 0, peakAnonymous: 0, endAnonymous: 0, freedAnonymous: 0, ticksPerNanosecond: 1,
            clockTicks: 0, clockStep: 1, worstTicks: [0, 0, 0], worstSizes: [0, 0, 0], points: [], owners: [],
            classes: [], latencies: [[], [], []], peakPlaces: [], endPlaces: [])
    }

    @Test func `figures of calls are net of their clock, and of a run in which something came between`() throws {
        var quiet = figures()
        quiet.ticksPerNanosecond = 2
        quiet.clockTicks = 20.5
        quiet.clockStep = 20
        quiet.owners = [ReplayPart(calls: 10, ticks: 405), ReplayPart(calls: 10, ticks: 100), ReplayPart()]
        quiet.latencies[0] = (0..<1024).map { $0 == 20 ? 90 : $0 == 60 ? 10 : 0 }
        quiet.worstTicks[0] = 60
        var disturbed = quiet
        disturbed.owners[0].ticks = 5_000_000
        disturbed.owners[1].ticks = 405
        var row = Replay.Row(allocator: "a")
        let names = ["Box", "String", "Set"].map { Owner(family: $0, type: $0, language: "c") }
        row.take(latencies: [disturbed, quiet], of: names)
        #expect(row.families.first { $0.family == "Box" }?.nanosecondsPerCall == 10)
        // Less than the clock itself is nothing, never less than that.
        #expect(row.families.first { $0.family == "String" }?.nanosecondsPerCall == 0)
        #expect(!row.families.contains { $0.family == "Set" })
        #expect(row.clockNanoseconds == 10.25)
        #expect(row.clockStepNanoseconds == 10)
        #expect(row.latencies[0] == Replay.Latency(median: 0, p99: 19.75, max: 19.75))
        let replay = try Replay(
            plan: EventScript().plan(), runs: 2, touch: .first, ownNanosecondsPerEvent: Spread([2, 4]), rows: [row])
        #expect(replay.table(title: "t").contains("their clock's 10 ns, which goes in steps of 10 ns"))
        #expect(replay.table(title: "t").contains("the replay's own 3.0 ± 1.0 ns an event taken off"))
        #expect(replay.table(title: "t").contains("  <10 ns  20 ns  20 ns"))
    }

    @Test func `a time that is no more than the replay's own is shown as that, never as less than nothing`() throws {
        var figures = figures()
        let row = { (nanoseconds: [UInt64]) -> Replay.Row in
            var row = Replay.Row(allocator: "a")
            row.take(
                times: nanoseconds.map {
                    figures.cpuNanoseconds = $0 * figures.events
                    return figures
                }, own: Spread([4, 5, 6]))
            return row
        }
        let below = row([3, 5, 9])
        #expect(below.isBelowOwnCost)
        #expect(below.nanosecondsPerEvent.map { [$0.min, $0.median, $0.max] } == [0, 0, 4])
        let above = row([7, 8, 9])
        #expect(!above.isBelowOwnCost)
        #expect(above.nanosecondsPerEvent.map { [$0.min, $0.median, $0.max] } == [2, 3, 4])
        let replay = try Replay(
            plan: EventScript().plan(), runs: 3, touch: .first, ownNanosecondsPerEvent: Spread([4, 5, 6]),
            rows: [below, above])
        #expect(replay.table(title: "t").contains("  ≤0"))
        #expect(replay.json().document().contains("\"below_own_cost\": true"))
    }

    @Test func `memory is what is held beyond the replay's own, and fragmentation its shares`() throws {
        var script = EventScript()
        for block in 1...4 as ClosedRange<UInt64> { script.allocate(block * 16, 1000) }
        script.free(16, 1000)
        let plan = try script.plan(expected: 1024)
        #expect(plan.curve == [2000, 4000, 3000])
        func measured(_ anonymous: [UInt64], peak: UInt64) -> ReplayFigures {
            var figures = figures()
            figures.points = zip(anonymous, plan.curve).enumerated().map {
                ReplayPoint(events: min(5, UInt64($0 + 1) * 2), live: $1.1, usable: 0, anonymous: $1.0)
            }
            figures.peakAnonymous = peak
            figures.endAnonymous = anonymous[2]
            figures.freedAnonymous = 700
            figures.minorFaults = anonymous[0]
            figures.owners = [ReplayPart(peakLive: 4000, peakSlack: 400, bytes: 4000, slack: 400, allocations: 4)]
            return figures
        }
        var row = Replay.Row(allocator: "a")
        row.take(
            memory: measured([1500, 6500, 5500], peak: 6000), own: measured([500, 500, 500], peak: 500), plan: plan)
        #expect(row.curve.map(\.held) == [1000, 6000, 5500, 5000])
        #expect(row.peakHeldBytes == 6000)
        #expect(row.heldBytesAtPeak == 5500)
        #expect(row.endHeldBytes == 5000)
        #expect(row.freedHeldBytes == 0)
        #expect(row.minorFaults == 1000)
        #expect(row.peakSlackBytes == 400)
        let replay = Replay(plan: plan, runs: 1, touch: .first, ownNanosecondsPerEvent: nil, rows: [row])
        #expect(replay.internalFragmentation(row) == 400.0 / 4400)
        #expect(replay.externalFragmentation(row) == 1600.0 / 6000)
        let untouched = Replay(plan: plan, runs: 1, touch: .none, ownNanosecondsPerEvent: nil, rows: [row])
        #expect(untouched.externalFragmentation(row) == nil)
    }

    @Test func `the fastest row comes first, those without a time after it, those that failed last`() throws {
        var rows = ["failed", "slow", "simulated", "fast"].map { Replay.Row(allocator: $0) }
        rows[0].failure = "fell over"
        rows[0].nanosecondsPerEvent = Spread([1])
        rows[1].nanosecondsPerEvent = Spread([9, 10, 11])
        rows[3].nanosecondsPerEvent = Spread([4, 5, 6])
        let replay = try Replay(
            plan: EventScript().plan(), runs: 3, touch: .first, ownNanosecondsPerEvent: nil, rows: rows)
        #expect(replay.ranked.map(\.allocator) == ["fast", "slow", "simulated", "failed"])
        #expect(replay.table(title: "t").contains("10.0  1.0   2.00"))
    }

    /// A row that holds so many KiB.
    private func row(
        _ name: String, peak: UInt64, atPeak: UInt64, end: UInt64 = 0, slack: UInt64?, start: UInt64 = 0,
        pinned: UInt64 = 0
    ) -> Replay.Row {
        var row = Replay.Row(allocator: name)
        row.peakHeldBytes = peak << 10
        row.heldBytesAtPeak = atPeak << 10
        row.endHeldBytes = end << 10
        row.freedHeldBytes = 0
        row.peakSlackBytes = slack.map { $0 << 10 }
        row.curve = [Replay.Moment(events: 7, nanoseconds: nil, live: 0, held: start << 10)]
        row.owners = ["Box", "Set"].map { name in
            var owner = Replay.OwnerSums(family: name, type: name)
            owner.peakSlackBytes = slack.map { name == "Box" ? $0 << 10 : 0 }
            owner.endPinnedBytes = name == "Box" ? pinned << 10 : 0
            return owner
        }
        return row
    }

    private func replay(_ rows: [Replay.Row], live: UInt64, end: UInt64 = 0) throws -> Replay {
        var plan = try EventScript().plan()
        plan.peakBytes = live << 10
        plan.liveBytes = end << 10
        return Replay(plan: plan, runs: 1, touch: .first, ownNanosecondsPerEvent: nil, rows: rows)
    }

    @Test func `the parts of a difference in memory add up to it`() throws {
        let rows = [
            row("a", peak: 1100, atPeak: 1050, slack: 20),
            row("b", peak: 3000, atPeak: 2600, slack: 700, start: 500),
            // Of the slack 300 are not held.
            row("c", peak: 2200, atPeak: 2200, slack: 1500),
        ]
        let differences = try replay(rows, live: 1000).differences
        #expect(differences.map(\.allocator) == ["b", "c"])
        #expect(differences.map(\.least) == ["a", "a"])
        for difference in differences {
            let sum = difference.slack - difference.unwritten + difference.external + difference.otherMoment
            #expect(sum == difference.held)
        }
        #expect(differences.map { $0.held >> 10 } == [1900, 1100])
        #expect(differences.map { $0.slack >> 10 } == [680, 1480])
        #expect(differences.map { $0.unwritten >> 10 } == [0, 300])
        #expect(differences.map { $0.external >> 10 } == [870, -30])
        #expect(differences.map { $0.otherMoment >> 10 } == [350, -50])
        #expect(differences.map { $0.fromTheStart >> 10 } == [500, 0])
    }

    @Test func `what differs is said with its parts, and owners and sizes only where slack makes it`() throws {
        let rows = [
            row("a", peak: 1100, atPeak: 1050, slack: 20),
            row("b", peak: 3000, atPeak: 2600, slack: 700, start: 500),
            row("c", peak: 2200, atPeak: 2200, slack: 1500),
            row("d", peak: 2200, atPeak: 2200, slack: 60),
            row("e", peak: 1110, atPeak: 1110, slack: 20),
        ]
        let text = try replay(rows, live: 1000).differencesText()
        #expect(
            text.contains(
                """
                  memory: b holds 1.9 MiB more than a at most: + 680.0 KiB slack in blocks, + 870.0 KiB in no block (500.0 KiB of it after the first 7 events already), + 350.0 KiB at another moment than the most live bytes
                    slack by owner: Box + 680.0 KiB

                """), "\(text)")
        #expect(
            text.contains(
                "c holds 1.1 MiB more than a at most: + 1.4 MiB slack in blocks (300.0 KiB of it never written to, so not held)\n"
            ), "\(text)")
        #expect(text.contains("d holds 1.1 MiB more than a at most: + 1.1 MiB in no block\n  memory"), "\(text)")
        #expect(text.contains("  memory: e holds about as much as a at most\n"), "\(text)")
    }

    @Test func `what remains after the peak is said with what keeps it`() throws {
        let rows = [
            row("a", peak: 1100, atPeak: 1050, end: 600, slack: 20, pinned: 300),
            row("b", peak: 3000, atPeak: 2600, end: 3000, slack: 700, pinned: 100),
        ]
        let text = try replay(rows, live: 1000, end: 200).differencesText()
        #expect(
            text.contains(
                """
                  after the peak, live bytes fell by 800.0 KiB: a gave back 500.0 KiB, b gave back nothing
                    of the 600.0 KiB that a holds at the end, 300.0 KiB are in no block, on pages where blocks live: Box 300.0 KiB
                  with nothing live
                """), "\(text)")
        // Where live bytes hardly fall there is nothing to give back.
        #expect(try !replay(rows, live: 1000, end: 950).differencesText().contains("after the peak"))
    }

    @Test func `another order at the end than at the peak is told`() throws {
        func text(_ ends: [UInt64]) throws -> String {
            let rows = zip(["a", "b", "c"], zip([1000, 1100, 1110] as [UInt64], ends)).map { name, held in
                row(name, peak: held.0, atPeak: held.0, end: held.1, slack: nil)
            }
            return try replay(rows, live: 900, end: 100).differencesText()
        }
        #expect(
            try text([900, 500, 910]).contains(
                """
                  the order by memory is another one at the end (b 500.0 KiB, a 900.0 KiB, c 910.0 KiB) than at the peak \
                (a 1000.0 KiB, b 1.1 MiB, c 1.1 MiB): a live run's peak RSS has that of the moment when heap, files and \
                stacks together are largest

                """))
        #expect(try !text([500, 900, 910]).contains("order"))
        // b and c are as good as the same at the peak, a and b at the end.
        #expect(try !text([500, 910, 510]).contains("order"))
        #expect(try !text([505, 500, 910]).contains("order"))
    }

    @Test(arguments: [1, 2])
    func `that several threads meet more often than they did is said`(threads: Int) throws {
        var rows = ["a", "b"].map { Replay.Row(allocator: $0) }
        rows[0].nanosecondsPerEvent = Spread([4, 5])
        rows[1].nanosecondsPerEvent = Spread([9, 10])
        for index in rows.indices { rows[index].peakHeldBytes = 1 }
        var plan = try EventScript().plan()
        plan.threads = threads
        let text = Replay(plan: plan, runs: 2, touch: .first, ownNanosecondsPerEvent: nil, rows: rows).differencesText()
        #expect(text.contains("b takes 5.0 ns an event more than a"))
        #expect(text.contains("meet in the allocator more often than they did") == (threads > 1))
    }

    @Test func `one is not many, and few bytes are no kibibytes`() throws {
        var plan = try EventScript().plan()
        plan.events = 1
        plan.threads = 1
        plan.peakBytes = 10
        let text = Replay(plan: plan, runs: 1, touch: .first, ownNanosecondsPerEvent: nil, rows: []).table(title: "t")
        #expect(text.hasPrefix("t: 1 event of 1 thread, peak 10 B live\nmedians of 1 run each, in turn"))
    }
}

@Suite struct WrappedTextTests {
    @Test func `lines are broken between words, figures kept whole, and what follows is set in`() {
        #expect(WrappedText.lines("one two + 3.4 MiB, five", width: 7) == ["one two", "+ 3.4 MiB,", "five"])
        #expect(WrappedText.lines("", width: 7) == [])
        let text = "  memory: a holds 512.0 KiB more than b\n  short\n"
        #expect(
            WrappedText.hanging(text, width: 28)
                == "  memory: a holds\n    512.0 KiB more than b\n  short\n")
        #expect(WrappedText.hanging(text, width: 80) == text)
    }

    @Test func `the tables of a replay fit a terminal of eighty columns`() throws {
        var row = Replay.Row(allocator: "jemalloc")
        row.nanosecondsPerEvent = Spread([123.4])
        let replay = try Replay(
            plan: EventScript().plan(), runs: 10, touch: .first, ownNanosecondsPerEvent: Spread([5]), rows: [row])
        for line in replay.text(title: "t", width: 80).split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    }
}
