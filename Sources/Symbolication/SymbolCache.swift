// What was learnt of a module's addresses, kept from run to run: one file a build id in a folder of the user's. A file is used only while everything
// that an answer rests on is as it was when the file was written (SymbolCacheInputs); it is replaced as a whole, so that processes side by side
// lose at most what another has added; what cannot be read or written is as if it were not there.

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A folder of answers that symbolicators share.
public struct SymbolCache: Sendable {
    /// The folder; made when the first file is written.
    public let folder: String
    /// Bytes that its files may take together; the ones used longest ago go first.
    public let limit: Int

    /// A cache in a folder, which need not be there.
    public init(folder: String, limit: Int = 256 << 20) {
        self.folder = folder
        self.limit = limit
    }

    private static let suffix = ".symbols"
    private static let unfinished = ".part"
    /// Seconds after which a file is marked as used again, and after which one that was never finished is given up.
    private static let refresh = 3600

    private func path(_ buildID: [UInt8]) -> String {
        folder + "/" + SymbolCacheInputs.hexadecimal(buildID) + Self.suffix
    }

    /// What is known of a module; nil when there is nothing, or nothing that still holds.
    func load(_ module: ModuleDescription, debugDirectories: [String]) -> CachedSymbols? {
        let path = path(module.buildID)
        guard let source = try? ELFSource(path: path), source.size <= UInt64(limit),
            let bytes = source.read(0, source.size), let symbols = CachedSymbols(parsing: bytes),
            symbols.inputs == SymbolCacheInputs(module, debugDirectories: debugDirectories, like: symbols.inputs)
        else { return nil }
        if let age = Self.age(path), age > Self.refresh { utimes(path, nil) }
        return symbols
    }

    /// Keeps what is known of a module.
    func store(_ bytes: [UInt8], of module: ModuleDescription) {
        guard bytes.count <= limit / 4, makeFolder() else { return }
        let path = path(module.buildID)
        let part = path + ".\(getpid())" + Self.unfinished
        let descriptor = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        var written = 0
        bytes.withUnsafeBytes { buffer in
            while written < buffer.count {
                let count = write(descriptor, buffer.baseAddress! + written, buffer.count - written)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                written += count
            }
        }
        let isClosed = close(descriptor) == 0
        guard isClosed, written == bytes.count, rename(part, path) == 0 else {
            unlink(part)
            return
        }
        evict()
    }

    /// Makes the folder and those above it, for the user alone.
    private func makeFolder() -> Bool {
        var end = folder.startIndex
        while end < folder.endIndex {
            end = folder[folder.index(after: end)...].firstIndex(of: "/") ?? folder.endIndex
            mkdir(String(folder[..<end]), 0o700)
        }
        var status = stat()
        return stat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Removes the files used longest ago, until the rest fits.
    private func evict() {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        var files: [(time: Int, name: String, bytes: Int)] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            guard name.hasSuffix(Self.suffix) || name.hasSuffix(Self.unfinished),
                lstat(folder + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { continue }
            if name.hasSuffix(Self.unfinished) {
                if let age = Self.age(folder + "/" + name), age > Self.refresh { unlink(folder + "/" + name) }
                continue
            }
            files.append((status.st_mtim.tv_sec, name, Int(status.st_size)))
        }
        var sum = files.reduce(0) { $0 + $1.bytes }
        for file in files.sorted(by: { ($0.time, $0.name) < ($1.time, $1.name) }) where sum > limit {
            unlink(folder + "/" + file.name)
            sum -= file.bytes
        }
    }

    private static func age(_ path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return time(nil) - status.st_mtim.tv_sec
    }
}
