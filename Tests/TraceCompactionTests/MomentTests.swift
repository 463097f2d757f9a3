// What is live at any moment: against a replay that knows nothing of ledgers, and the same from a trace as it was recorded and from its compacted
// copy, whose checkpoints the analysis begins at.

import HeapAnalysis
import Symbolication
import TestSupport
import Testing
import TraceCompaction
import TraceReader

@Suite struct MomentTests {
    /// Calls every place by its address.
    private final class Addresses: FrameSymbolicator {
        func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame] {
            [SymbolicatedFrame(function: "f\(offset)", modulePath: module.path)]
        }
    }

    private func compacted(_ bytes: [UInt8]) throws -> Trace {
        var result: [UInt8] = []
        var options = TraceCompactor.Options()
        options.checkpointInterval = 400
        options.checkpointEventsPerBlock = 1
        _ = try TraceCompactor.write(Trace.open(bytes: bytes), options: options) { result += $0 }
        return try Trace.open(bytes: result)
    }

    private func profile(
        _ trace: Trace, at moment: TraceMoment, liveOnly: Bool, fields: RowFields = [.size, .thread]
    ) throws -> HeapProfile {
        var options = AnalysisOptions(fields: fields)
        options.moment = try trace.resolve(moment)
        options.keepsLiveOnly = liveOnly
        return try #require(HeapProfile(analysing: trace, options: options, symbolicator: Addresses()))
    }

    @Test func `what is live at a moment is what a replay leaves`() throws {
        let raw = try Trace.open(bytes: RandomProgram.bytes(steps: 300, addresses: 1 << 9, freesOneIn: 5))
        let small = try compacted(RandomProgram.bytes(steps: 300, addresses: 1 << 9, freesOneIn: 5))
        #expect(small.checkpoints().count > 5)
        for percent in [0, 1, 20, 33, 50, 77, 99, 100] {
            let moment = TraceMoment.share(Double(percent) / 100)
            let ticks = try raw.resolve(moment).ticks
            var live: [UInt64: HeapEvent] = [:]
            var events = 0
            raw.forEachEvent { event in
                guard event.time <= ticks else { return }
                events += 1
                live[event.address] = event.kind == .allocation ? event : nil
            }
            var expected: [String: [Int]] = [:]
            for block in live.values {
                expected["\(block.size) by \(block.thread)", default: [0, 0]][0] += 1
                expected["\(block.size) by \(block.thread)", default: [0, 0]][1] += Int(block.size)
            }
            for trace in [raw, small] {
                let profile = try profile(trace, at: moment, liveOnly: true)
                var found: [String: [Int]] = [:]
                for row in profile.rows(by: [.size, .thread]) {
                    let key = try "\(#require(row.key.size)) by \(#require(row.key.thread))"
                    found[key] = [row.figures.liveBlocks, row.figures.liveBytes]
                }
                #expect(found == expected)
                #expect(profile.trace.events == events)
                #expect(profile.trace.liveBlocks == live.count)
                #expect(profile.trace.liveBytes == live.values.reduce(0) { $0 + Int($1.size) })
            }
        }
    }

    @Test(arguments: [0, 2] as [UInt32])
    func `a compacted trace gives the same profile of a moment, row by row`(flags: UInt32) throws {
        let raw = try Trace.open(bytes: RandomProgram.bytes(steps: 300, flags: flags, addresses: 1 << 9, freesOneIn: 5))
        let small = try compacted(RandomProgram.bytes(steps: 300, flags: flags, addresses: 1 << 9, freesOneIn: 5))
        for percent in stride(from: 0, through: 100, by: 7) {
            for liveOnly in [true, false] {
                let moment = TraceMoment.share(Double(percent) / 100)
                let one = try profile(raw, at: moment, liveOnly: liveOnly, fields: [.thread])
                let other = try profile(small, at: moment, liveOnly: liveOnly, fields: [.thread])
                #expect(one.trace == other.trace)
                #expect(one.stacks.map(\.frames) == other.stacks.map(\.frames))
                let rows = one.rows(by: [.thread, .type], order: .live)
                #expect(percent < 50 || rows.contains { $0.key.type == "app.Told" })
                let others = other.rows(by: [.thread, .type], order: .live)
                #expect(rows.map(\.key) == others.map(\.key))
                #expect(rows.map(\.figures) == others.map(\.figures))
                #expect(rows.map(\.standardError) == others.map(\.standardError))
            }
        }
    }

    @Test func `another view at a moment is that of a program that ended there`() throws {
        let trace = try Trace.open(bytes: RandomProgram.bytes(steps: 300, addresses: 1 << 9, freesOneIn: 5))
        let profile = try profile(trace, at: .share(0.5), liveOnly: false)
        let ticks = try trace.resolve(.share(0.5)).ticks
        var allocations = 0
        var bytes = 0
        trace.forEachEvent { event in
            guard event.time <= ticks, event.kind == .allocation else { return }
            allocations += 1
            bytes += Int(event.size)
        }
        #expect(profile.trace.allocations == allocations)
        #expect(profile.trace.bytesAllocated == bytes)
        #expect(!profile.trace.isLiveOnly)
    }

    @Test func `a moment is told in time or as a share, and is none of the trace behind its last event`() throws {
        var builder = TraceBuilder()
        builder.clock(ticks: 1000, monotonic: 0, realtime: 0)
        builder.events(from: 1000) {
            $0.allocate(0x10, size: 1, at: 2000)
            $0.allocate(0x20, size: 1, at: 12_000)
        }
        builder.clock(ticks: 13_000, monotonic: 24_000, realtime: 24_000)
        builder.end()
        let trace = try Trace.open(bytes: builder.bytes)
        #expect(try trace.resolve(.nanoseconds(4000)).ticks == 4000)
        #expect(try trace.resolve(.nanoseconds(4000)).nanoseconds == 4000)
        #expect(try trace.resolve(.nanoseconds(20_000)).ticks == 12_000)
        #expect(try trace.resolve(.share(0.25)).ticks == 4500)
        #expect(try trace.resolve(.share(1)).durationNanoseconds == 20_000)
        #expect(throws: MomentError.afterLastEvent(durationNanoseconds: 20_000)) {
            try trace.resolve(.nanoseconds(20_001))
        }
        #expect(throws: MomentError.noEvents) { try trace.resolve(.share(0.5), image: 9) }
    }

    @Test func `of a text trace a share is a moment and a time is none`() throws {
        let trace = try Trace.open(bytes: Array("ALLOC: 0x10, size 5\nALLOC: 0x20, size 7\nFREE: 0x10, size 5\n".utf8))
        #expect(throws: MomentError.noClock) { try trace.resolve(.nanoseconds(1)) }
        let profile = try profile(trace, at: .share(0.5), liveOnly: true)
        #expect(profile.trace.liveBytes == 12)
        #expect(profile.trace.momentNanoseconds == nil)
    }
}
