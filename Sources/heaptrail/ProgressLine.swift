// One line on a terminal that says how far a long command is; nothing on anything else, and nothing in the first second.
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// How far a command is.
final class ProgressLine {
    private let verb: String
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let began = ContinuousClock.now
    private var shown = -1

    /// A line that opens with what is being done.
    init(_ verb: String) { self.verb = verb }

    /// Shows a share from 0 to 1.
    func show(_ share: Double) {
        let percent = Int(max(0, min(1, share)) * 100)
        guard isTerminal, percent != shown, ContinuousClock.now - began > .seconds(1) else { return }
        shown = percent
        write("\r\u{1B}[Kheaptrail: \(verb), \(percent) %")
    }

    /// Takes the line away.
    func clear() {
        if shown >= 0 { write("\r\u{1B}[K") }
        shown = -1
    }

    private func write(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }
}
