// An aligned table for a terminal of a given width: flexible columns are shortened in the middle, and where that is not enough the columns
// that matter least are left out. Width is counted in characters.

/// Whether and how wide text may be.
public struct TextStyle: Sendable {
    /// Characters in a line.
    public var width: Int
    /// Whether to use the terminal's bold and dim.
    public var isColoured: Bool

    /// A style; the default is that of a pipe.
    public init(width: Int = 100, isColoured: Bool = false) {
        self.width = max(40, width)
        self.isColoured = isColoured
    }

    /// The text with characters that would steer a terminal replaced by `?`: names in a trace are another program's.
    public static func printable(_ text: String) -> String { FrameText.printable(text) }

    func bold(_ text: String) -> String { isColoured ? "\u{1B}[1m" + text + "\u{1B}[0m" : text }
    func dim(_ text: String) -> String { isColoured ? "\u{1B}[2m" + text + "\u{1B}[0m" : text }
}

struct TextTable {
    struct Column {
        var title: String
        /// Text columns are aligned left and give way; number columns are aligned right and keep their width.
        var isText = false
        /// Columns with the highest number are left out first; 0 stays.
        var dropOrder = 0
        /// Characters that a text column needs to stay readable.
        var readable = 24
    }

    private static let gap = 2

    let columns: [Column]
    var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// The table's lines, the title line first, without trailing spaces.
    func lines(_ style: TextStyle) -> [String] {
        let natural = columns.indices.map { column in
            rows.reduce(columns[column].title.count) { max($0, $1[column].count) }
        }
        let (kept, widths) = layout(natural, width: style.width)
        var lines = [style.bold(line(columns.map(\.title), kept, widths))]
        for row in rows { lines.append(line(row, kept, widths)) }
        return lines
    }

    private func layout(_ natural: [Int], width: Int) -> (kept: [Int], widths: [Int: Int]) {
        var kept = Array(columns.indices)
        while true {
            let texts = kept.filter { columns[$0].isText }
            let fixed = kept.filter { !columns[$0].isText }.reduce(0) { $0 + natural[$1] }
            let room = width - fixed - Self.gap * (kept.count - 1)
            let wanted = texts.reduce(0) { $0 + min(natural[$1], columns[$1].readable) }
            let victim = kept.filter { columns[$0].dropOrder > 0 }
                .max { columns[$0].dropOrder < columns[$1].dropOrder }
            if room < wanted, let victim {
                kept.removeAll { $0 == victim }
                continue
            }
            var widths: [Int: Int] = [:]
            for column in kept { widths[column] = natural[column] }
            share(max(room, 8 * texts.count), among: texts, natural: natural, into: &widths)
            return (kept, widths)
        }
    }

    /// Gives the text columns their natural width where that fits, else equal parts of what the narrower ones leave.
    private func share(_ room: Int, among texts: [Int], natural: [Int], into widths: inout [Int: Int]) {
        var room = room
        var left = texts.count
        for column in texts.sorted(by: { (natural[$0], $0) < (natural[$1], $1) }) {
            let width = min(natural[column], room / left)
            widths[column] = width
            room -= width
            left -= 1
        }
    }

    private func line(_ cells: [String], _ kept: [Int], _ widths: [Int: Int]) -> String {
        var text = ""
        for (position, column) in kept.enumerated() {
            if position > 0 { text += String(repeating: " ", count: Self.gap) }
            let width = widths[column] ?? 0
            let cell = Self.shortened(cells[column], to: width)
            let padding = String(repeating: " ", count: width - cell.count)
            text += columns[column].isText ? cell + padding : padding + cell
        }
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The text, shortened as a name is and then in its middle, by a `…`, where it is longer than `width`. Of a call site,
    /// `function (file:line)`, the end stays whole.
    static func shortened(_ text: String, to width: Int) -> String {
        guard text.count > width else { return text }
        guard width > 1 else { return String(text.prefix(width)) }
        if let place = place(of: text), place.count < width * 2 / 3 {
            let function = NameText.abbreviated(String(text.dropLast(place.count)), to: width - place.count)
            if function.count <= width - place.count { return function + place }
            return function.prefix(width - 1 - place.count) + "…" + place
        }
        let text = NameText.abbreviated(text, to: width)
        guard text.count > width else { return text }
        let tail = (width - 1) / 2
        return text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
    }

    /// The ` (file:line)` that a call site ends with, nil for other texts.
    private static func place(of text: String) -> Substring? {
        guard text.hasSuffix(")"), let open = text.lastIndex(of: "("), open > text.startIndex,
            let colon = text[open...].lastIndex(of: ":")
        else { return nil }
        let line = text[text.index(after: colon)...].dropLast()
        let start = text.index(before: open)
        return !line.isEmpty && line.allSatisfy(\.isNumber) && text[start] == " " ? text[start...] : nil
    }
}
