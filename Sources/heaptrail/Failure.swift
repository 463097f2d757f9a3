// How the command line fails: one line that says what, where, and what to type, with the exit status of sysexits(3) that scripts can tell apart.

/// The tool's exit statuses.
enum ExitStatus: Int32 {
    case failedCheck = 1
    case usage = 64
    case badData = 65
    case missingFile = 66
    case cannotRecord = 69
    case cannotCreate = 73
}

/// An error that ends the tool.
struct Failure: Error {
    var status: ExitStatus
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
}
