// Copies of the files that were recorded, by build id. A program is built anew where its last build lay, and then nothing there names the functions of an
// older recording: the copy does. Executables with symbols, and libraries with debug information: what is likely to be built anew; no larger than a quarter
// of all that may be kept.

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A folder of the builds that were recorded.
public struct KeptBuilds: Sendable {
    private let files: CacheFolder
    private static let blockBytes = 1 << 20

    /// Builds in a folder, which need not be there.
    /// - Parameter limit: bytes that they may take together; the ones used longest ago go first.
    public init(folder: String, limit: Int = 512 << 20) {
        files = CacheFolder(path: folder, suffix: ".build", limit: limit)
    }

    /// Where the copy of a build lies; nil when it was not kept. Whoever opens it checks its build id.
    func copy(of buildID: [UInt8]) -> String? {
        let path = files.file(of: buildID)
        guard !buildID.isEmpty, access(path, R_OK) == 0 else { return nil }
        files.markUsed(path)
        return path
    }

    /// Keeps a copy of the file that is open at a descriptor, if it is the build with this id and worth it. O(file) the first time.
    public func keep(descriptor: Int32, buildID: [UInt8]) {
        var status = stat()
        guard copy(of: buildID) == nil, fstat(descriptor, &status) == 0, status.st_size <= files.limit / 4,
            let file = try? ELFFile(path: "/proc/self/fd/\(descriptor)"), file.buildID == buildID, Self.isWorthIt(file)
        else { return }
        files.store(buildID) { Self.copy(from: descriptor, to: $0, bytes: Int(status.st_size)) }
    }

    private static func isWorthIt(_ file: ELFFile) -> Bool {
        if file.section(".debug_info") != nil { return true }
        let isExecutable = file.segments.contains { $0.type == ELFFile.Segment.interpreter }
        return isExecutable && file.section(".symtab") != nil
    }

    private static func copy(from source: Int32, to target: Int32, bytes: Int) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: blockBytes, alignment: 16) { block in
            var copied = 0
            while copied < bytes {
                let count = pread(source, block.baseAddress, block.count, off_t(copied))
                if count < 0, errno == EINTR { continue }
                guard count > 0, CacheFolder.write(UnsafeRawBufferPointer(rebasing: block[..<count]), to: target) else {
                    return false
                }
                copied += count
            }
            return true
        }
    }
}
