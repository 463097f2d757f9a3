// Which modules are the C library's own: of those the symbol table is enough. Their frames stand for the call that the program made, no rule asks
// for their lines, and unpacking their debug files, where those are installed, takes longer than everything else that a small report does.

/// The parts of the GNU C library.
enum CLibrary {
    private static let parts: Set<String> = [
        "libc", "libm", "libmvec", "libpthread", "libdl", "librt", "libresolv", "libutil", "libanl", "libthread_db",
        "ld-linux-x86-64",
        "ld-linux-aarch64", "ld64",
    ]
    private static let folders = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"]

    /// Whether the module at `path` is one of them, by its name and folder.
    static func contains(path: String) -> Bool {
        guard folders.contains(where: path.hasPrefix), let slash = path.lastIndex(of: "/"),
            let suffix = path.firstRange(of: ".so")
        else { return false }
        let start = path.index(after: slash)
        guard start < suffix.lowerBound else { return false }
        let name = path[start..<suffix.lowerBound]
        if parts.contains(String(name)) { return true }
        // Up to glibc 2.33: libc-2.33.so.
        guard let dash = name.lastIndex(of: "-"),
            name[name.index(after: dash)...].allSatisfy({ $0.isNumber || $0 == "." })
        else { return false }
        return parts.contains(String(name[..<dash]))
    }
}
