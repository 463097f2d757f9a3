// Flows between threads: who allocates, who frees, of whom.
@testable import HeapAnalysis
import Testing

@Suite struct ThreadFlowTests {
    private func source(_ events: [ScriptedEvent]) -> ScriptedSource {
        var source = ScriptedSource()
        source.own(1, family: "Box", type: "Box<A>", cause: "construct")
        source.own(2, family: "Box", type: "Box<B>", cause: "construct")
        source.events = events
        return source
    }

    private func profile(_ source: ScriptedSource) -> HeapProfile {
        var options = AnalysisOptions(fields: [.thread])
        options.tracksFlows = true
        return ProfileBuilder(source: source, options: options, symbolicator: ListedSymbols())
            .build(attributor: Attributor(executablePath: nil))
    }

    @Test func `a block freed by another thread is a flow, one freed by its own is not`() throws {
        let profile = profile(
            source([
                .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1), .free(0x10, thread: 2, at: 2),
                .allocate(0x20, size: 50, stack: 2, thread: 1, at: 3), .free(0x20, thread: 2, at: 4),
                .allocate(0x30, size: 7, stack: 2, thread: 1, at: 5), .free(0x30, thread: 1, at: 6),
                .allocate(0x40, size: 9, stack: 1, thread: 3, at: 7), .free(0x40, thread: 1, at: 8),
                .allocate(0x50, size: 1, stack: 1, thread: 3, at: 9),
            ]))
        let flows = try #require(ThreadFlows(profile, by: GroupingKey.owner.fields))
        #expect(flows.crossing.map { [$0.from, $0.to, $0.blocks, $0.bytes] } == [[1, 2, 2, 150], [3, 1, 1, 9]])
        #expect(flows.crossing.first?.topOwner?.type == "Box<A>")
        #expect(flows.freed == 4)
        #expect(flows.crossed == 3)
        #expect(flows.crossedBytes == 159)
        #expect(flows.within[1]?.blocks == 1)
        #expect(flows.within[1]?.bytes == 7)
        #expect(flows.owners.map(\.key.type) == ["Box<A>", "Box<B>"])
        #expect(flows.owners.map(\.blocks) == [2, 1])
        #expect(flows.owners.map(\.freed) == [2, 2])
        #expect(flows.owners.map(\.pairs) == [2, 1])
        let rows = profile.rows(by: [.thread])
        #expect(rows.map(\.key.thread) == [1, 3])
        #expect(rows.map(\.figures.elsewhere) == [2, 1])
        #expect(rows.map(\.figures.elsewhereBytes) == [150, 9])
    }

    @Test func `a filter keeps the flows of what it accepts`() throws {
        let profile = profile(
            source([
                .allocate(0x10, size: 100, stack: 1, thread: 1, at: 1), .free(0x10, thread: 2, at: 2),
                .allocate(0x20, size: 50, stack: 2, thread: 1, at: 3), .free(0x20, thread: 2, at: 4),
            ]))
        let flows = try #require(ThreadFlows(profile, by: .type, filter: RowFilter(text: "Box<B>")))
        #expect(flows.crossing.map(\.bytes) == [50])
        #expect(flows.freed == 1)
    }

    @Test func `thousands of pairs of threads are all counted`() throws {
        var events: [ScriptedEvent] = []
        for number in 0..<20_000 as Range<UInt64> {
            let from = UInt32(number % 150) + 1
            let to = UInt32(number / 150 % 133) + 1001
            events.append(.allocate(number * 16 + 16, size: 8, thread: from, at: number * 2))
            events.append(.free(number * 16 + 16, thread: to, at: number * 2 + 1))
        }
        let flows = try #require(ThreadFlows(profile(source(events)), by: .family))
        #expect(flows.crossing.count == 150 * 133)
        #expect(flows.crossed == 20_000)
        #expect(flows.crossing.allSatisfy { $0.from <= 150 && $0.to > 1000 })
    }

    @Test func `a block whose free came out of order is in no flow`() throws {
        let profile = profile(
            source([
                .allocate(0x10, size: 8, stack: 1, thread: 1, at: 5),
                .allocate(0x10, size: 9, stack: 2, thread: 2, at: 6),
                .free(0x10, thread: 1, at: 7), .free(0x10, thread: 2, at: 8),
            ]))
        let flows = try #require(ThreadFlows(profile, by: .type))
        #expect(flows.crossing.isEmpty)
        #expect(flows.unplaced == 1)
        #expect(flows.freed == 2)
    }

    @Test func `samples flow by their weight, with an error`() throws {
        var source = source([
            .allocate(0x10, size: 10, stack: 1, thread: 1, at: 1, weight: 64), .free(0x10, thread: 2, at: 2),
        ])
        source.facts.isSampled = true
        let flow = try #require(ThreadFlows(profile(source), by: .type)?.crossing.first)
        #expect(flow.blocks == 64)
        #expect(flow.bytes == 640)
        #expect(abs(flow.error.blocks - (64.0 * 63).squareRoot()) < 0.001)
        #expect(abs(flow.error.bytes - 10 * (64.0 * 63).squareRoot()) < 0.01)
    }

    @Test func `nothing is said of flows that were not tracked, nor of a text trace`() {
        var source = source([.allocate(0x10, size: 8, at: 1), .free(0x10, at: 2)])
        #expect(ThreadFlows(source.profile(fields: [.thread]), by: .type) == nil)
        #expect(source.profile(fields: [.thread]).rows(by: []).first?.figures.elsewhere == nil)
        source.facts.mode = "text"
        #expect(ThreadFlows(profile(source), by: .type) == nil)
    }
}
