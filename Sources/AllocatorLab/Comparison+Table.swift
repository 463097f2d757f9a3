// A comparison as text for people: a table of time and one of memory, the fastest first, medians beside their spread; the
// verdicts; the resident set over time.

extension Comparison {
    /// The whole text, lines ended by newlines.
    ///
    /// - Parameters:
    ///   - title: what was compared, on a line of its own.
    ///   - colour: whether ratios with a verdict are coloured, better green and worse red.
    ///   - width: columns that a line may fill; what has no room stands below.
    public func table(title: String, colour: Bool, width: Int = 100) -> String {
        let warm = "after \(warmUps == 1 ? "one" : String(warmUps)) to warm up"
        var text = "\(title)\nmedians of \(runs) \(runs == 1 ? "run" : "runs") each, in turn, \(warm)"
        if rows.count > 1 { text += "; ratios to \(rows[0].allocator)" }
        text += "\n\n" + TextGrid(timeHeader, ranking.map { timeCells($0, colour) }).text(width: width)
        text += "\n" + TextGrid(memoryHeader, ranking.map { memoryCells($0, colour) }).text(width: width)
        if rows.count > 1 { text += "\n" + verdicts() }
        return text + chart(width: width)
    }

    private var isServer: Bool { rows.contains { $0.residentAfterDriveBytes != nil } }

    private var timeHeader: [String] { ["", "wall ± spread", "min … max", "ratio", "CPU", "ratio", "user", "system"] }

    private func timeCells(_ index: Int, _ colour: Bool) -> [TextGrid.Cell] {
        let row = rows[index]
        func duration(_ spread: Spread?) -> TextGrid.Cell {
            TextGrid.Cell(spread.map { Self.duration($0.median) } ?? "–")
        }
        let wall = row.wallSeconds.map { Self.spread($0) }
        let range = row.wallSeconds.map { "\(Self.duration($0.min)) … \(Self.duration($0.max))" }
        return [
            TextGrid.Cell(row.allocator), TextGrid.Cell(wall ?? "–"), TextGrid.Cell(range ?? "–"),
            ratio(index, .wall, \.wallSeconds, colour), duration(row.cpuSeconds),
            ratio(index, .cpu, \.cpuSeconds, colour), duration(row.userSeconds), duration(row.systemSeconds),
        ]
    }

    private var memoryHeader: [String] {
        let resident = ["", "peak RSS ± spread", "ratio", "mean RSS"] + (isServer ? ["after drive"] : [])
        return resident + ["minor faults", "major", "switches", "forced"]
    }

    private func memoryCells(_ index: Int, _ colour: Bool) -> [TextGrid.Cell] {
        let row = rows[index]
        func size(_ spread: Spread?) -> TextGrid.Cell { TextGrid.Cell(spread.map { Self.size($0.median) } ?? "–") }
        func count(_ spread: Spread?) -> TextGrid.Cell {
            TextGrid.Cell(spread.map { Self.grouped($0.median) } ?? "–")
        }
        let peak = row.peakResidentBytes.map { Self.sizeSpread($0) }
        return [
            TextGrid.Cell(row.allocator), TextGrid.Cell(peak ?? "–"),
            ratio(index, .peakResident, \.peakResidentBytes, colour), size(row.meanResidentBytes),
        ] + (isServer ? [size(row.residentAfterDriveBytes)] : []) + [
            count(row.minorFaults), count(row.majorFaults), count(row.voluntarySwitches),
            count(row.involuntarySwitches),
        ]
    }

    /// The paired ratio, or, for the first row and where there are no pairs, that of the medians.
    private func ratio(
        _ index: Int, _ figure: Figure, _ spread: KeyPath<Row, Spread?>, _ colour: Bool
    ) -> TextGrid.Cell {
        let paired = pairedRatio(ofRow: index, figure)
        let value = paired?.median ?? ratioToFirst(rows[index], spread)
        var cell = TextGrid.Cell(value.map { Self.fixed($0, 2) } ?? "–")
        if colour, let paired {
            switch Verdict(paired) {
            case .less: cell.colour = 32
            case .more: cell.colour = 31
            case .same, .noise, .tooFewRuns: break
            }
        }
        return cell
    }

    private func chart(width: Int) -> String {
        let curves = ranking.compactMap { index in
            rows[index].typicalResident.map { TimeChart.Curve(name: rows[index].allocator, series: $0) }
        }
        let chart = TimeChart(title: "resident set of all processes over time", curves: curves).text(width: width)
        guard !chart.isEmpty, let share = readingShare else { return "" }
        return "\n\(chart)read from outside, which took \(Self.fixed(share * 100, 1)) % of one processor\n"
    }
}
