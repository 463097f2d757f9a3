// A part of an image's events by their times, and how a moment is told: so long after the first event, or at a share of the way to the last.

/// Which events of an image: those after one time, up to another.
public struct EventSpan: Sendable, Equatable {
    /// Ticks: only later events; `nil` for all from the first.
    public var after: UInt64?
    /// Ticks: no later events.
    public var through: UInt64

    /// The events later than `after`, up to and with `through`.
    public init(after: UInt64? = nil, through: UInt64 = .max) {
        self.after = after
        self.through = through
    }
}

/// A moment of an image.
public enum TraceMoment: Sendable, Equatable {
    /// So many nanoseconds after the first event.
    case nanoseconds(Double)
    /// At this share, 0 to 1, of the time from the first event to the last.
    case share(Double)
}

/// A moment as the trace's clock has it.
public struct ResolvedMoment: Sendable, Equatable {
    /// Ticks: the last that belong to the time up to the moment.
    public var ticks: UInt64
    /// Nanoseconds after the first event; `nil` where the trace's times are no times.
    public var nanoseconds: Int?
    /// Nanoseconds from the first event to the last; `nil` where the trace's times are no times.
    public var durationNanoseconds: Int?
}

/// Why a moment is none of a trace.
public enum MomentError: Error, Sendable, Equatable {
    /// There are no events.
    case noEvents
    /// The trace's times are no times, as in the text dialect: only shares are moments of it.
    case noClock
    /// It lies behind the last event, which is so many nanoseconds after the first.
    case afterLastEvent(durationNanoseconds: Int)
}

extension Trace {
    /// The ticks of a moment of an image (the last one when `nil`). O(streams log streams).
    public func resolve(_ moment: TraceMoment, image: Int? = nil) throws(MomentError) -> ResolvedMoment {
        guard let tables = tables(image: image), let first = firstEventTime(image: tables.info.number),
            let last = tables.lastTime, last >= first
        else { throw .noEvents }
        func nanoseconds(_ ticks: UInt64) -> Int? {
            isClockCalibrated ? Int(exactly: (Double(ticks) * nanosecondsPerTick).rounded()) : nil
        }
        let duration = nanoseconds(last - first)
        let ticks: Double
        switch moment {
        case .share(let share): ticks = Double(last - first) * max(0, min(1, share))
        case .nanoseconds(let amount):
            guard let duration else { throw .noClock }
            ticks = amount / nanosecondsPerTick
            // A duration is shown rounded: typed again, it is the last event's time.
            guard amount <= Double(duration) else { throw .afterLastEvent(durationNanoseconds: duration) }
        }
        let offset = min(last - first, UInt64(max(0, ticks.rounded())))
        return ResolvedMoment(
            ticks: first + offset, nanoseconds: nanoseconds(offset), durationNanoseconds: duration)
    }

    private func firstEventTime(image: Int) -> UInt64? {
        if isText { return tables(image: image)?.firstTime }
        guard let batches = batches(image: image, span: EventSpan(), usesThread: false) else { return nil }
        return batches.next()?.first?.time
    }
}
