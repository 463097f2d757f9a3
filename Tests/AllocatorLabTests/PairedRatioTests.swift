// The statistics of verdicts: their arithmetic against the textbook, and what they say of made-up runs whose truth is known.

import Testing

@testable import AllocatorLab

/// Reproducible noise (SplitMix64).
private struct Noise {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func uniform() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((bits ^ (bits >> 31)) >> 11) / 9_007_199_254_740_992
    }

    /// Of mean 0 and variance 1, roughly normal: the sum of twelve uniform values less 6.
    mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }
}

/// How runs are disturbed on a machine.
private enum Machine: CaseIterable {
    /// 3 % of normal noise.
    case quiet
    /// One run in five is held up by up to twice its length.
    case shared
    /// It slows down by a quarter over the comparison.
    case warming
    /// Its pace wanders: each run's is mostly that of the run before.
    case wandering

    /// The wall times of runs of a program in the order of a comparison: a b, b a, a b …
    func rounds(_ count: Int, ratio: Double, _ noise: inout Noise) -> [(own: Double, base: Double)] {
        var pace = 0.0
        var made = 0
        func run(_ length: Double, _ noise: inout Noise) -> Double {
            made += 1
            switch self {
            case .quiet: return length * (1 + 0.03 * noise.normal())
            case .shared:
                return length * (1 + 0.02 * noise.normal() + (noise.uniform() < 0.2 ? 2 * noise.uniform() : 0))
            case .warming: return length * (1 + 0.25 * Double(made) / Double(2 * count) + 0.02 * noise.normal())
            case .wandering:
                pace = 0.9 * pace + 0.03 * noise.normal()
                return length * (1 + pace + 0.02 * noise.normal())
            }
        }
        return (0..<count).map { round in
            if round % 2 == 0 {
                let base = run(1, &noise)
                return (own: run(ratio, &noise), base: base)
            }
            let own = run(ratio, &noise)
            return (own: own, base: run(1, &noise))
        }
    }
}

@Suite struct PairedRatioTests {
    @Test func `the interval's ranks are those of the tables of the sign test`() {
        // Two-sided at 5 %: none below 6, then 0, 0, 0, 1, 1 …; at 1 %: none below 8 (Hollander and Wolfe, table A.2).
        #expect(
            (1...12).map { PairedRatio.rank(of: $0, confidence: 0.95) } == [
                nil, nil, nil, nil, nil, 0, 0, 0, 1, 1, 1, 2,
            ])
        #expect((6...12).map { PairedRatio.rank(of: $0, confidence: 0.99) } == [nil, nil, 0, 0, 0, 0, 1])
        #expect(PairedRatio.rank(of: 100, confidence: 0.95) == 39)
        #expect(PairedRatio.rank(of: 2000, confidence: 0.95) == 955)
        #expect(PairedRatio.rank(of: 0, confidence: 0.95) == nil)
    }

    @Test func `ten runs are the fewest that can give a verdict, and then only unanimous ones`() {
        #expect(PairedRatio.fewestPairs == 10)
        #expect(PairedRatio.rank(of: 10, confidence: PairedRatio.confidence) == 0)
        let unanimous = (0..<10).map { (own: 2 + Double($0) / 100, base: 1.0) }
        #expect(PairedRatio(unanimous).map(Verdict.init) == .more(ratio: 2.045))
        #expect(PairedRatio(unanimous.dropLast() + [(own: 0.9, base: 1)]).map(Verdict.init) == .noise)
        #expect(PairedRatio(Array(unanimous.dropLast())).map(Verdict.init) == .tooFewRuns)
    }

    @Test func `median and interval are values of the sorted ratios`() throws {
        let ratio = try #require(PairedRatio([4, 1, 3, 2, 5, 6].map { (own: $0, base: 2) }, confidence: 0.95))
        #expect(ratio.median == 1.75)
        #expect(ratio.interval == 0.5...3)
        #expect(ratio.pairs == 6)
    }

    @Test func `a pair without a figure is no pair`() {
        #expect(PairedRatio([]) == nil)
        #expect(PairedRatio([(own: 0, base: 1), (own: 1, base: 0)]) == nil)
        #expect(PairedRatio([(own: 0, base: 1), (own: 3, base: 1)])?.pairs == 1)
    }

    @Test func `a difference of less than one per cent is none, however sure`() {
        func verdict(_ ratio: Double) -> Verdict? {
            PairedRatio((0..<20).map { _ in (own: ratio, base: 1) }).map(Verdict.init)
        }
        #expect(verdict(1) == .same)
        #expect(verdict(1.009) == .same)
        #expect(verdict(1.02) == .more(ratio: 1.02))
        #expect(verdict(0.98) == .less(ratio: 0.98))
    }

    @Test(arguments: Machine.allCases)
    fileprivate func `one allocator beside itself practically never gets a verdict`(machine: Machine) {
        var noise = Noise(seed: 20_261_123)
        for runs in [10, 20, 31] {
            let trials = 1500
            let wrong = (0..<trials).count { _ in
                switch PairedRatio(machine.rounds(runs, ratio: 1, &noise)).map(Verdict.init) {
                case .less, .more: true
                default: false
                }
            }
            // The promise is a third of a per cent for each of three figures; by chance up to twice that here.
            #expect(Double(wrong) / Double(trials) <= 2 * PairedRatio.falseVerdicts / 3, "\(runs) runs: \(wrong)")
        }
    }

    @Test(arguments: [(Machine.quiet, 10, 0.9), (.shared, 40, 0.9), (.warming, 20, 0.9), (.wandering, 20, 0.9)])
    fileprivate func `a true difference of a fifth is found`(machine: Machine, runs: Int, share: Double) {
        var noise = Noise(seed: 7)
        let found = (0..<1000).count { _ in
            guard case .more = PairedRatio(machine.rounds(runs, ratio: 1.2, &noise)).map(Verdict.init) else {
                return false
            }
            return true
        }
        #expect(Double(found) / 1000 >= share, "\(found)")
    }
}
