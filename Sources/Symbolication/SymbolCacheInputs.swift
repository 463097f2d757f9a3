// All that an answer about a module rests on, by size and time of change: the module's file, every place where a debug file of it could lie, whether
// one does or not, and this program, for it spells the names.

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The files that an answer rests on, as they are now.
struct SymbolCacheInputs: Equatable {
    /// A file, or that there is none.
    struct File: Equatable {
        var path: String
        /// -1 where there is none.
        var bytes: Int64
        var seconds: Int64
        var nanoseconds: Int64

        init(path: String, bytes: Int64, seconds: Int64, nanoseconds: Int64) {
            self.path = path
            self.bytes = bytes
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        init(_ path: String) {
            var status = stat()
            let isThere = stat(path, &status) == 0
            self.init(
                path: path, bytes: isThere ? Int64(status.st_size) : -1,
                seconds: isThere ? Int64(status.st_mtim.tv_sec) : 0,
                nanoseconds: isThere ? Int64(status.st_mtim.tv_nsec) : 0)
        }

        /// Whether it is there and was written after a moment, in nanoseconds since 1970.
        func isNewer(than moment: UInt64) -> Bool {
            guard bytes >= 0, seconds >= 0 else { return false }
            let (whole, rest) = moment.quotientAndRemainder(dividingBy: 1_000_000_000)
            return (UInt64(seconds), UInt64(max(0, nanoseconds))) > (whole, rest)
        }
    }

    var files: [File]

    init(files: [File]) { self.files = files }

    /// The inputs of a module. O(debug directories).
    /// - Parameter like: inputs that were found before: where their files are the same, so are the names that those files hold of others, and they
    ///   need not be read again.
    init(_ module: ModuleDescription, debugDirectories: [String], like: SymbolCacheInputs? = nil) {
        let fixed = Self.fixed(module, debugDirectories: debugDirectories).map { File($0) }
        if let like, like.files.starts(with: fixed) {
            files = fixed + like.files.dropFirst(fixed.count).map { File($0.path) }
        } else {
            files = fixed
            files += Self.named(by: fixed, module, debugDirectories: debugDirectories).map { File($0) }
        }
    }

    /// This program, the module, and the debug files by build id.
    private static func fixed(_ module: ModuleDescription, debugDirectories: [String]) -> [String] {
        let name = hexadecimal(module.buildID)
        let byBuildID = debugDirectories.map { "\($0)/.build-id/\(name.prefix(2))/\(name.dropFirst(2)).debug" }
        return [program, module.path] + byBuildID
    }

    /// What the files' own links name: debug files by name (.gnu_debuglink), and files shared by several debug files (.gnu_debugaltlink).
    private static func named(
        by files: [File], _ module: ModuleDescription, debugDirectories: [String]
    ) -> [String] {
        var paths: [String] = []
        for (number, file) in files.enumerated() where number > 0 && file.bytes >= 0 {
            guard let elf = try? ELFFile(path: file.path) else { continue }
            let folder = folder(of: file.path)
            if let name = link(".gnu_debuglink", of: elf), number == 1 {
                paths += [folder + name, folder + ".debug/" + name] + debugDirectories.map { $0 + folder + name }
            }
            if let name = link(".gnu_debugaltlink", of: elf) {
                paths.append(name.hasPrefix("/") ? name : folder + name)
            }
        }
        return paths
    }

    private static func folder(of path: String) -> String {
        String(path[..<(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)])
    }

    private static func link(_ section: String, of elf: ELFFile) -> String? {
        guard let found = elf.section(section), found.bytes < 1 << 16 else { return nil }
        let name = elf.contents(of: found).prefix { $0 != 0 }
        return name.isEmpty ? nil : String(decoding: name, as: UTF8.self)
    }

    private static let program: String = {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }()

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
