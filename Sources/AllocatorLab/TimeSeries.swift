// A figure that was read again and again over time, kept in bounded memory: when there are too many readings, neighbours
// are made one, of which the greater stays, so that a peak is never lost. No clock and no I/O.

/// Readings of one figure, such as a resident set or live bytes, in the order of their times.
public struct TimeSeries: Equatable, Sendable {
    /// One reading, or the greatest of several that were close together.
    public struct Sample: Equatable, Sendable {
        /// Nanoseconds since the beginning of the series.
        public var nanoseconds: UInt64
        /// The figure, in its own unit.
        public var value: UInt64

        /// Pairs a time with a figure.
        public init(nanoseconds: UInt64, value: UInt64) {
            self.nanoseconds = nanoseconds
            self.value = value
        }
    }

    /// What is kept, at most `capacity` of them, times ascending.
    public private(set) var samples: [Sample] = []
    /// The greatest value there was.
    public private(set) var peak: UInt64 = 0
    /// How many readings were taken in.
    public private(set) var readings = 0

    private let capacity: Int
    /// Readings closer to the last kept one than this become one with it.
    private var spacing: UInt64 = 0
    private var bucketStart: UInt64 = 0
    private var last = Sample(nanoseconds: 0, value: 0)
    /// Value times nanoseconds up to `last`.
    private var area = 0.0

    /// An empty series.
    ///
    /// - Parameter capacity: how many samples are kept, at least 2.
    public init(capacity: Int = 512) {
        self.capacity = max(2, capacity)
    }

    /// Takes a reading in. One that is earlier than the last counts as made at the same time.
    ///
    /// - Complexity: O(1) amortised; memory stays within the capacity.
    public mutating func append(nanoseconds: UInt64, value: UInt64) {
        let now = max(nanoseconds, last.nanoseconds)
        if readings > 0 { area += Double(now - last.nanoseconds) * Double(last.value) }
        last = Sample(nanoseconds: now, value: value)
        readings += 1
        peak = max(peak, value)
        if !samples.isEmpty, now - bucketStart < spacing {
            if value > samples[samples.count - 1].value { samples[samples.count - 1] = last }
            return
        }
        bucketStart = now
        samples.append(last)
        if samples.count > capacity { halve() }
    }

    /// The mean over time: each value counts for as long as it stood, up to the next reading; nil without readings.
    public var mean: Double? {
        guard let first = samples.first, readings > 0 else { return nil }
        let start = min(first.nanoseconds, last.nanoseconds)
        return last.nanoseconds > start ? area / Double(last.nanoseconds - start) : Double(last.value)
    }

    /// The last reading; nil without readings.
    public var end: Sample? { readings > 0 ? last : nil }

    private mutating func halve() {
        let merged = stride(from: 0, to: samples.count, by: 2).map { index in
            guard index + 1 < samples.count else { return samples[index] }
            let (left, right) = (samples[index], samples[index + 1])
            return left.value >= right.value ? left : right
        }
        samples = merged
        let span = last.nanoseconds - min(last.nanoseconds, samples[0].nanoseconds)
        spacing = max(spacing * 2, span / UInt64(capacity))
    }
}
