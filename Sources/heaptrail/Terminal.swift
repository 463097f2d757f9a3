// The terminal and the standard streams: how wide, whether coloured, and the one way this tool talks to standard error.
internal import ProfileExport
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

enum Terminal {
    /// How text on standard output is to look: as wide as `COLUMNS` or the terminal say, 100 where neither does; coloured on a terminal
    /// unless `NO_COLOR` is set.
    static var outputStyle: TextStyle {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        return TextStyle(
            width: environment("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
                ?? (isTerminal ? columns : nil) ?? 100,
            isColoured: isTerminal && environment("NO_COLOR") == nil && movesCursor)
    }

    /// Whether a terminal, if there is one, understands more than lines.
    static var movesCursor: Bool { environment("TERM") != "dumb" }

    private static var columns: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// The value of an environment variable, nil when it is not set or empty.
    static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Writes one line to standard error, with the tool's name before it and nothing in it that would steer a terminal.
    static func tell(_ line: String) {
        let oneLine = line.split(whereSeparator: \.isNewline).joined(separator: " ")
        let text = "heaptrail: " + TextStyle.printable(oneLine) + "\n"
        _ = try? FileDescriptor.standardError.writeAll(text.utf8)
    }

    /// Writes text to standard output. A reader that has gone away ends the tool quietly, as it does other tools of a pipe.
    static func write(_ text: String) throws(Failure) {
        do {
            try FileDescriptor.standardOutput.writeAll(text.utf8)
        } catch Errno.brokenPipe {
            return
        } catch {
            throw Failure(status: .cannotCreate, "cannot write to standard output: \(error)")
        }
    }
}
