// Questions to the file system that catalogue and program look-up share.

internal import Glibc

/// What can be asked about a path.
enum FileProbe {
    /// The first `count` bytes of a file, fewer where it is shorter, nil where it cannot be read.
    static func head(of path: String, count: Int = 4096) -> [UInt8]? {
        // Without waiting for the other end of a named pipe.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = read(file, &bytes, count)
        return got < 0 ? nil : Array(bytes[..<got])
    }

    /// All of a file that has `limit` bytes at most; nil where it cannot be read or is longer.
    static func contents(of path: String, limit: Int) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= limit {
            let got = read(file, &part, part.count)
            if got < 0 { return nil }
            if got == 0 { return bytes }
            bytes += part[..<got]
        }
        return nil
    }

    /// Mode, owner and group of what `path` leads to; nil where there is nothing.
    static func status(of path: String) -> stat? {
        var information = stat()
        return stat(path, &information) == 0 ? information : nil
    }

    /// Whether there is something at the path that is no folder.
    static func isFile(_ path: String) -> Bool {
        status(of: path).map { $0.st_mode & S_IFMT != S_IFDIR } ?? false
    }

    /// Whether there is a regular file at the path.
    static func isRegular(_ path: String) -> Bool { status(of: path).map { $0.st_mode & S_IFMT == S_IFREG } ?? false }

    /// Whether the path leads to a regular file that may be executed.
    static func isExecutable(_ path: String) -> Bool { isRegular(path) && access(path, X_OK) == 0 }

    /// The names in a folder, sorted; none where it cannot be read.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names.sorted()
    }

    /// A whole small text file, nil where it cannot be read.
    static func text(of path: String) -> String? {
        contents(of: path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What a link points to; nil where there is no link, or it may not be read.
    static func link(at path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }

    /// The path from the root on.
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return "\(String(cString: folder))/\(path)"
    }

    /// The path with links resolved; as it is where that fails.
    static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// What stands behind the last slash.
    static func lastComponent(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }

    /// An environment variable of this process.
    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
