// Programs whose runtime keeps a heap of its own beside malloc's: what of them a recording shows, and the switch that
// sends all of it to malloc, where there is one. Known by the names they export or the libraries they need.

/// A runtime with a heap of its own.
public struct RuntimeHeap: Sendable, Equatable {
    /// The runtime's name.
    public let name: String
    /// What of its memory a recording shows.
    public let effect: String
    /// The environment variable, as `NAME=VALUE`, that sends its blocks to malloc; nil where there is none.
    public let setting: String?

    private struct Entry {
        let heap: RuntimeHeap
        /// Exported or imported names, any of which tells.
        var symbols: [String] = []
        /// Beginnings of the names of needed libraries.
        var libraries: [String] = []
    }

    private static let entries = [
        Entry(
            heap: RuntimeHeap(
                name: "CPython",
                effect: "objects of up to 512 bytes lie in pymalloc's arenas, which come from mmap: they are not seen",
                setting: "PYTHONMALLOC=malloc"),
            symbols: ["PyObject_Malloc", "Py_BytesMain"], libraries: ["libpython3"]),
        Entry(
            heap: RuntimeHeap(
                name: "V8", effect: "JavaScript objects lie in V8's own heap: only C++ allocations are seen",
                setting: nil),
            symbols: ["_ZN2v87Isolate10GetCurrentEv", "_ZN2v87Isolate13TryGetCurrentEv"],
            libraries: ["libnode.so", "libv8"]),
        Entry(
            heap: RuntimeHeap(
                name: "the Java virtual machine",
                effect: "Java objects lie in its own heap: only what its C and C++ code allocates is seen", setting: nil
            ),
            symbols: ["JNI_CreateJavaVM", "JLI_Launch"], libraries: ["libjvm.so", "libjli.so"]),
        Entry(
            heap: RuntimeHeap(
                name: ".NET", effect: "managed objects lie in its own heap: only native allocations are seen",
                setting: nil),
            symbols: ["coreclr_initialize"], libraries: ["libcoreclr.so", "libhostfxr.so"]),
        Entry(
            heap: RuntimeHeap(
                name: "PHP",
                effect: "values lie in the Zend memory manager's chunks, which come from mmap: they are not seen",
                setting: "USE_ZEND_ALLOC=0"),
            symbols: ["zend_mm_set_heap", "_zend_mm_alloc"]),
        Entry(
            heap: RuntimeHeap(
                name: "Ruby",
                effect: "objects lie in heap pages of many slots: only what they keep outside those is seen",
                setting: nil),
            symbols: ["rb_newobj_of", "ruby_init"], libraries: ["libruby"]),
        Entry(
            heap: RuntimeHeap(
                name: "Erlang",
                effect: "terms lie in the emulator's own allocators: only what other C code allocates is seen",
                setting: nil),
            symbols: ["enif_alloc", "erts_alloc_init"]),
        Entry(
            heap: RuntimeHeap(
                name: "LuaJIT", effect: "Lua objects lie in its own heap: only what C code allocates is seen",
                setting: nil),
            symbols: ["luaJIT_setmode"], libraries: ["libluajit"]),
        Entry(
            heap: RuntimeHeap(
                name: "OCaml", effect: "values lie in its own heap: only what C code allocates is seen",
                setting: nil),
            symbols: ["caml_startup", "caml_alloc_shr"]),
        Entry(
            heap: RuntimeHeap(
                name: "GHC's runtime",
                effect: "Haskell values lie in its own block heap: only what C code allocates is seen",
                setting: nil),
            symbols: ["hs_main", "stg_raisezh"]),
    ]

    /// The first release of GLib without a slice allocator, as its library's file name has it: 2.76.
    private static let firstGLibWithoutSlices = 7600

    /// The names that `detected` wants to be told about.
    static let telltaleSymbols = entries.flatMap(\.symbols)

    /// The runtimes that a program contains.
    ///
    /// - Parameters:
    ///   - isGo: whether the Go toolchain linked it.
    ///   - symbols: those of `telltaleSymbols` that it or a library of its defines.
    ///   - libraries: the file names of its libraries, links resolved, and the names they are asked for by.
    static func detected(isGo: Bool, symbols: Set<String>, libraries: [String]) -> [RuntimeHeap] {
        var found: [RuntimeHeap] = []
        if isGo {
            found.append(
                RuntimeHeap(
                    name: "Go", effect: "Go's heap comes from mmap: only what C code allocates is seen", setting: nil))
        }
        found += entries.filter { entry in
            entry.symbols.contains(where: symbols.contains)
                || libraries.contains { library in entry.libraries.contains { library.hasPrefix($0) } }
        }.map(\.heap)
        let slices = libraries.compactMap { library -> Int? in
            let prefix = "libglib-2.0.so.0."
            guard library.hasPrefix(prefix) else { return nil }
            return library.dropFirst(prefix.count).split(separator: ".").first.flatMap { Int($0) }
        }
        if let version = slices.first, version < firstGLibWithoutSlices {
            found.append(
                RuntimeHeap(
                    name: "GLib 2.\(version / 100)",
                    effect: "small GLib structures share slices: of them only the slices are seen",
                    setting: "G_SLICE=always-malloc"))
        }
        return found
    }
}
