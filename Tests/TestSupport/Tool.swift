// Programs the tests use when the machine has them. A test that needs one states it as a condition:
//
//     @Test(.enabled(if: Tool.isInstalled("rustc"), "rustc is not installed"))

internal import Glibc

/// Look-up of programs by name.
public enum Tool {
    /// The path of a program: `name` itself when it holds a slash, else the first match in `PATH`, else one that lies
    /// in the Swift toolchain or among cargo's programs; nil where there is none.
    public static func find(_ name: String) -> String? {
        if name.contains("/") { return isExecutable(name) ? name : nil }
        return searchPath.lazy.map { "\($0)/\(name)" }.first(where: isExecutable)
    }

    /// Whether `find` finds the program.
    public static func isInstalled(_ name: String) -> Bool { find(name) != nil }

    /// The path of a program a test cannot do without.
    ///
    /// - Throws: `TestSupportError` that names the program and the script that installs it.
    public static func require(_ name: String) throws -> String {
        guard let path = find(name) else { throw TestSupportError("\(name) is not installed; type: scripts/setup") }
        return path
    }

    private static let searchPath: [String] = {
        var directories = (variable("PATH") ?? "/usr/bin:/bin").split(separator: ":").map(String.init)
        if let home = variable("HOME") { directories.append("\(home)/.cargo/bin") }
        // Compilers that come with Swift need not be in PATH: they lie beside the real `swift`.
        for directory in directories {
            guard let real = realpath("\(directory)/swift", nil) else { continue }
            defer { free(real) }
            let parts = String(cString: real).split(separator: "/").dropLast()
            directories.append("/" + parts.joined(separator: "/"))
            break
        }
        return directories
    }()

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    private static func isExecutable(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return false }
        return access(path, X_OK) == 0
    }
}
