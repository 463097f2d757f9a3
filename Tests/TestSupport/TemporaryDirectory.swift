// A directory of a test's own that goes away with the test.

internal import Foundation

/// A fresh directory under the system's temporary one; removed with all it holds when the value is released.
public final class TemporaryDirectory: Sendable {
    /// The directory's absolute path.
    public let path: String

    /// Makes the directory.
    ///
    /// - Throws: when it cannot be made.
    public init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("heaptrail-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of `name` inside the directory; nothing is created.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes `text` to a file of the directory and returns the file's path.
    ///
    /// - Parameter executable: whether the file can be run, as a script needs.
    @discardableResult
    public func write(_ text: String, to name: String, executable: Bool = false) throws -> String {
        try write(Array(text.utf8), to: name, executable: executable)
    }

    /// Writes `bytes` to a file of the directory and returns the file's path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String, executable: Bool = false) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        if executable {
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file(name))
            Self.waitForWriters(of: file(name))
        }
        return file(name)
    }

    /// Waits until no process has the file open for writing. Tests run side by side: a child that another one forked while the file
    /// was written holds its descriptor until it executes, and the kernel runs no file that is open for writing.
    private static func waitForWriters(of path: String) {
        let setLease: Int32 = 1024  // F_SETLEASE, an expression that Swift does not import
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        for _ in 0..<2000 {
            // A read lease is granted when nobody can write; it ends with the descriptor.
            if fcntl(descriptor, setLease, Int32(F_RDLCK)) == 0 || errno != EAGAIN { return }
            usleep(1000)
        }
    }

    /// The bytes of a file of the directory.
    public func read(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: URL(fileURLWithPath: file(name))))
    }

    /// The names of what lies in the directory, sorted.
    public func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }
}
