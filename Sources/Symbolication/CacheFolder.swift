// Files of one kind in a folder of the user's, one a build id, that may take so many bytes together: the ones used longest ago go first. A file is
// replaced as a whole, so that processes side by side lose at most what another has written; what cannot be read or written is as if it were not there.

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The files of one kind in a folder that other kinds may share.
struct CacheFolder: Sendable {
    /// The folder; made when the first file is written.
    let path: String
    /// How the names of its files end.
    let suffix: String
    /// Bytes that its files may take together.
    let limit: Int

    private static let unfinished = ".part"
    /// Seconds after which a file is marked as used again, and after which one that was never finished is given up.
    private static let refresh = 3600

    /// Where the file of a build lies, or would.
    func file(of buildID: [UInt8]) -> String { path + "/" + SymbolCacheInputs.hexadecimal(buildID) + suffix }

    /// Notes that a file was used.
    func markUsed(_ file: String) {
        if let age = Self.age(file), age > Self.refresh { utimes(file, nil) }
    }

    /// Puts a file in the place of the one of its build, or of none, and removes what no longer fits.
    /// - Parameter write: writes its bytes to a descriptor, and says whether that went well.
    func store(_ buildID: [UInt8], write: (_ descriptor: Int32) -> Bool) {
        guard makeFolder() else { return }
        let file = file(of: buildID)
        let part = file + ".\(getpid())" + Self.unfinished
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        let isWritten = write(descriptor)
        guard close(descriptor) == 0, isWritten, rename(part, file) == 0 else {
            unlink(part)
            return
        }
        evict()
    }

    /// Writes all bytes to a descriptor; false where they cannot be written.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = systemWrite(descriptor, bytes.baseAddress! + written, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            written += count
        }
        return true
    }

    /// Makes the folder and those above it, for the user alone.
    private func makeFolder() -> Bool {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            mkdir(String(path[..<end]), 0o700)
        }
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes the files used longest ago, until the rest fits.
    private func evict() {
        guard let directory = opendir(path) else { return }
        defer { closedir(directory) }
        var files: [(time: Int, name: String, bytes: Int)] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            guard name.hasSuffix(suffix) || name.hasSuffix(Self.unfinished),
                lstat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { continue }
            if name.hasSuffix(Self.unfinished) {
                if let age = Self.age(path + "/" + name), age > Self.refresh { unlink(path + "/" + name) }
                continue
            }
            files.append((status.st_mtim.tv_sec, name, Int(status.st_size)))
        }
        var sum = files.reduce(0) { $0 + $1.bytes }
        for file in files.sorted(by: { ($0.time, $0.name) < ($1.time, $1.name) }) where sum > limit {
            unlink(path + "/" + file.name)
            sum -= file.bytes
        }
    }

    private static func age(_ file: String) -> Int? {
        var status = stat()
        guard stat(file, &status) == 0 else { return nil }
        return time(nil) - status.st_mtim.tv_sec
    }
}

/// The C library's `write`, which a method of the same name hides.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
