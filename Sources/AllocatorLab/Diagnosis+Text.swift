// A diagnosis for people: a line a check, its state first, then the verdict and what to type.

extension Diagnosis {
    private static let stateWidth = 9
    private static let gap = 2

    /// The text, lines ended by newlines.
    ///
    /// - Parameters:
    ///   - width: characters in a line; longer findings go on in the next line, under their beginning.
    ///   - colour: whether the states are coloured.
    ///   - printable: replaces what would steer a terminal: names in a file are its maker's.
    public func text(width: Int, colour: Bool, printable: (String) -> String = { $0 }) -> String {
        let nameWidth = checks.map(\.name.count).max() ?? 0
        let indent = Self.stateWidth + nameWidth + Self.gap
        let room = max(24, width - indent)
        var text = printable(subject) + "\n"
        for check in checks {
            let state = Self.padded(check.state.rawValue, to: Self.stateWidth)
            text += colour ? Self.coloured(state, check.state) : state
            text += Self.padded(check.name, to: nameWidth + Self.gap)
            var lines = WrappedText.lines(printable(check.finding), width: room)
            if let advice = check.advice { lines += WrappedText.lines("→ " + printable(advice), width: room) }
            text += lines.joined(separator: "\n" + String(repeating: " ", count: indent)) + "\n"
        }
        text += "\n" + WrappedText.lines(printable(verdict), width: max(24, width)).joined(separator: "\n") + "\n"
        if let command { text += "type: \(printable(command))\n" }
        return text
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func coloured(_ text: String, _ state: Check.State) -> String {
        switch state {
        case .ok: "\u{1b}[32m\(text)\u{1b}[0m"
        case .warning: "\u{1b}[33m\(text)\u{1b}[0m"
        case .problem: "\u{1b}[31m\(text)\u{1b}[0m"
        }
    }
}
