// Sentences in lines of a terminal's width.

/// Breaks text between words.
enum WrappedText {
    private static let units: Set<String> = ["B", "KiB", "MiB", "GiB", "TiB", "ns", "µs", "ms", "s"]
    private static let signs: Set<String> = ["+", "−", "±"]

    /// The words in lines of `width` characters at most; a longer word has a line to itself. A figure keeps its sign and unit.
    static func lines(_ text: some StringProtocol, width: Int) -> [String] {
        var words: [String] = []
        for word in text.split(separator: " ") {
            let isUnit = units.contains(String(word.prefix { $0.isLetter })) && words.last?.last?.isNumber == true
            if isUnit || words.last.map(signs.contains) == true {
                words[words.count - 1] += " " + word
            } else {
                words.append(String(word))
            }
        }
        var lines: [String] = []
        for word in words {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(word)
            }
        }
        return lines
    }

    /// A text of several lines with each that is too long broken; what follows is set in further than its beginning.
    static func hanging(_ text: String, width: Int) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            guard line.count > width else { return String(line) }
            let indent = String(line.prefix { $0 == " " })
            let room = max(24, width - indent.count - furtherIn.count)
            let parts = lines(line, width: room)
            return indent + parts.joined(separator: "\n" + indent + furtherIn)
        }.joined(separator: "\n")
    }

    private static let furtherIn = "  "
}
