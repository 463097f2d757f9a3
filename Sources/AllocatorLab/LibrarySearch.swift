// Which shared libraries a program gets, found as glibc's loader finds them: breadth first; DT_RPATH up the chain of
// those who asked, LD_LIBRARY_PATH, DT_RUNPATH, the cache, the default folders. Nothing is loaded or run.

internal import Glibc
internal import Symbolication

/// A library that a program needs, directly or through another.
struct NeededLibrary: Sendable {
    /// The name it is asked for by.
    var name: String
    /// Where it lies, links resolved; nil where it is missing.
    var path: String?
    /// The file name of who asks for it first.
    var neededBy: String
    /// Its headers; nil where it is missing.
    var file: ELFFile?
}

/// Finds needed libraries.
struct LibrarySearch: Sendable {
    private let environmentFolders: [String]
    private let cache: LoaderCache
    private let defaultFolders: [String]
    private let processorLevels: [String]

    private static let mostLibraries = 4096

    /// A search that uses the given folders and cache and nothing else of this machine.
    init(
        environmentFolders: [String] = [], cache: LoaderCache = LoaderCache(), defaultFolders: [String] = [],
        processorLevels: [String] = []
    ) {
        self.environmentFolders = environmentFolders
        self.cache = cache
        self.defaultFolders = defaultFolders
        self.processorLevels = processorLevels
    }

    /// The search that this machine's loader would make in this environment.
    static func system() -> LibrarySearch {
        let variable = FileProbe.variable("LD_LIBRARY_PATH") ?? ""
        let folders = variable.isEmpty ? [] : variable.split(omittingEmptySubsequences: false) { ":;".contains($0) }
        return LibrarySearch(
            environmentFolders: folders.map { $0.isEmpty ? "." : String($0) }, cache: .system(),
            defaultFolders: [
                "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
            ],
            processorLevels: ProcessorLevel.supported())
    }

    /// One who asks for libraries.
    private struct Asker {
        var file: ELFFile
        var path: String
        var name: String
        /// The DT_RPATH folders, expanded, of those who asked for it, itself first.
        var rpath: [String]
        var runpath: [String]
        var needed: [String]
        var ignoresDefaultFolders: Bool
    }

    /// The libraries that the program at `path` needs, in the order the loader meets them.
    ///
    /// - Parameter interpreter: its loader, which is in memory already.
    func libraries(of file: ELFFile, path: String, interpreter: String?) -> [NeededLibrary] {
        var found: [NeededLibrary] = []
        var known: Set<String> = []
        if let interpreter { known.insert(FileProbe.lastComponent(interpreter)) }
        var queue = [asker(file, path: path, inherited: [])]
        var next = 0
        while next < queue.count, found.count < Self.mostLibraries {
            let asking = queue[next]
            next += 1
            for name in asking.needed where known.insert(name).inserted {
                guard let (path, file) = locate(name, for: asking) else {
                    found.append(NeededLibrary(name: name, neededBy: asking.name))
                    continue
                }
                found.append(NeededLibrary(name: name, path: path, neededBy: asking.name, file: file))
                if let soname = file.dynamic?.soname { known.insert(soname) }
                queue.append(asker(file, path: path, inherited: asking.rpath))
            }
        }
        return found
    }

    private func asker(_ file: ELFFile, path: String, inherited: [String]) -> Asker {
        let dynamic = file.dynamic ?? ELFFile.Dynamic()
        let own = dynamic.runpath.isEmpty ? dynamic.rpath.flatMap { Self.expanded($0, origin: path) } : []
        return Asker(
            file: file, path: path, name: FileProbe.lastComponent(path), rpath: own + inherited,
            runpath: dynamic.runpath.flatMap { Self.expanded($0, origin: path) }, needed: dynamic.needed,
            ignoresDefaultFolders: dynamic.ignoresDefaultFolders)
    }

    private func locate(_ name: String, for asking: Asker) -> (path: String, file: ELFFile)? {
        if name.contains("/") {
            return Self.expanded(name, origin: asking.path).lazy.compactMap { Self.library(at: $0) }.first
        }
        // Where there is a DT_RUNPATH, no DT_RPATH counts, not even an inherited one.
        let folders = (asking.runpath.isEmpty ? asking.rpath : []) + environmentFolders + asking.runpath
        for folder in folders {
            if let hit = library(name, in: folder) { return hit }
        }
        for path in cached(name) where !asking.ignoresDefaultFolders || !isDefault(path) {
            if let hit = Self.library(at: path) { return hit }
        }
        if asking.ignoresDefaultFolders { return nil }
        return defaultFolders.lazy.compactMap { library(name, in: $0) }.first
    }

    private func library(_ name: String, in folder: String) -> (path: String, file: ELFFile)? {
        let levels = processorLevels.map { "\(folder)/glibc-hwcaps/\($0)/\(name)" }
        return (levels + ["\(folder)/\(name)"]).lazy.compactMap { Self.library(at: $0) }.first
    }

    /// The cache's paths for a name, those for the most capable processors first, those for others than this one left out.
    private func cached(_ name: String) -> [String] {
        let paths = cache[name]
        let plain = paths.filter { !$0.contains("/glibc-hwcaps/") }
        return processorLevels.flatMap { level in paths.filter { $0.contains("/glibc-hwcaps/\(level)/") } } + plain
    }

    private func isDefault(_ path: String) -> Bool {
        defaultFolders.contains { path.hasPrefix($0 + "/") && !path.dropFirst($0.count + 1).contains("/") }
    }

    /// The library at a path; nil where there is none for this machine, which the loader passes over, too.
    private static func library(at path: String) -> (path: String, file: ELFFile)? {
        guard let file = try? ELFFile(path: path), file.isNative, file.kind == .shared else { return nil }
        return (FileProbe.resolved(path), file)
    }

    /// A folder with the loader's own variables filled in: $LIB may stand for several.
    private static func expanded(_ folder: String, origin path: String) -> [String] {
        guard folder.contains("$") else { return [folder] }
        let origin = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        func fill(_ text: String, _ name: String, _ value: String) -> String {
            text.replacing("${\(name)}", with: value).replacing("$\(name)", with: value)
        }
        let placed = fill(fill(folder, "ORIGIN", origin), "PLATFORM", "x86_64")
        if !placed.contains("$LIB"), !placed.contains("${LIB}") { return [placed] }
        return ["lib/x86_64-linux-gnu", "lib64", "lib"].map { fill(placed, "LIB", $0) }
    }
}

/// The levels of x86-64 that glibc keeps optimised libraries for.
enum ProcessorLevel {
    private static let needed: [(name: String, flags: [String])] = [
        ("x86-64-v2", ["cx16", "popcnt", "sse4_1", "sse4_2", "ssse3"]),
        ("x86-64-v3", ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"]),
        ("x86-64-v4", ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
    ]

    /// The levels that this machine's processor has, the highest first.
    static func supported() -> [String] { supported(cpuInformation: FileProbe.text(of: "/proc/cpuinfo") ?? "") }

    /// The levels that a `/proc/cpuinfo` text speaks of, the highest first.
    static func supported(cpuInformation: String) -> [String] {
        let line = cpuInformation.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
        let flags = Set(line.split(separator: " ").map(String.init))
        return needed.prefix { flags.isSuperset(of: $0.flags) }.map(\.name).reversed()
    }
}
