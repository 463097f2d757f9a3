// The allocators that Heaptrail knows by name, and where their libraries lie on this machine.
// Libraries are looked for where the dynamic loader would look; none is ever opened with dlopen, for an allocator that
// is loaded late may not get its thread-local storage.

/// Why an allocator cannot be used.
public enum AllocatorError: Error, Equatable, CustomStringConvertible {
    /// The name is none that Heaptrail knows.
    case unknown(String)
    /// The allocator is known but not on this machine; `package` is the Debian package that has it.
    case notInstalled(name: String, package: String)
    /// The path leads to nothing.
    case missing(path: String)
    /// The file is there but cannot be preloaded.
    case unusable(path: String, reason: String)
    /// What follows the name's colon is no list of variables.
    case malformed(String, reason: String)
    /// `GLIBC_TUNABLES` names what the C library, whose loader lists them, does not have.
    case unknownTunable(String, loader: String)

    /// What happened, and what to type, in one line.
    public var description: String {
        switch self {
        case .unknown(let name) where SimulatedAllocator(named: name) != nil:
            "\(name) is simulated, no program can run on it; type: heaptrail replay TRACE --allocators \(name)"
        case .unknown(let name) where name.hasPrefix("sim:"):
            "unknown simulated allocator '\(name)': use \(SimulatedAllocator.allCases.map(\.name).joined(separator: " or "))"
        case .unknown(let name):
            "unknown allocator '\(name)': use glibc, jemalloc, mimalloc, tcmalloc or a path with a slash"
        case .notInstalled(let name, let package):
            "\(name) is not installed; type: sudo apt-get install \(package)"
        case .missing(let path): "\(path): no such allocator library"
        case .unusable(let path, let reason): "\(path): cannot be preloaded: \(reason)"
        case .malformed(let text, let reason): "'\(text)': \(reason); as in jemalloc:MALLOC_CONF=narenas:1"
        case .unknownTunable(let name, let loader):
            "GLIBC_TUNABLES: this C library has no '\(name)'; type: \(loader) --list-tunables"
        }
    }

    /// The exit status for it: 64 for a bad name, 66 for a missing file, 69 for what is not to be had here.
    public var exitStatus: Int32 {
        switch self {
        case .unknown, .malformed, .unknownTunable: 64
        case .missing: 66
        case .notInstalled, .unusable: 69
        }
    }
}

/// Turns allocators' names into libraries.
public struct AllocatorCatalogue: Sendable {
    private struct Entry {
        let name: String
        let package: String
        /// Names without version, in order of preference.
        let libraries: [String]
    }

    private static let entries = [
        Entry(name: "jemalloc", package: "libjemalloc2", libraries: ["libjemalloc.so"]),
        Entry(name: "mimalloc", package: "libmimalloc2.0", libraries: ["libmimalloc.so"]),
        Entry(
            name: "tcmalloc", package: "libtcmalloc-minimal4",
            libraries: ["libtcmalloc_minimal.so", "libtcmalloc.so"]),
    ]

    /// The names that need no path, in the order of the documentation.
    public static let names = ["glibc"] + entries.map(\.name)

    /// The Debian package of each name but glibc.
    static let packages = entries.map { (name: $0.name, package: $0.package) }

    private let directories: [String]

    /// A catalogue over the given library folders, searched in order.
    public init(directories: [String]) {
        self.directories = directories
    }

    /// A catalogue over the folders the dynamic loader searches: `LD_LIBRARY_PATH`, those of `/etc/ld.so.conf.d`, and
    /// the usual ones.
    public init() {
        var folders = (FileProbe.variable("LD_LIBRARY_PATH") ?? "").split(separator: ":").map(String.init)
        let configuration = "/etc/ld.so.conf.d"
        for file in FileProbe.names(in: configuration) where file.hasSuffix(".conf") {
            let lines = (FileProbe.text(of: "\(configuration)/\(file)") ?? "").split(separator: "\n")
            folders += lines.filter { $0.hasPrefix("/") }.map(String.init)
        }
        folders += ["/usr/local/lib", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        var seen: Set<String> = []
        directories = folders.filter { seen.insert($0).inserted }
    }

    /// Finds the library of an allocator.
    ///
    /// - Parameter name: `glibc` or `system`, a name of `names`, or a path that holds a slash; `AllocatorList` takes
    ///   variables, too.
    /// - Throws: `AllocatorError`, whose description is fit to print.
    /// - Complexity: one listing of each library folder.
    public func resolve(_ name: String) throws(AllocatorError) -> Allocator {
        if name == "glibc" || name == "system" { return .system }
        if name.contains("/") {
            // The program, and what it starts, may run in other folders.
            let path = FileProbe.absolute(name)
            try Self.checkPreloadable(path)
            return Allocator(name: name, libraryPath: path)
        }
        guard let entry = Self.entries.first(where: { $0.name == name }) else { throw .unknown(name) }
        for library in entry.libraries {
            for directory in directories {
                let paths = Self.versions(of: library, among: FileProbe.names(in: directory)).map {
                    "\(directory)/\($0)"
                }
                if let path = paths.first(where: { (try? Self.checkPreloadable($0)) != nil }) {
                    return Allocator(name: name, libraryPath: path)
                }
            }
        }
        throw .notInstalled(name: name, package: entry.package)
    }

    /// The files of `names` that are `library` with or without a version, the newest version first.
    static func versions(of library: String, among names: [String]) -> [String] {
        func version(_ name: String) -> [Int]? {
            guard name.hasPrefix(library) else { return nil }
            let rest = name.dropFirst(library.count)
            if rest.isEmpty { return [] }
            let parts = rest.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map { Int($0) }
            return rest.first == "." && !parts.contains(nil) ? parts.compactMap { $0 } : nil
        }
        let found = names.compactMap { name in version(name).map { (name: name, version: $0) } }
        return found.sorted { $1.version.lexicographicallyPrecedes($0.version) }.map(\.name)
    }

    /// Throws unless `path` is a shared object for this machine whose path `LD_PRELOAD` can express: the loader would
    /// only warn and go on without it, and the figures would be another allocator's.
    private static func checkPreloadable(_ path: String) throws(AllocatorError) {
        guard FileProbe.status(of: path) != nil else { throw .missing(path: path) }
        guard !path.contains(where: { $0 == " " || $0 == ":" }) else {
            throw .unusable(path: path, reason: "LD_PRELOAD cannot hold a path with a space or a colon")
        }
        guard let image = FileProbe.head(of: path).flatMap({ ELFImage(head: $0) }), image.type == 3 else {
            throw .unusable(path: path, reason: "not a shared library")
        }
        guard image.isNative else { throw .unusable(path: path, reason: "built for another machine") }
        guard ELFSymbols.allocatorEntries(in: path).contains("malloc") else {
            throw .unusable(path: path, reason: "no allocator: it has no malloc")
        }
    }
}
