// Cells in columns, for tables of figures: no wider than asked for, nothing left out.

/// Cells in columns: the first to the left, the others to the right. A first cell that is too long stands on a line of its
/// own. Columns that have no room beside the others follow in a table below, with the first column once more.
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
    private static let gap = 2

    private let lines: [[Cell]]

    init(_ header: [String], _ lines: [[Cell]]) {
        self.lines = [header.map { Cell($0) }] + lines
    }

    /// The table, lines ended by newlines.
    ///
    /// - Parameter width: columns that a line may fill, unless two cells need more.
    func text(width: Int) -> String {
        let widths = lines[0].indices.map { column in
            lines.map { $0[column].text.count }.filter { column > 0 || $0 <= Self.widestName }.max() ?? 0
        }
        return Self.parts(of: widths, width: width).map { part in
            lines.map { Self.line(of: $0, columns: part, widths: widths) }.joined()
        }.joined(separator: "\n")
    }

    /// The columns of each part, without the first, which all have.
    private static func parts(of widths: [Int], width: Int) -> [[Int]] {
        var parts: [[Int]] = [[]]
        var used = gap + widths[0]
        for column in widths.indices.dropFirst() {
            if used + gap + widths[column] > width, parts[parts.count - 1] != [] {
                parts.append([])
                used = gap + widths[0]
            }
            parts[parts.count - 1].append(column)
            used += gap + widths[column]
        }
        return parts
    }

    private static func line(of cells: [Cell], columns: [Int], widths: [Int]) -> String {
        let name = cells[0].text
        var text = String(repeating: " ", count: gap)
        if name.count > widths[0] {
            text += name + "\n" + String(repeating: " ", count: gap + widths[0])
        } else {
            text += name + String(repeating: " ", count: widths[0] - name.count)
        }
        for column in columns {
            let cell = cells[column]
            text += String(repeating: " ", count: gap + widths[column] - cell.text.count)
            text += cell.colour.map { "\u{1b}[\($0)m\(cell.text)\u{1b}[0m" } ?? cell.text
        }
        return String(text.reversed().drop { $0 == " " }.reversed()) + "\n"
    }
}
