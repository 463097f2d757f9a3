// A comparison as a table for people: one line an allocator, medians beside their spread, ratios to the first row.

extension Comparison {
    /// The table, lines ended by newlines.
    ///
    /// - Parameters:
    ///   - title: what was compared, on a line of its own.
    ///   - colour: whether ratios that are at least 5 % off are coloured, better green and worse red.
    public func table(title: String, colour: Bool) -> String {
        let header = ["", "wall", "min … max", "ratio", "CPU", "ratio", "peak RSS", "ratio", "minor faults"]
        let lines = rows.map(cells)
        let widths = header.indices.map { column in
            ([header] + lines).map { $0[column].count }.max() ?? 0
        }
        func line(_ cells: [String], ratios: [Int: Double]) -> String {
            let padded = cells.enumerated().map { column, text in
                let space = String(repeating: " ", count: widths[column] - text.count)
                if column == 0 { return text + space }
                return space + Self.coloured(text, ratio: colour ? ratios[column] : nil)
            }
            let joined = padded.joined(separator: "  ")
            return "  " + String(joined.reversed().drop { $0 == " " }.reversed()) + "\n"
        }
        var text = "\(title)\nmedians of \(runs) \(runs == 1 ? "run" : "runs") each, in turn, after one to warm up\n\n"
        text += line(header, ratios: [:])
        for (row, cells) in zip(rows, lines) {
            let ratios = [3: \Row.wallSeconds, 5: \Row.cpuSeconds, 7: \Row.peakResidentBytes]
            text += line(cells, ratios: ratios.compactMapValues { ratioToFirst(row, $0) })
        }
        return text
    }

    private func cells(_ row: Row) -> [String] {
        func ratio(_ figure: KeyPath<Row, Spread?>) -> String {
            ratioToFirst(row, figure).map { Self.fixed($0, 2) } ?? "–"
        }
        let range = row.wallSeconds.map { "\(Self.duration($0.min)) … \(Self.duration($0.max))" }
        return [
            row.allocator, row.wallSeconds.map { Self.duration($0.median) } ?? "–", range ?? "–",
            ratio(\.wallSeconds), row.cpuSeconds.map { Self.duration($0.median) } ?? "–", ratio(\.cpuSeconds),
            row.peakResidentBytes.map { Self.size($0.median) } ?? "–", ratio(\.peakResidentBytes),
            row.minorFaults.map { Self.grouped($0.median) } ?? "–",
        ]
    }

    private static func coloured(_ text: String, ratio: Double?) -> String {
        switch ratio {
        case .some(...0.95): "\u{1b}[32m\(text)\u{1b}[0m"
        case .some(1.05...): "\u{1b}[31m\(text)\u{1b}[0m"
        default: text
        }
    }

    /// Seconds with four significant digits or so: `12.345 s`, `123.4 ms`, `1.23 ms`.
    static func duration(_ seconds: Double) -> String {
        if seconds >= 1 { return fixed(seconds, 3) + " s" }
        return fixed(seconds * 1000, seconds >= 0.01 ? 1 : 2) + " ms"
    }

    /// Bytes in the largest unit of which there is at least one.
    static func size(_ bytes: Double) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB"]
        var value = bytes / 1024
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(fixed(value, 1)) \(units[unit])"
    }

    /// A count with commas between its thousands, rounded.
    static func grouped(_ count: Double) -> String {
        var groups: [String] = []
        var rest = String(UInt64(count.rounded()))
        while rest.count > 3 {
            groups.insert(String(rest.suffix(3)), at: 0)
            rest.removeLast(3)
        }
        return ([rest] + groups).joined(separator: ",")
    }

    /// A number with exactly `digits` decimals.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let scaled = UInt64((value * scale).rounded())
        guard digits > 0 else { return String(scaled) }
        let text = String(repeating: "0", count: max(0, digits + 1 - String(scaled).count)) + String(scaled)
        return "\(text.dropLast(digits)).\(text.suffix(digits))"
    }
}
