// Which allocator a shared library is, or carries for itself alone.

internal import Symbolication

/// The allocator that a shared library defines.
struct LibraryAllocator: Sendable, Equatable {
    /// `jemalloc`, `mimalloc`, `tcmalloc`, or the name of its first function where it is none of these.
    let name: String
    /// Whether the program's calls of malloc come here; else the library alone uses it.
    let exportsMalloc: Bool

    private static let prefixes = [
        ("je_", "jemalloc"), ("_rjem_", "jemalloc"), ("mallocx", "jemalloc"), ("mi_", "mimalloc"), ("tc_", "tcmalloc"),
    ]
    private static let telltales = ["mallctl": "jemalloc", "mi_malloc": "mimalloc", "tc_malloc": "tcmalloc"]

    /// What the library at `path` defines; nil where that is no allocator.
    init?(at path: String) {
        guard let entry = ELFSymbols.allocatorEntries(in: path).first, let file = try? ELFFile(path: path) else {
            return nil
        }
        // CPython carries mimalloc since 3.13 and uses it only in its free-threaded build, whose name ends in t.
        let exported = file.symbols(
            among: ["malloc", "PyObject_Malloc"] + Self.telltales.keys.sorted(), in: .dynamic, defined: true)
        let isPython = exported.contains("PyObject_Malloc")
        if isPython, !FileProbe.lastComponent(path).contains("t.so") { return nil }
        exportsMalloc = exported.contains("malloc")
        let byExport = exported.sorted().compactMap { Self.telltales[$0] }.first
        name = byExport ?? Self.prefixes.first { entry.hasPrefix($0.0) }?.1 ?? entry
    }
}
