// Lifetimes by decade.
@testable import HeapAnalysis
import Testing

@Suite struct LifetimeDistributionTests {
    private func source(_ lifetimes: [UInt64], tick: Double? = 1) -> ScriptedSource {
        var source = ScriptedSource()
        source.facts.nanosecondsPerTick = tick
        for (index, lifetime) in lifetimes.enumerated() {
            let address = UInt64(index + 1) * 16
            source.events.append(.allocate(address, size: 8, at: 1))
            source.events.append(.free(address, at: 1 + lifetime))
        }
        return source
    }

    @Test func `each block counts in the decade that it lived`() throws {
        let lifetimes: [UInt64] = [
            0, 500, 5000, 50_000, 50_001, 500_000, 5_000_000, 50_000_000, 500_000_000, 5_000_000_000, 50_000_000_000,
        ]
        var source = source(lifetimes)
        source.events.append(.allocate(0x9000, size: 8, at: 2))
        let row = try #require(source.profile().rows(by: []).first)
        let distribution = try #require(row.lifetimes)
        #expect(distribution.counts == [2, 1, 2, 1, 1, 1, 1, 1, 1])
        #expect(distribution.freed == 11)
        #expect(row.figures.liveBlocks == 1)
    }

    @Test func `ticks are nanoseconds of the trace's clock`() throws {
        let distribution = try #require(source([50], tick: 1000).profile().rows(by: []).first?.lifetimes)
        #expect(distribution.counts == [0, 0, 1, 0, 0, 0, 0, 0, 0])
    }

    @Test func `times that are no times make no lifetimes`() {
        #expect(source([50], tick: nil).profile().rows(by: []).first?.lifetimes == nil)
    }

    @Test func `rows sum to the whole`() throws {
        var source = source([])
        source.own(1, family: "Box", type: "A", cause: "construct")
        source.own(2, family: "Box", type: "B", cause: "construct")
        for index in 0..<100 as Range<UInt64> {
            source.events.append(.allocate(index * 16 + 16, size: 8, stack: UInt32(index % 2 + 1), at: index))
            source.events.append(.free(index * 16 + 16, at: index + index * index * index * 17))
        }
        let profile = source.profile()
        var sum = LifetimeDistribution()
        for row in profile.rows(by: .type) { sum.add(try #require(row.lifetimes)) }
        #expect(sum == profile.rows(by: []).first?.lifetimes)
        #expect(sum.freed == 100)
    }
}
