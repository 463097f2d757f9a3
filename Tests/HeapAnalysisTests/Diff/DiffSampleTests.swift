// Differences of estimates: what chance explains.
@testable import HeapAnalysis
import Testing

@Suite struct DiffSampleTests {
    @Test func `differences of samples within two standard errors are noise`() throws {
        // 100 hits of weight 10: 1,000 allocations, ± the root of 100 · 10 · 9, or 94.9; the difference of two such ± 134.
        let diff = DiffSources.diff(
            DiffSources.sample([("A", 100), ("B", 100)]), DiffSources.sample([("A", 120), ("B", 200)]))
        let rows = diff.rows(by: DiffSources.owner)
        #expect(rows.map(\.key.row.type) == ["B", "A"])
        let error = try #require(diff.error(rows[1], .allocations))
        #expect(abs(error - (90.0 * 220).squareRoot()) < 1e-6)
        #expect(rows.map { diff.isNoise($0) } == [false, true])
        #expect(diff.verdict == .different)
        #expect(DiffSources.diff(DiffSources.sample([("A", 100)]), DiffSources.sample([("A", 120)])).verdict == .noise)
        #expect(
            DiffSources.diff(DiffSources.sample([("A", 100)]), DiffSources.sample([("A", 100)])).verdict == .nothing)
    }

    @Test func `an owner that only one sample hit may be chance`() {
        let once = DiffSources.diff(DiffSources.sample([("A", 100)]), DiffSources.sample([("A", 100), ("B", 1)]))
        #expect(
            once.rows(by: DiffSources.owner).first { $0.new != nil && $0.old == nil }.map { once.isNoise($0) } == true)
        let often = DiffSources.diff(DiffSources.sample([("A", 100)]), DiffSources.sample([("A", 100), ("B", 50)]))
        #expect(
            often.rows(by: DiffSources.owner).first { $0.new != nil && $0.old == nil }.map { often.isNoise($0) }
                == false)
    }

    @Test func `a sample beside a complete recording is told, and its errors are the difference's`() throws {
        let complete = DiffSources.owners([("A", [UInt64](repeating: 100, count: 1000))])
        var sampled = DiffSources.sample([("A", 105)])
        sampled.facts.program = "app"
        sampled.facts.allocator = "glibc"
        let diff = DiffSources.diff(complete, sampled)
        #expect(diff.caveats.contains(.sampling(old: nil, new: 1000)))
        let row = try #require(diff.rows(by: DiffSources.owner).first)
        #expect(diff.error(row, .allocations) == (90.0 * 105).squareRoot())
        #expect(diff.verdict == .noise)
        #expect(!DiffSources.diff(complete, complete).isSampled)
    }

    @Test func `of many rows some differ by more than two standard errors, and that is chance, too`() {
        let hundred = (0..<100).map { "Owner\($0)" }
        // One of a hundred is off by 2.5 standard errors of the difference: 37 hits of 100, for the root of 90 · 237 is 146.
        let old = DiffSources.sample(hundred.map { ($0, 100) })
        let off = DiffSources.sample(hundred.map { ($0, $0 == "Owner7" ? 137 : 100) })
        let diff = DiffSources.diff(old, off)
        #expect(diff.rows(by: DiffSources.owner).map { diff.isNoise($0) }.first == false)
        #expect(diff.verdict == .noise)
        // By itself the same owner is a difference, and so is one that is off by more than any of a hundred is by chance.
        let alone = (DiffSources.sample([("Owner7", 100)]), DiffSources.sample([("Owner7", 137)]))
        #expect(DiffSources.diff(alone.0, alone.1).verdict == .different)
        let far = DiffSources.sample(hundred.map { ($0, $0 == "Owner7" ? 180 : 100) })
        #expect(DiffSources.diff(old, far).verdict == .different)
    }
}
