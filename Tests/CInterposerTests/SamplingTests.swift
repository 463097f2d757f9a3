// Sampling in the C core: the distances, the weights, the set of sampled blocks, and whether the estimates are unbiased and their standard errors right.
// Every random choice has a fixed seed: a test that passes once passes always.

import CInterposerTestSupport
import Foundation
import Testing
import TraceReader

/// What one thread did, by its samples.
private struct Estimate {
    var allocations = 0.0
    var bytes = 0.0
    var allocationVariance = 0.0
    var byteVariance = 0.0
    /// Sum of the squares of what the samples add to `allocationVariance`.
    var squares = 0.0
    var frees = 0
    var samples = 0
    var freedNext = 0

    mutating func add(_ event: HeapEvent) {
        guard event.kind == .allocation else {
            frees += 1
            freedNext += event.isFreedNext ? 1 : 0
            return
        }
        let size = Double(event.size)
        let variance = event.weight * (event.weight - 1)
        samples += 1
        allocations += event.weight
        bytes += event.weight * size
        allocationVariance += variance
        squares += variance * variance
        byteVariance += variance * size * size
    }
}

/// A stream of allocations, sampled on each of many threads.
struct SampledStream: Sendable, CustomTestStringConvertible {
    var sizes: [UInt64]
    var mean: UInt64 = 4096
    var threads = 300
    var allocations = 20_000
    var held = 100
    var left = 0
    var isAtOnce = false
    var testDescription: String { "sizes \(sizes.prefix(4)), one sample every \(mean) bytes" }

    /// The sizes of one thread's allocations.
    var all: [UInt64] { (0..<allocations).map { sizes[$0 % sizes.count] } }

    func run() {
        sizes.withUnsafeBufferPointer { buffer in
            var stream = ht_test_stream(
                threads: UInt32(threads), allocations: UInt32(allocations), held: UInt32(held), left: UInt32(left),
                sizes: buffer.baseAddress, size_count: buffer.count, at_once: isAtOnce)
            ht_test_sample_stream(&stream)
        }
    }
}

extension RecorderCore {
    @Suite("Sampling") struct SamplingTests {
        private func estimates(_ stream: SampledStream, seed: UInt64) throws -> (byThread: [Estimate], trace: Trace) {
            let session = try RecordingSession(options: RecorderOption.noStacks, sample: stream.mean, seed: seed)
            session.drain()
            stream.run()
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(state.lost_allocations + state.lost_frees == 0)
            #expect(trace.isSampled && trace.sampleBytes == stream.mean)
            var byThread = [Estimate](repeating: Estimate(), count: stream.threads)
            for event in trace.events { byThread[Int(event.thread.rawValue) - 1].add(event) }
            return (byThread, trace)
        }

        @Test(
            "draws distances that are exponential: mean, variance, shares, independence", arguments: [1, 7, 1_000_003])
        func distances(seed: UInt64) {
            let count: UInt32 = 1_000_000
            let moments = ht_test_distances(seed, 1 << 30, count)
            // Standard errors of a million draws: 0.001 of the mean, sqrt(8) / 1000 of the variance, sqrt(p q) / 1000 of a share.
            #expect(abs(moments.mean - 1) < 4 * 0.001)
            #expect(abs(moments.variance - 1) < 4 * 0.00283)
            #expect(abs(moments.within_mean - (1 - exp(-1))) < 4 * 0.00048)
            #expect(abs(moments.within_twentieth - (1 - exp(-0.05))) < 4 * 0.00022)
            #expect(abs(moments.lag_correlation) < 4 * 0.001)
        }

        @Test("computes logarithms and weights as libm does")
        func mathematics() {
            var worst = 0.0
            for step in 1...200_000 {
                let x = Double(step) / 200_000
                if x < 1 { worst = max(worst, abs(ht_test_log(x) / log(x) - 1)) }
            }
            #expect(worst < 1e-15)
            worst = 0
            for mean in [1, 100, 4096, 524_288, 1 << 40] as [UInt64] {
                for exponent in 0..<45 {
                    for size in [UInt64(1) << UInt64(exponent), UInt64(3) << UInt64(exponent)] {
                        let exact = -1 / expm1(-Double(size) / Double(mean))
                        worst = max(worst, abs(ht_test_weight(size, mean) / exact - 1))
                    }
                }
            }
            #expect(worst < 1e-14)
            #expect(ht_test_weight(0, 4096) == ht_test_weight(1, 4096))
            #expect(ht_test_weight(.max, 4096) == 1)
        }

        @Test(
            "estimates allocations and bytes without bias, whatever the sizes",
            arguments: [
                SampledStream(sizes: [64]), SampledStream(sizes: [1]), SampledStream(sizes: [0]),
                SampledStream(sizes: [16, 24, 505, 48, 4096, 72, 200]), SampledStream(sizes: [4096]),
                SampledStream(sizes: [24, 100_000, 3000], allocations: 3000),
                SampledStream(sizes: [40_000, 17], mean: 512, allocations: 3000),
            ])
        func unbiased(stream: SampledStream) throws {
            var stream = stream
            stream.threads = 100
            let (byThread, _) = try estimates(stream, seed: 4711)
            let count = Double(stream.allocations * stream.threads)
            let bytes = Double(stream.all.reduce(0, +)) * Double(stream.threads)
            let sum = byThread.reduce(into: Estimate()) { sum, one in
                sum.allocations += one.allocations
                sum.bytes += one.bytes
                sum.allocationVariance += one.allocationVariance
                sum.byteVariance += one.byteVariance
                sum.squares += one.squares
                sum.samples += one.samples
                sum.frees += one.frees
            }
            #expect(abs(sum.allocations - count) < 4 * sum.allocationVariance.squareRoot() + 1e-6 * count)
            #expect(abs(sum.bytes - bytes) <= 4 * sum.byteVariance.squareRoot() + 1e-6 * bytes)
            // The true variance is the sum of (1 - p) / p; that of its estimate is at most the sum of the squares of what the samples add.
            let variance =
                stream.all.reduce(0) { $0 + ht_test_weight($1, stream.mean) - 1 } * Double(stream.threads)
            #expect(abs(sum.allocationVariance - variance) < 5 * sum.squares.squareRoot())
            #expect(sum.frees == sum.samples)
        }

        @Test(
            "gives standard errors that hold: 95 % of the estimates lie within two",
            arguments: [
                SampledStream(sizes: [64]), SampledStream(sizes: [16, 24, 505, 48, 4096, 72, 200]),
                SampledStream(sizes: [24, 5000, 3000], allocations: 3000),
            ])
        func calibrated(stream: SampledStream) throws {
            let (byThread, _) = try estimates(stream, seed: 99)
            let bytes = Double(stream.all.reduce(0, +))
            let scores = byThread.map { ($0.bytes - bytes) / $0.byteVariance.squareRoot() }
            let within = Double(scores.count { abs($0) < 2 }) / Double(scores.count)
            // The share of 300 has a standard error of 0.012.
            #expect(within > 0.915 && within < 0.99)
            let mean = scores.reduce(0, +) / Double(scores.count)
            let spread = (scores.reduce(0) { $0 + $1 * $1 } / Double(scores.count)).squareRoot()
            #expect(abs(mean) < 0.25)
            #expect(spread > 0.85 && spread < 1.2)
        }

        @Test("records every block much larger than the distance, each for itself alone")
        func largeBlocks() throws {
            let stream = SampledStream(sizes: [1 << 20], threads: 3, allocations: 1000, held: 4)
            let (byThread, trace) = try estimates(stream, seed: 1)
            #expect(byThread.map(\.samples) == [1000, 1000, 1000])
            #expect(byThread.map(\.frees) == [1000, 1000, 1000])
            #expect(trace.events.allSatisfy { $0.weight == 1 })
        }

        @Test("counts every event exactly, and keeps the totals of ended threads", arguments: [false, true])
        func totals(isAtOnce: Bool) throws {
            let stream = SampledStream(
                sizes: [100, 0, 28], mean: 1 << 20, threads: 40, allocations: 3001, held: 7, left: 5,
                isAtOnce: isAtOnce)
            let (byThread, trace) = try estimates(stream, seed: 3)
            let expected = AllocationTotals(
                allocations: 3001, frees: 2996, bytes: stream.all.reduce(0, +), reallocations: 0)
            #expect(trace.threads.count == 40)
            #expect(trace.threads.allSatisfy { $0.exactTotals == expected })
            #expect(trace.tables()?.unplacedTotals == nil)
            #expect(byThread.count { $0.samples > 0 } < 40)
        }

        @Test("says of a block that was freed next that it was, whatever was not sampled between")
        func freedNext() throws {
            // Every block is freed as its thread's next event; then none is, although at this distance samples are neighbours in the trace.
            let next = SampledStream(sizes: [64], mean: 8192, threads: 4, held: 0)
            let (temporary, _) = try estimates(next, seed: 5)
            #expect(temporary.allSatisfy { $0.freedNext == $0.samples && $0.samples > 100 })
            let later = SampledStream(sizes: [64], mean: 8192, threads: 4, held: 1)
            let (kept, _) = try estimates(later, seed: 5)
            #expect(kept.allSatisfy { $0.freedNext == 0 && $0.frees == $0.samples && $0.samples > 100 })
        }

        @Test("takes the same samples from the same seed, and others from another")
        func reproducible() throws {
            func addresses(_ seed: UInt64) throws -> [UInt64] {
                let stream = SampledStream(sizes: [64, 100], threads: 3)
                return try estimates(stream, seed: seed).trace.events.map(\.address).sorted()
            }
            let first = try addresses(8)
            #expect(try addresses(8) == first)
            #expect(try addresses(9) != first)
        }

        @Test("finds every sampled block at its free, from eight threads at once, and no other")
        func set() {
            let counts = ht_test_sampled_set(8, 20_000)
            #expect(counts.refused == 0)
            #expect(counts.hidden == 0)
            #expect(counts.strangers == 0)
            #expect(counts.left == 0)
            #expect(counts.stuck == 0)
            // 80,000 blocks in the largest filter: one stranger in seven meets a counter that is not zero.
            #expect(counts.shown < 160_000 / 4)
        }

        @Test("lets few unsampled blocks through the filter while few are sampled")
        func filter() {
            let counts = ht_test_sampled_set(1, 800)
            #expect(counts.hidden == 0 && counts.refused == 0)
            #expect(counts.shown < 800 / 8)
        }
    }
}
