// The arithmetic of sampled traces (FORMAT.md §7). A sample of weight w stands for w allocations, so sums of weight × x estimate the sums of x over
// all allocations without bias (Horvitz and Thompson), whatever the chances were. Allocations are sampled independently of each other, so
// the sum of w (w − 1) x² estimates the variance of such a sum, and its root is the standard error.

/// Into what parts of one block and one byte the sums of a pass are cut, so that fractional weights add up as whole numbers, and what was added
/// can be taken away again without a rest.
struct SumUnits: Hashable, Sendable {
    /// Parts of a block.
    var blocks: Int
    /// Parts of a byte.
    var bytes: Int

    /// Whole blocks and bytes: what a complete trace is counted in.
    static let whole = SumUnits(blocks: 1, bytes: 1)
    /// 1/65536 of a block and 1/1024 of a byte: room for 10^14 allocations and 10^15 bytes.
    static let sampled = SumUnits(blocks: 1 << 16, bytes: 1 << 10)

    /// Weights beyond this are no weights: a block of one byte in a sample of one in 2^40.
    private static let largestWeight = 2e12

    private static func checked(_ weight: Float) -> Double {
        weight.isFinite && weight > 0 ? min(Double(weight), largestWeight) : 1
    }

    /// What a sample of this weight adds to sums of blocks.
    func blocks(weight: Float) -> Int { Int((Self.checked(weight) * Double(blocks)).rounded()) }

    /// What a sample of this weight adds to sums of something of which each of its allocations has `amount` bytes.
    func bytes(_ amount: Int, weight: Float) -> Int {
        Int(min(Double(amount) * Self.checked(weight) * Double(bytes), 0x1p62).rounded())
    }

    /// What a sample of this weight adds to the variance of sums of blocks; times the square of its bytes, to that of sums of bytes.
    static func variance(weight: Float) -> Double {
        let weight = checked(weight)
        return max(0, weight * (weight - 1))
    }
}

/// Estimated variances of the sums of one cell, in squared blocks and squared bytes.
struct SampleVariance: Hashable, Sendable {
    var allocations = 0.0
    var frees = 0.0
    var bytes = 0.0
    var liveBlocks = 0.0
    var liveBytes = 0.0
    var temporary = 0.0
    /// `liveBytes` at the peak of number `peakNumber`; see `Cell`.
    var bytesAtPeak = 0.0
    var peakNumber = 0

    /// To be called before every change of the live sums: keeps the value the last peak saw.
    private mutating func keepPeak(_ number: Int) {
        if peakNumber != number {
            peakNumber = number
            bytesAtPeak = liveBytes
        }
    }

    mutating func allocate(weight: Float, size: UInt64, peak: Int) {
        keepPeak(peak)
        let variance = SumUnits.variance(weight: weight)
        let ofBytes = variance * Double(size) * Double(size)
        allocations += variance
        bytes += ofBytes
        liveBlocks += variance
        liveBytes += ofBytes
    }

    /// - Parameter isEmpty: whether nothing is left alive: then nothing is uncertain either, whatever rounding has left.
    mutating func free(weight: Float, size: UInt64, peak: Int, isEmpty: Bool) {
        keepPeak(peak)
        let variance = SumUnits.variance(weight: weight)
        frees += variance
        liveBlocks = isEmpty ? 0 : max(0, liveBlocks - variance)
        liveBytes = isEmpty ? 0 : max(0, liveBytes - variance * Double(size) * Double(size))
    }

    mutating func free(asTemporaryOfWeight weight: Float) { temporary += SumUnits.variance(weight: weight) }

    /// The value as it is at the end of the pass, whose last peak had this number.
    func finished(peak: Int) -> SampleVariance {
        var result = self
        result.bytesAtPeak = peakNumber == peak ? bytesAtPeak : liveBytes
        result.peakNumber = peak
        return result
    }

    /// The variance of the sum of this and other allocations, which were sampled independently.
    func adding(_ other: SampleVariance) -> SampleVariance {
        var result = self
        result.add(other)
        return result
    }

    mutating func add(_ other: SampleVariance) {
        allocations += other.allocations
        frees += other.frees
        bytes += other.bytes
        liveBlocks += other.liveBlocks
        liveBytes += other.liveBytes
        temporary += other.temporary
        bytesAtPeak += other.bytesAtPeak
    }

    /// The roots.
    var standardError: StandardError {
        StandardError(
            allocations: allocations.squareRoot(), frees: frees.squareRoot(), bytes: bytes.squareRoot(),
            liveBlocks: liveBlocks.squareRoot(), liveBytes: liveBytes.squareRoot(),
            peakBytes: bytesAtPeak.squareRoot(), temporary: temporary.squareRoot())
    }
}

/// Standard errors of the figures of a sampled trace: two in three estimates are off by less than theirs, nineteen in twenty by less than twice
/// theirs. 0 for a figure that is exact.
public struct StandardError: Hashable, Sendable {
    /// Of allocations.
    public var allocations: Double
    /// Of frees.
    public var frees: Double
    /// Of bytes asked for.
    public var bytes: Double
    /// Of blocks live at the end.
    public var liveBlocks: Double
    /// Of bytes live at the end.
    public var liveBytes: Double
    /// Of bytes live at the trace's peak.
    public var peakBytes: Double
    /// Of temporary allocations.
    public var temporary: Double
}

/// What a sampled recording counted of all events, sampled or not.
public struct ExactTotals: Hashable, Sendable {
    /// Allocations.
    public var allocations: Int
    /// Frees.
    public var frees: Int
    /// Bytes asked for.
    public var bytes: Int
    /// Reallocations; nil where they were not counted.
    public var reallocations: Int?

    /// Totals of these counts.
    public init(allocations: Int, frees: Int, bytes: Int, reallocations: Int?) {
        self.allocations = allocations
        self.frees = frees
        self.bytes = bytes
        self.reallocations = reallocations
    }

    mutating func add(_ other: ExactTotals) {
        allocations &+= other.allocations
        frees &+= other.frees
        bytes &+= other.bytes
        if let mine = reallocations, let theirs = other.reallocations {
            reallocations = mine &+ theirs
        } else {
            reallocations = nil
        }
    }
}
