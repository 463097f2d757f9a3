// How frames, sites and names are written for people: one place for shortening and for what a terminal must not see.
internal import HeapAnalysis
internal import Symbolication

enum FrameText {
    /// `function (file:line) in module`, with whatever is known.
    static func long(_ frame: SymbolicatedFrame) -> String {
        var text = frame.function
        if let file = frame.file {
            text += " (" + file + (frame.line.map { ":\($0)" } ?? "") + ")"
        } else if !frame.modulePath.isEmpty, !text.contains(" in ") {
            text += " in " + lastComponent(frame.modulePath)
        }
        return text
    }

    /// The same with the file's last component only.
    static func short(_ frame: SymbolicatedFrame) -> String {
        var frame = frame
        frame.file = frame.file.map { lastComponent($0) }
        return long(frame)
    }

    /// `function (file:line)` with the file's last component only; `(no user code)` without a site.
    static func short(_ site: Site?) -> String {
        guard let site else { return "(no user code)" }
        guard let file = site.file else { return site.function }
        return site.function + " (" + lastComponent(file) + (site.line.map { ":\($0)" } ?? "") + ")"
    }

    static func lastComponent(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// The text with characters that would steer a terminal replaced by `?`.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "?" : scalar) }
        return String(result)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
            || (0x2066...0x2069).contains(scalar.value)
    }
}
