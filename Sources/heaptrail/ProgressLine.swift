// One line on a terminal that says how far a long command is; nothing on anything else, and nothing in the first second.
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// How far a command is.
final class ProgressLine {
    private static let cells = 24

    private let isTerminal = isatty(STDERR_FILENO) == 1 && Terminal.movesCursor
    private let began = ContinuousClock.now
    private var shown = ""

    /// Shows what is being done, and a share of it from 0 to 1.
    func show(_ verb: String, _ share: Double) {
        guard isTerminal, ContinuousClock.now - began > .seconds(1) else { return }
        let percent = Int(max(0, min(1, share)) * 100)
        let filled = percent * Self.cells / 100
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.cells - filled)
        let text = "heaptrail: \(verb) [\(bar)] \(percent) %"
        guard text != shown else { return }
        shown = text
        write("\r\u{1B}[K" + text)
    }

    /// Takes the line away.
    func clear() {
        if !shown.isEmpty { write("\r\u{1B}[K") }
        shown = ""
    }

    private func write(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }
}
