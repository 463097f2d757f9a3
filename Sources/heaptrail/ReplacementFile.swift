// A file that comes into being whole: it has no name (or another one, beside its own) until all of it is there and on the disk. A crash or a full
// disk leaves what was there before.
internal import SystemPackage

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The output of a command that must never be half written.
final class ReplacementFile {
    private enum Place {
        /// Standard output, or what is no ordinary file: it is written as the bytes come.
        case direct
        /// A file without a name.
        case unnamed
        /// A file system that has none such: another name.
        case temporary
    }

    private let path: String
    private let temporaryPath: String
    private var place: Place
    private let descriptor: FileDescriptor
    private var isOpen = true
    private let overwriting: Bool
    private var buffer: [UInt8] = []
    private static let bufferBytes = 1 << 20

    /// Opens a file that is to be at `path`, with the permissions of `model`. `-` is standard output.
    /// - Throws: `Failure` 73 when that cannot be done.
    init(for path: String, overwriting: Bool, likeFileAt model: String) throws(Failure) {
        self.overwriting = overwriting
        var status = stat()
        let exists = path != "-" && stat(path, &status) == 0
        // A link stays a link: what it points to is replaced.
        self.path = exists ? Self.resolved(path) : path
        temporaryPath = self.path + ".\(getpid()).part"
        if path == "-" {
            descriptor = .standardOutput
            place = .direct
            return
        }
        if exists, status.st_mode & S_IFMT != S_IFREG {
            descriptor = try Self.open(self.path, options: [], asked: path)
            place = .direct
            return
        }
        if let unnamed = Self.openUnnamed(in: FilePath(self.path).removingLastComponent()) {
            descriptor = unnamed
            place = .unnamed
        } else {
            // Made anew: what lies there may be a link to anywhere.
            unlink(temporaryPath)
            descriptor = try Self.open(temporaryPath, options: [.create, .exclusiveCreate], asked: path)
            place = .temporary
        }
        if stat(model, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            fchmod(descriptor.rawValue, status.st_mode & 0o777)
        }
    }

    deinit {
        // Reached without `commit` when something failed.
        if isOpen, place != .direct { try? descriptor.close() }
        if place == .temporary { unlink(temporaryPath) }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// - Parameter asked: the path as the user gave it, for a failure's line.
    private static func open(
        _ path: String, options: FileDescriptor.OpenOptions, asked: String
    ) throws(Failure) -> FileDescriptor {
        do {
            return try FileDescriptor.open(
                FilePath(path), .writeOnly, options: options.union(.closeOnExec),
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch {
            throw Failure(status: .cannotCreate, "cannot create \(asked): \(error); choose another with -o FILE")
        }
    }

    /// nil where the file system has no files without names, or they cannot be given one later.
    private static func openUnnamed(in folder: FilePath) -> FileDescriptor? {
        let unnamedFile: CInt = 0o20000000 | O_DIRECTORY  // O_TMPFILE, a macro that Swift does not see
        let number = Glibc.open(
            folder.isEmpty ? "." : folder.string, O_WRONLY | O_CLOEXEC | unnamedFile, mode_t(0o644))
        guard number >= 0 else { return nil }
        guard access(link(to: number), F_OK) == 0 else {
            close(number)
            return nil
        }
        return FileDescriptor(rawValue: number)
    }

    private static func link(to descriptor: CInt) -> String { "/proc/self/fd/\(descriptor)" }

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
        if place == .direct { return }
        guard fsync(descriptor.rawValue) == 0 || errno == EINVAL else { throw Errno(rawValue: errno) }
        if place == .unnamed {
            let unnamed = Self.link(to: descriptor.rawValue)
            if !overwriting {
                try refuse(linkat(AT_FDCWD, unnamed, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
                return
            }
            unlink(temporaryPath)
            try refuse(linkat(AT_FDCWD, unnamed, AT_FDCWD, temporaryPath, AT_SYMLINK_FOLLOW))
            place = .temporary
        }
        // From here on it has its temporary name. Without --force, what came into being meanwhile stays.
        if !overwriting, access(path, F_OK) == 0 { try OutputFile.refuseExisting(path) }
        try refuse(rename(temporaryPath, path))
        place = .unnamed
    }

    private func refuse(_ result: CInt) throws {
        if result == 0 { return }
        let reason = Errno(rawValue: errno)
        if reason == .fileExists { try OutputFile.refuseExisting(path) }
        throw reason
    }
}
