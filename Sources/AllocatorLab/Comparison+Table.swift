// A comparison as text for people: a table of time and one of memory, the fastest first, medians beside their spread; the
// verdicts; the resident set over time.

extension Comparison {
    /// The whole text, lines ended by newlines.
    ///
    /// - Parameters:
    ///   - title: what was compared, on a line of its own.
    ///   - colour: whether ratios with a verdict are coloured, better green and worse red.
    ///   - width: columns that the chart may fill.
    public func table(title: String, colour: Bool, width: Int = 100) -> String {
        let warm = "after \(warmUps == 1 ? "one" : String(warmUps)) to warm up"
        var text = "\(title)\nmedians of \(runs) \(runs == 1 ? "run" : "runs") each, in turn, \(warm)"
        if rows.count > 1 { text += "; ratios to \(rows[0].allocator)" }
        text += "\n\n" + TextGrid(timeHeader, ranking.map { timeCells($0, colour) }).text()
        text += "\n" + TextGrid(memoryHeader, ranking.map { memoryCells($0, colour) }).text()
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

/// Cells in columns: the first to the left, the others to the right. A first cell that is too long stands on a line of its
/// own.
struct TextGrid {
    /// One cell.
    struct Cell {
        var text: String
        /// Of the terminal's colours, nil for none.
        var colour: Int?

        init(_ text: String) {
            self.text = text
        }
    }

    static let widestName = 24

    private let header: [Cell]
    private let lines: [[Cell]]

    init(_ header: [String], _ lines: [[Cell]]) {
        self.header = header.map { Cell($0) }
        self.lines = lines
    }

    func text() -> String {
        let widths = header.indices.map { column in
            ([header] + lines).map { $0[column].text.count }.filter { column > 0 || $0 <= Self.widestName }.max() ?? 0
        }
        return ([header] + lines).map { line(of: $0, widths: widths) }.joined()
    }

    private func line(of cells: [Cell], widths: [Int]) -> String {
        var text = ""
        var cells = cells
        if cells[0].text.count > widths[0] {
            text = "  \(cells[0].text)\n"
            cells[0] = Cell("")
        }
        let padded = cells.enumerated().map { column, cell in
            let space = String(repeating: " ", count: widths[column] - cell.text.count)
            if column == 0 { return cell.text + space }
            return space + (cell.colour.map { "\u{1b}[\($0)m\(cell.text)\u{1b}[0m" } ?? cell.text)
        }
        let joined = padded.joined(separator: "  ")
        return text + "  " + String(joined.reversed().drop { $0 == " " }.reversed()) + "\n"
    }
}
