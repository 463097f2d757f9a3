// A replay as text for people: a table of times and one of memory, the fastest allocator first.

extension Replay {
    /// The rows as people read them: the fastest first, then those without times, then those that failed.
    var ranked: [Row] {
        func rank(_ place: Int) -> (Int, Double, Int) {
            if rows[place].failure != nil { return (2, 0, place) }
            return rows[place].nanosecondsPerEvent.map { (0, $0.median, place) } ?? (1, 0, place)
        }
        return rows.indices.sorted { rank($0) < rank($1) }.map { rows[$0] }
    }

    /// The whole text: the table, the curves, and what differs.
    ///
    /// - Parameter width: columns that a line may fill.
    public func text(title: String, width: Int) -> String {
        let differences = WrappedText.hanging(differencesText(), width: width)
        let parts = [table(title: title, width: width), chart(width: width), differences]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// Live bytes, and what each allocator holds for them.
    func chart(width: Int) -> String {
        let whole = ranked.filter { $0.failure == nil && !$0.curve.isEmpty }
        guard let first = whole.first else { return "" }
        let hasTimes = !plan.times.isEmpty
        func curve(_ name: String, _ row: Row, _ value: KeyPath<Moment, UInt64>) -> TimeChart.Curve {
            var series = TimeSeries()
            for moment in row.curve {
                series.append(nanoseconds: moment.nanoseconds ?? moment.events, value: moment[keyPath: value])
            }
            return TimeChart.Curve(name: name, series: series)
        }
        let curves = [curve("live bytes", first, \.live)] + whole.map { curve($0.allocator, $0, \.held) }
        let over = hasTimes ? "the program's time" : "events"
        return TimeChart(
            title: "live bytes and memory held over \(over)", curves: curves, axis: hasTimes ? .time : .events
        ).text(width: width)
    }

    /// In fewer events than these an allocator has hardly begun.
    private static let fewEvents: UInt64 = 10_000

    /// A table of times and one of memory below what they are of, lines ended by newlines.
    ///
    /// - Parameter width: columns that a line may fill; what has no room stands below.
    public func table(title: String, width: Int = 100) -> String {
        let fastest = ranked.first?.nanosecondsPerEvent?.median
        return WrappedText.hanging(heading(title: title), width: width) + "\n"
            + TextGrid(Self.timeHeader, ranked.map { timeCells($0, fastest: fastest) }).text(width: width) + "\n"
            + TextGrid(Self.memoryHeader, ranked.map(memoryCells)).text(width: width)
    }

    private func heading(title: String) -> String {
        let events = Self.counted(plan.events, "event")
        let threads = Self.counted(plan.threads, "thread")
        var text = "\(title): \(events) of \(threads), peak \(Comparison.size(Double(plan.peakBytes))) live\n"
        if !plan.gaps.clauses.isEmpty {
            text += plan.gaps.isComplete ? "note: " : "incomplete: "
            text += plan.gaps.clauses.joined(separator: "; ") + "\n"
        }
        text += "medians of \(Self.counted(runs, "run")) each, in turn; "
        if let own = ownNanosecondsPerEvent {
            let spread = Comparison.fixed((own.max - own.min) / 2, 1)
            text += "the replay's own \(Comparison.fixed(own.median, 1)) ± \(spread) ns an event taken off"
        }
        if let clock = rows.compactMap(\.clockNanoseconds).max() {
            text += ", of single calls their clock's \(Self.short(clock))"
            if let step = clockStep { text += ", which goes in steps of \(Self.short(step))" }
        }
        text += "\n"
        if plan.events < Self.fewEvents {
            let few = Comparison.grouped(Double(Self.fewEvents))
            text += "with fewer than \(few) events, times are those of an allocator's first calls\n"
        }
        return text
    }

    private static func counted(_ count: some BinaryInteger, _ noun: String) -> String {
        "\(Comparison.grouped(Double(count))) \(noun)\(count == 1 ? "" : "s")"
    }

    /// Of the clock of single calls, where it is more than that of any clock.
    private var clockStep: Double? { rows.compactMap(\.clockStepNanoseconds).max().flatMap { $0 >= 2 ? $0 : nil } }

    private static let timeHeader = [
        "", "ns/event", "±", "ratio", "M events/s", "malloc p50", "p99", "max", "free p50", "p99",
    ]

    private func timeCells(_ row: Row, fastest: Double?) -> [TextGrid.Cell] {
        func text(_ value: Double?, _ decimals: Int = 1) -> String {
            value.map { Comparison.fixed($0, decimals) } ?? "–"
        }
        func latency(_ call: Int, _ figure: KeyPath<Latency, Double>) -> String {
            guard row.latencies.indices.contains(call), let latency = row.latencies[call] else { return "–" }
            // Less than a step is not nothing, and no more is known of it.
            let step = max(1, clockStep ?? 1)
            let value = latency[keyPath: figure]
            return value < step ? "<\(Self.short(step))" : Self.short(value)
        }
        let time = row.nanosecondsPerEvent
        let perEvent = time.map { row.isBelowOwnCost ? "≤0" : Comparison.fixed($0.median, 1) } ?? "–"
        let ratio = time.flatMap { time in fastest.flatMap { $0 > 0 ? time.median / $0 : nil } }
        return [
            row.allocator, perEvent, text(time.map { ($0.max - $0.min) / 2 }), text(ratio, 2),
            text(row.eventsPerSecond.map { $0.median / 1e6 }), latency(0, \.median), latency(0, \.p99),
            latency(0, \.max), latency(1, \.median), latency(1, \.p99),
        ].map { TextGrid.Cell($0) }
    }

    private static let memoryHeader = ["", "peak RSS", "internal", "external", "at end", "faults"]

    private func memoryCells(_ row: Row) -> [TextGrid.Cell] {
        func bytes(_ value: UInt64?) -> String { value.map { Comparison.size(Double($0)) } ?? "–" }
        func percent(_ value: Double?) -> String { value.map { Comparison.fixed($0 * 100, 1) + "%" } ?? "–" }
        return [
            row.allocator, bytes(row.peakHeldBytes), percent(internalFragmentation(row)),
            percent(externalFragmentation(row)), bytes(row.endHeldBytes),
            row.minorFaults.map { Comparison.grouped(Double($0)) } ?? "–",
        ].map { TextGrid.Cell($0) }
    }

    /// Nanoseconds in few characters: `13 ns`, `4.1 µs`, `2.3 ms`.
    static func short(_ nanoseconds: Double) -> String {
        if nanoseconds < 1000 { return Comparison.fixed(nanoseconds, 0) + " ns" }
        if nanoseconds < 1e6 { return Comparison.fixed(nanoseconds / 1e3, 1) + " µs" }
        return Comparison.fixed(nanoseconds / 1e6, 1) + " ms"
    }
}
