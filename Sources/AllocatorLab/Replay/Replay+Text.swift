// A replay as text for people: the table, the fastest allocator first.

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
    /// - Parameter width: characters a line of the curves at most.
    public func text(title: String, width: Int) -> String {
        let parts = [table(title: title), chart(width: width), differencesText()]
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

    /// The table, lines ended by newlines.
    public func table(title: String) -> String {
        let events = Comparison.grouped(Double(plan.events))
        let threads = plan.threads == 1 ? "1 thread" : "\(plan.threads) threads"
        var text = "\(title): \(events) events of \(threads), peak \(Comparison.size(Double(plan.peakBytes))) live\n"
        if !plan.gaps.clauses.isEmpty {
            text += plan.gaps.isComplete ? "note: " : "incomplete: "
            text += plan.gaps.clauses.joined(separator: "; ") + "\n"
        }
        text += "medians of \(runs) \(runs == 1 ? "run" : "runs") each, in turn; "
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
            text +=
                "with fewer than \(Comparison.grouped(Double(Self.fewEvents))) events, times are those of an allocator's first calls\n"
        }
        text += "\n"
        let header = [
            "", "ns/event", "±", "ratio", "M events/s", "malloc p50", "p99", "max", "free p50", "p99", "peak RSS",
            "internal", "external", "at end", "faults",
        ]
        let fastest = ranked.first?.nanosecondsPerEvent?.median
        let lines = [header] + ranked.map { cells($0, fastest: fastest) }
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        for line in lines {
            var row = "  "
            for (column, cell) in line.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                row += column == 0 ? cell + space : "  " + space + cell
            }
            while row.last == " " { row.removeLast() }
            text += row + "\n"
        }
        return text
    }

    /// Of the clock of single calls, where it is more than that of any clock.
    private var clockStep: Double? { rows.compactMap(\.clockStepNanoseconds).max().flatMap { $0 >= 2 ? $0 : nil } }

    private func cells(_ row: Row, fastest: Double?) -> [String] {
        func text(_ value: Double?, _ decimals: Int = 1) -> String {
            value.map { Comparison.fixed($0, decimals) } ?? "–"
        }
        func bytes(_ value: UInt64?) -> String { value.map { Comparison.size(Double($0)) } ?? "–" }
        func percent(_ value: Double?) -> String { value.map { Comparison.fixed($0 * 100, 1) + "%" } ?? "–" }
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
            latency(0, \.max), latency(1, \.median), latency(1, \.p99), bytes(row.peakHeldBytes),
            percent(internalFragmentation(row)), percent(externalFragmentation(row)), bytes(row.endHeldBytes),
            row.minorFaults.map { Comparison.grouped(Double($0)) } ?? "–",
        ]
    }

    /// Nanoseconds in few characters: `13 ns`, `4.1 µs`, `2.3 ms`.
    static func short(_ nanoseconds: Double) -> String {
        if nanoseconds < 1000 { return Comparison.fixed(nanoseconds, 0) + " ns" }
        if nanoseconds < 1e6 { return Comparison.fixed(nanoseconds / 1e3, 1) + " µs" }
        return Comparison.fixed(nanoseconds / 1e6, 1) + " ms"
    }
}
