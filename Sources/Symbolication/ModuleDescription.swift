// What a caller knows of a loaded ELF file: where it was and which build it was.

/// An ELF file as it was loaded: its path and its build id.
public struct ModuleDescription: Sendable, Hashable {
    /// Path of the file at the time it was mapped.
    public var path: String
    /// The GNU build id of the mapped file; empty when it had none or it is not known.
    public var buildID: [UInt8]

    /// Describes the module at `path` with the given build id.
    public init(path: String, buildID: [UInt8]) {
        self.path = path
        self.buildID = buildID
    }

    /// The last component of the path, as frames without a symbol show it.
    var name: String {
        String(path.split(separator: "/").last ?? "unknown module")
    }
}
