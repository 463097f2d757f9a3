// Which Debian package brought a file, and which has its debug information.

internal import Glibc
internal import Symbolication

/// dpkg's list of files.
struct DebianPackages: Sendable {
    private let folder: String

    /// The lists under a folder.
    init(folder: String = "/var/lib/dpkg/info") {
        self.folder = folder
    }

    /// The package of each path that one brought, the architecture left out.
    ///
    /// - Parameter paths: with links resolved; `/usr/lib` and `/lib` count as the same.
    /// - Complexity: reads every list once.
    func owners(of paths: [String]) -> [String: String] {
        var owners: [String: String] = [:]
        if paths.isEmpty { return owners }
        let spellings = paths.map { path in
            let other = path.hasPrefix("/usr/") ? String(path.dropFirst(4)) : "/usr" + path
            return (path: path, lines: ["\n\(path)\n", "\n\(other)\n"])
        }
        for name in FileProbe.names(in: folder) where name.hasSuffix(".list") {
            guard let text = FileProbe.contents(of: "\(folder)/\(name)", limit: 16 << 20) else { continue }
            for (path, lines) in spellings where owners[path] == nil {
                if lines.contains(where: { ByteSearch.contains($0, in: text) }) {
                    owners[path] = name.dropLast(5).split(separator: ":").first.map(String.init)
                }
            }
        }
        return owners
    }

    /// The package with the debug information of a package's files.
    static func debugPackage(for package: String) -> String {
        package == "libc6" ? "libc6-dbg" : package + "-dbgsym"
    }
}
