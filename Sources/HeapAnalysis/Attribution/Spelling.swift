// How the names of frames are written, and the one form of each that rules are matched against.
//
// A canonical name has no hashes, clone suffixes, closure numbers, ABI tags, allocator arguments or inline namespaces,
// and the two Rust manglings are written alike; the original name stays in the frame.

import Symbolication

/// The spelling of a function name; each has its own table of rules.
enum Spelling: String, Sendable, Hashable {
    case rust
    case cxx = "c++"
    case swift
    case c

    /// The spelling of a frame's name, from its mangling before its compilation unit's language.
    init(of frame: SymbolicatedFrame) {
        let link = frame.linkageName
        if link.hasPrefix("_R") || frame.language == .rust && !link.isEmpty && link.hasPrefix("_ZN") {
            self = .rust
        } else if link.hasPrefix("_Z") {
            self = frame.language == .rust ? .rust : .cxx
        } else if link.hasPrefix("$s") || link.hasPrefix("$S") || link.hasPrefix("_$s") || link.hasPrefix("$e") {
            self = .swift
        } else {
            switch frame.language {
            // Debug information with lines alone gives inlined functions no path.
            case .rust: self = link.isEmpty || frame.function.contains("::") ? .rust : .c
            case .cxx: self = frame.function.contains("::") || frame.function.contains("<") ? .cxx : .c
            case .swift: self = .c
            case .c, .unknown: self = frame.function.contains("::") ? .cxx : .c
            }
        }
    }

    /// The name of this spelling's language in reports.
    var language: String { rawValue }

    /// The canonical form of a name of this spelling; `arguments` are those of its template parameters, if known.
    func canonical(_ name: String, arguments: [String]) -> String {
        switch self {
        case .rust: RustName.canonical(name, arguments: arguments)
        case .cxx: CxxName.canonical(name)
        case .swift: SwiftFrameName.canonical(name)
        case .c: CName.canonical(name)
        }
    }

    /// A type as reports show it.
    func cleanType(_ type: String) -> String {
        switch self {
        case .rust: RustName.cleanType(type)
        case .cxx: CxxName.cleanType(type)
        case .swift, .c: type
        }
    }
}

/// Names of C functions.
enum CName {
    /// Drops clone suffixes (`.isra.0`, `.cold`) and a symbol version.
    static func canonical(_ name: String) -> String {
        var end = name.endIndex
        if let version = name.dropFirst().firstIndex(of: "@") { end = version }
        if let dot = name.dropFirst().firstIndex(of: "."), dot < end { end = dot }
        return String(name[..<end])
    }

    /// The name under which programs call a function of libc: `fopen` of `__fopen_internal`.
    static func publicName(_ name: String) -> String {
        var result = name[...]
        for prefix in ["__GI_", "_IO_new_", "_IO_", "__libc_", "___", "__"] where result.hasPrefix(prefix) {
            result = result.dropFirst(prefix.count)
            break
        }
        for suffix in ["_internal", "_impl", "_chk", "_tail", "_2_1", "_2_0"] where result.hasSuffix(suffix) {
            result = result.dropLast(suffix.count)
        }
        return result.isEmpty ? name : String(result)
    }

    /// Whether a function only hands a request on to the allocator, such as `xmalloc` or `PyMem_RawRealloc`.
    ///
    /// A program's own functions may be called so for what they try or test; of them only the usual names are taken.
    static func isAllocatorWrapper(_ name: String, ofProgram isProgram: Bool) -> Bool {
        let last = name.split(separator: ":").last ?? ""
        let lower = last.lowercased()
        if isProgram, lower == last { return isUsualWrapper(lower) }
        if ["malloc", "calloc", "realloc", "zalloc", "mem_alloc", "memalloc", "xalloc"].contains(where: lower.contains)
        {
            return true
        }
        var stem = lower[...]
        while let last = stem.last, last == "_" || last.isNumber { stem = stem.dropLast() }
        return ["strdup", "strndup", "memdup"].contains(where: stem.hasSuffix)
    }

    private static let allocators = [
        "malloc", "calloc", "realloc", "reallocarray", "zalloc", "strdup", "strndup", "memdup", "alloc",
    ]
    private static let wrapperWords: Set<String> = [
        "safe", "check", "must", "my", "mem", "memory", "util", "utils", "ensure", "wrap", "wrapped", "die", "zero",
        "do", "try", "heap", "std", "sys", "raw", "base",
    ]
    private static let wrapperEnds = [
        "_array", "array", "_n", "0", "_zero", "_or_die", "_or_fail", "_or_exit", "_or_abort", "_checked", "_safe",
    ]

    /// Whether a name is one that programs give their checked allocators: `xmalloc`, `safe_realloc`, `xcalloc_or_die`.
    private static func isUsualWrapper(_ name: String) -> Bool {
        var stem = name[...]
        while stem.first == "_" { stem = stem.dropFirst() }
        while stem.last == "_" { stem = stem.dropLast() }
        if let end = wrapperEnds.first(where: { stem.hasSuffix($0) && !allocators.contains(String(stem)) }),
            !stem.hasSuffix("reallocarray")
        {
            stem = stem.dropLast(end.count)
        }
        guard let allocator = allocators.first(where: stem.hasSuffix) else { return false }
        let prefix = stem.dropLast(allocator.count)
        if prefix.last == "_" {
            let words = prefix.split(separator: "_")
            guard let word = words.last.map(String.init) else { return false }
            return wrapperWords.contains(word) || words.count == 1 && word.count == 1
        }
        return prefix.count <= 2 && (allocator != "alloc" || ["x", "xx", "z", "e", "my"].contains(prefix))
    }
}
