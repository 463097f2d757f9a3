// What was learnt of a module's addresses, kept from run to run: one file a build id in a folder of the user's (CacheFolder). While everything that an
// answer rests on is as it was when the file was written (SymbolCacheInputs), answers are taken from it and no module is opened. When the module's file
// is another build or gone, what was learnt of the build that ran still holds, and is all there is to be known of it.

/// A folder of answers that symbolicators share.
public struct SymbolCache: Sendable {
    private let files: CacheFolder

    /// The folder; made when the first file is written.
    public var folder: String { files.path }
    /// Bytes that its files may take together; the ones used longest ago go first.
    public var limit: Int { files.limit }

    /// A cache in a folder, which need not be there.
    public init(folder: String, limit: Int = 256 << 20) {
        files = CacheFolder(path: folder, suffix: ".symbols", limit: limit)
    }

    /// What is known of a module; nil when there is nothing, or nothing that rests on the files as they are.
    func load(_ module: ModuleDescription, debugDirectories: [String]) -> CachedSymbols? {
        guard let symbols = read(module.buildID),
            symbols.inputs == SymbolCacheInputs(module, debugDirectories: debugDirectories, like: symbols.inputs)
        else { return nil }
        files.markUsed(files.file(of: module.buildID))
        return symbols
    }

    /// What was learnt of a build whose file is not at its place any more; nil when there is nothing.
    func load(buildOf module: ModuleDescription) -> CachedSymbols? {
        guard !module.buildID.isEmpty, let symbols = read(module.buildID) else { return nil }
        files.markUsed(files.file(of: module.buildID))
        return symbols
    }

    private func read(_ buildID: [UInt8]) -> CachedSymbols? {
        guard let source = try? ELFSource(path: files.file(of: buildID)), source.size <= UInt64(limit),
            let bytes = source.read(0, source.size)
        else { return nil }
        return CachedSymbols(parsing: bytes)
    }

    /// Keeps what is known of a module.
    func store(_ bytes: [UInt8], of module: ModuleDescription) {
        guard bytes.count <= limit / 4 else { return }
        files.store(module.buildID) { descriptor in bytes.withUnsafeBytes { CacheFolder.write($0, to: descriptor) } }
    }
}
