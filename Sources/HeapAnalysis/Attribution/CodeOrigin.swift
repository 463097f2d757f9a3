// Whose code a frame is: the user's, a dependency's, the toolchain's.
//
// Sources decide where there is debug information: what lies outside the toolchain, the package managers' checkouts
// and the system's include roots is the user's. Without sources the executable itself is the user's, except what the
// name says to be of a standard library.

import Symbolication

/// Whose code a frame is.
enum CodeOrigin: Sendable {
    /// The user's, known from its source file or from its mangled module.
    case user
    /// The executable's, without a source file: the user's where nothing better is on the stack.
    case executable
    /// A standard library or a language's runtime.
    case standardLibrary
    /// libc and the dynamic loader.
    case system
    /// Any other library.
    case dependency

    /// Mangled prefixes of the modules that come with this tool: libraries that a program uses, wherever their sources lie.
    private static let helperModules = ["$s13SmartPointers", "$s13HeaptrailTags"]

    /// Classifies one frame of a program whose executable is at `executablePath`.
    init(of frame: SymbolicatedFrame, spelling: Spelling, name: String, executablePath: String?) {
        let module = frame.modulePath
        // The path that was started may be relative, or a link to the file that was loaded.
        let isExecutable =
            module == executablePath || !module.contains(".so") && !module.hasSuffix(".node") && !module.hasPrefix("[")
        if !isExecutable, Self.isSystemModule(module) {
            self = Self.systemOrigin(frame, spelling: spelling, name: name)
            return
        }
        if Self.helperModules.contains(where: frame.linkageName.hasPrefix) {
            self = .dependency
            return
        }
        if let file = Self.sourceFile(of: frame) {
            if Self.toolchainRoots.contains(where: file.contains) {
                self = Self.hasLostInlining(frame, spelling: spelling, name: name) ? .user : .standardLibrary
            } else if Self.dependencyRoots.contains(where: file.contains) {
                self = .dependency
            } else if spelling == .swift, frame.line == nil || frame.line == 0,
                SwiftFrameName.isStandard(linkageName: frame.linkageName) == true
            {
                // The part of a generic function that was specialized into the user's module has no source of its own.
                self = .standardLibrary
            } else {
                self = .user
            }
            return
        }
        if spelling == .rust, Self.callsOfClosures.contains(where: name.hasPrefix) {
            // Without debug information these hold the user's closures, inlined.
            self = .dependency
        } else if Self.isStandardByName(frame, spelling: spelling, name: name) {
            self = .standardLibrary
        } else if spelling == .swift, isExecutable {
            self = .user
        } else if spelling == .rust, RustCrate.isWellKnown(function: name) {
            self = .dependency
        } else if isExecutable {
            self = Self.startup.contains(name) ? .system : .executable
        } else {
            self = .dependency
        }
    }

    /// Whether this is the user's own function, described at a line of a header that was inlined into it: compilers
    /// drop some records of inlining, but no function of a standard library lies outside its namespaces.
    private static func hasLostInlining(_ frame: SymbolicatedFrame, spelling: Spelling, name: String) -> Bool {
        guard !frame.isInlined, let file = frame.file else { return false }
        switch spelling {
        case .cxx, .c:
            return file.contains("/include/c++/") && !name.isEmpty
                && !isStandardByName(frame, spelling: spelling, name: name)
        case .rust: return !name.hasPrefix("<") && !name.hasPrefix("[") && !isStandardRust(name)
        case .swift: return false
        }
    }

    /// The frame's source file where it is one that a user would look into.
    static func userSourceFile(of frame: SymbolicatedFrame) -> String? {
        guard let file = sourceFile(of: frame), !toolchainRoots.contains(where: file.contains) else { return nil }
        return file
    }

    /// The frame's source file; nil for what compilers make up, such as `<compiler-generated>`.
    static func sourceFile(of frame: SymbolicatedFrame) -> String? {
        guard let file = frame.file, !file.isEmpty else { return nil }
        return file.hasSuffix(">") || file.hasPrefix("<") ? nil : file
    }

    private static let toolchainRoots = [
        "/rustc/", "/lib/rustlib/", "/rust/deps/", "/.rustup/", "/usr/include/", "/include/c++/", "/usr/lib/gcc/",
        "/usr/local/include/", "/usr/lib/clang/", "/lib/swift/", "/swift/stdlib/", "/usr/src/",
        "/swift-corelibs-", "/swift-foundation",
    ]
    private static let dependencyRoots = [
        "/registry/src/", "/git/checkouts/", "/cargo/registry/", "/vendor/", "/.build/checkouts/",
        "/SourcePackages/checkouts/", "/.conan",
        "/vcpkg_installed/", "/vcpkg/", "/site-packages/", "/_deps/", "/go/pkg/mod/",
    ]
    private static let startup: Set<String> = [
        "_start", "__rust_try", "__libc_start_main", "__libc_start_call_main", "__libc_csu_init",
        "_dl_relocate_static_pie",
    ]
    private static let systemFolders = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/"]

    private static func isSystemModule(_ path: String) -> Bool {
        systemFolders.contains(where: path.hasPrefix) || path.contains("/usr/lib/swift/") || path.contains("libswift")
            || path.contains("libFoundation") || path.contains("/lib_FoundationICU")
    }

    private static func systemOrigin(_ frame: SymbolicatedFrame, spelling: Spelling, name: String) -> CodeOrigin {
        let library = Library.name(ofModule: frame.modulePath)
        if Library.isSystem(library) { return .system }
        if Library.isLanguageRuntime(library) || isStandardByName(frame, spelling: spelling, name: name) {
            return .standardLibrary
        }
        return .dependency
    }

    private static func isStandardByName(_ frame: SymbolicatedFrame, spelling: Spelling, name: String) -> Bool {
        switch spelling {
        case .rust: return isStandardRust(name)
        case .cxx:
            return ["std::", "__gnu_cxx::", "__cxxabiv1::", "operator new", "swift::", "__swift::"]
                .contains(where: name.hasPrefix)
        case .swift: return SwiftFrameName.isStandard(linkageName: frame.linkageName) ?? false
        case .c: return name.hasPrefix("swift_") || name.hasPrefix("__swift_") || name.hasPrefix("_swift_")
        }
    }

    private static let callsOfClosures = [
        "std::sys::backtrace::__rust_begin_short_backtrace", "std::sys_common::backtrace::__rust_begin_short_backtrace",
        "std::panicking::try", "std::panicking::catch_unwind", "std::panic::catch_unwind",
        "std::sync::once::Once::call_once", "std::sync::poison::once::Once::call_once",
    ]
    private static let rustCrates = [
        "core::", "alloc::", "std::", "hashbrown::", "__rustc", "__rust", "__rdl", "__rg_", "gimli::", "addr2line::",
        "miniz_oxide::", "rustc_demangle::", "compiler_builtins::", "panic_unwind::", "panic_abort::", "std_detect::",
    ]

    /// Whether a Rust function is of the standard library: by its path, or, for an implementation, by its type and,
    /// where the type is a parameter or built in, by its trait.
    private static func isStandardRust(_ name: String) -> Bool {
        if let inner = RustName.leadingBrackets(name)?.inner, let keyword = inner.firstRange(of: " as ") {
            let type = inner[..<keyword.lowerBound]
            let trait = inner[keyword.upperBound...]
            if rustCrates.contains(where: type.hasPrefix) { return true }
            return !type.contains("::") && rustCrates.contains(where: trait.hasPrefix)
        }
        if rustCrates.contains(where: name.hasPrefix) { return true }
        return name.hasPrefix("[") || name.hasPrefix("str::") || name.hasPrefix("<[")
    }
}

/// Names of the libraries that modules are.
enum Library {
    /// The module's base name without `.so`, its version and the version of a program: `libc`, `python3`.
    static func name(ofModule path: String) -> String {
        var name = path[...]
        if let slash = name.lastIndex(of: "/") { name = name[name.index(after: slash)...] }
        if let suffix = name.firstRange(of: ".so") { return String(name[..<suffix.lowerBound]) }
        while let dot = name.lastIndex(of: "."), dot != name.startIndex,
            name[name.index(after: dot)...].allSatisfy(\.isNumber)
        {
            name = name[..<dot]
        }
        return String(name)
    }

    /// Whether this is libc or part of it, or the dynamic loader; their callers' names matter, not their own insides.
    static func isSystem(_ library: String) -> Bool {
        ["libc", "libm", "libdl", "libpthread", "librt", "libresolv", "ld", "linux-vdso"].contains(library)
            || library.hasPrefix("ld-linux") || library.hasPrefix("ld-musl") || library.hasPrefix("libc-2")
            || library.hasPrefix("libc.musl")
    }

    /// Whether this is a language's standard library or runtime.
    static func isLanguageRuntime(_ library: String) -> Bool {
        library.hasPrefix("libswift") || library.hasPrefix("libFoundation") || library.hasPrefix("lib_Foundation")
            || ["libstdc++", "libc++", "libc++abi", "libgcc_s", "libsupc++", "libdispatch", "libBlocksRuntime"]
                .contains(library)
            || library.hasPrefix("libstd-")
    }
}
