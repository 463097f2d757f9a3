// How a command fails: one line (what, where, and what to type) and an exit status.
internal import ArgumentParser

/// The exit statuses of this tool beside 0 and the parser's own 64 for bad usage.
enum ExitStatus: Int32 {
    /// A check failed.
    case failed = 1
    /// Bad usage.
    case usage = 64
    /// Bad data.
    case data = 65
    /// A missing file.
    case noInput = 66
    /// Something that cannot be recorded.
    case unavailable = 69
    /// An output that cannot be created, or exists.
    case cannotCreate = 73
}

struct Failure: Error {
    var status: ExitStatus
    var line: String

    init(status: ExitStatus, _ line: String) {
        self.status = status
        self.line = line
    }

    /// Runs a command's body: a failure becomes its line on standard error and its exit status.
    static func reported(_ body: () throws(Failure) -> Void) throws {
        do {
            try body()
        } catch {
            Terminal.tell(error.line)
            throw ExitCode(error.status.rawValue)
        }
    }
}
