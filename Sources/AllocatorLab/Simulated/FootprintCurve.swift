// A curve over a stream of unknown length in bounded memory: every n-th moment, n doubled whenever there are too many.

/// Evenly spaced moments of a simulation.
struct FootprintCurve {
    /// Moments kept at most, even.
    private let capacity: Int
    private var stride = 1
    private var moments: [SimulatedMoment] = []

    /// A curve of `points` moments at most, 2 at least.
    init(points: Int) { capacity = max(2, points - points % 2) }

    /// The number of calls after which the next moment is to be told.
    private(set) var due = 0

    /// Takes a moment; `calls` must have reached ``due``. Amortised O(1).
    mutating func add(_ moment: SimulatedMoment) {
        if moments.count == capacity {
            moments = moments.indices.filter { $0 % 2 == 0 }.map { moments[$0] }
            stride *= 2
        }
        // What was thinned out may leave this moment between two strides.
        if moment.calls % stride == 0 { moments.append(moment) }
        due = (moment.calls / stride + 1) * stride
    }

    /// The curve up to its last moment, which is always in it.
    func ending(with last: SimulatedMoment) -> [SimulatedMoment] {
        guard let end = moments.last, end.calls >= last.calls else { return moments + [last] }
        return moments
    }
}
