// The value of `--at`: a moment of a trace, as a time after its first event or as a share of the whole.
internal import ArgumentParser
internal import HeapAnalysis
internal import ProfileExport
internal import TraceReader

/// A moment as it was typed.
struct MomentArgument {
    let text: String
    let moment: TraceMoment

    /// Nanoseconds of each unit.
    private static let units: [(name: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("min", 60e9), ("h", 3600e9),
    ]

    static func parse(_ argument: String) throws -> MomentArgument {
        guard let moment = MomentArgument(argument) else {
            throw ValidationError(
                "it takes a time after the first event, such as 250us, 40ms or 1.5s, or a share such as 30%")
        }
        return moment
    }

    private init?(_ argument: String) {
        text = argument
        let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), value.isFinite else { return nil }
        let unit = argument.dropFirst(number.count)
        if unit == "%" {
            guard value <= 100 else { return nil }
            moment = .share(value / 100)
        } else if let known = Self.units.first(where: { $0.name == unit }) {
            moment = .nanoseconds(value * known.nanoseconds)
        } else {
            return nil
        }
    }
}

extension TraceInput {
    /// The moment in this trace's own time.
    func resolve(_ at: MomentArgument, image: Int?) throws(Failure) -> ResolvedMoment {
        do throws(MomentError) {
            return try trace.resolve(at.moment, image: image)
        } catch {
            throw Failure(status: .usage, line(at, error))
        }
    }

    private func line(_ at: MomentArgument, _ error: MomentError) -> String {
        switch error {
        case .afterLastEvent(let duration):
            "--at \(at.text) is after the last event of \(path), at \(NumberText.duration(duration)); type: heaptrail report \(path) --at 100%"
        case .noClock:
            "\(path) does not tell how long a tick is, so --at takes a share of its events; type: heaptrail report \(path) --at 50%"
        case .noEvents: "\(path) has no such image, or no events; type: heaptrail report \(path)"
        }
    }
}
