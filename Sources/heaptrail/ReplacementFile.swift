// A file that comes into being whole: written under another name beside its own, and renamed when all of it is there. A crash or a full disk
// leaves what was there before.
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The output of a command that must never be half written.
final class ReplacementFile {
    private let path: String
    /// Where the bytes go until then; nil for standard output and for what is no ordinary file.
    private var temporary: String?
    private let descriptor: FileDescriptor
    private let overwriting: Bool
    private var buffer: [UInt8] = []
    private static let bufferBytes = 1 << 20

    /// Opens a file beside `path`, with the permissions of `model`. `-` is standard output.
    /// - Throws: `Failure` 73 when that cannot be done, or `path` exists and is not to be overwritten.
    init(for path: String, overwriting: Bool, likeFileAt model: String) throws(Failure) {
        self.overwriting = overwriting
        if path == "-" {
            self.path = path
            descriptor = .standardOutput
            return
        }
        var status = stat()
        let exists = stat(path, &status) == 0
        // A link stays a link: what it points to is replaced.
        let resolved = exists ? Self.resolved(path) : path
        self.path = resolved
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = try Self.open(resolved, options: [])
            return
        }
        let name = resolved + ".\(getpid()).part"
        descriptor = try Self.open(name, options: [.create, .truncate])
        temporary = name
        if stat(model, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            fchmod(descriptor.rawValue, status.st_mode & 0o777)
        }
    }

    deinit {
        // Reached without `commit` when something failed.
        if let temporary {
            try? descriptor.close()
            unlink(temporary)
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    private static func open(_ path: String, options: FileDescriptor.OpenOptions) throws(Failure) -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                FilePath(path), .writeOnly, options: options.union(.closeOnExec),
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch {
            throw Failure(status: .cannotCreate, "cannot create \(path): \(error); choose another with -o FILE")
        }
    }

    /// Appends bytes.
    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if bytes.count >= Self.bufferBytes {
            try flush()
            try descriptor.writeAll(bytes)
            return
        }
        buffer += bytes
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    private func flush() throws {
        if !buffer.isEmpty { try descriptor.writeAll(buffer) }
        buffer.removeAll(keepingCapacity: true)
    }

    /// Gives the file its name, once all of it is on the disk.
    func commit() throws {
        try flush()
        guard let temporary else { return }
        guard fsync(descriptor.rawValue) == 0 || errno == EINVAL else { throw Errno(rawValue: errno) }
        try descriptor.close()
        self.temporary = nil
        if overwriting {
            try Self.succeed(rename(temporary, path), orRemove: temporary)
            return
        }
        // What came into being meanwhile stays. Some file systems know no links: there it is looked for once more.
        if link(temporary, path) == 0 {
            unlink(temporary)
        } else if access(path, F_OK) == 0 {
            unlink(temporary)
            try OutputFile.refuseExisting(path)
        } else {
            try Self.succeed(rename(temporary, path), orRemove: temporary)
        }
    }

    private static func succeed(_ result: CInt, orRemove path: String) throws {
        if result == 0 { return }
        let reason = Errno(rawValue: errno)
        unlink(path)
        throw reason
    }
}
