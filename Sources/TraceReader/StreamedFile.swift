// A trace that comes through a pipe or out of a device: read to its end, a small one into memory, a large one into a file
// without a name, so that memory stays bounded.

internal import Glibc

/// Reads a stream to its end.
struct StreamedFile: ~Copyable {
    /// Larger ones go into a file.
    static let mostBytesInMemory = 64 << 20
    /// What is left free where the file lies, whatever still comes: a stream may be endless.
    private static let leastFreeBytes: UInt64 = 256 << 20
    private static let stepBytes = 1 << 20

    private let path: String
    private var head: [UInt8] = []
    private var spool: Int32 = -1
    private var count = 0

    /// Reads all that a descriptor gives.
    ///
    /// - Parameters:
    ///   - path: its name in errors.
    ///   - mostBytesInMemory: what is larger goes into a file.
    /// - Throws: ``TraceError/foreign`` when it begins as no trace does, ``TraceError/unreadable`` when it cannot be read or there
    ///   is no room for it.
    init(
        reading descriptor: Int32, path: String, mostBytesInMemory: Int = Self.mostBytesInMemory
    ) throws(TraceError) {
        self.path = path
        let part = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.stepBytes, alignment: 16)
        defer { part.deallocate() }
        var isJudged = false
        while true {
            let got = read(descriptor, part.baseAddress!, part.count)
            if got == 0 { return }
            if got < 0 {
                if errno == EINTR { continue }
                throw .unreadable(path: path, errno: errno)
            }
            try take(UnsafeRawBufferPointer(rebasing: part[..<got]), mostBytesInMemory)
            if !isJudged, head.count >= TextScanner.judgedBytes {
                isJudged = true
                if head.withUnsafeBytes({ TextScanner.isOther($0) }) { throw .foreign }
            }
        }
    }

    /// The bytes, and whether they are a mapping.
    consuming func bytes() throws(TraceError) -> (bytes: UnsafeRawBufferPointer, isMapping: Bool) {
        if spool >= 0 {
            guard let start = mmap(nil, count, PROT_READ, MAP_SHARED, spool, 0), start != MAP_FAILED else {
                throw .unreadable(path: path, errno: errno)
            }
            return (UnsafeRawBufferPointer(start: start, count: count), true)
        }
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: head.count, alignment: 16)
        copy.copyBytes(from: head)
        return (UnsafeRawBufferPointer(copy), false)
    }

    deinit { if spool >= 0 { close(spool) } }

    private mutating func take(_ part: UnsafeRawBufferPointer, _ mostBytesInMemory: Int) throws(TraceError) {
        count += part.count
        if spool < 0, count <= mostBytesInMemory {
            head.append(contentsOf: part)
            return
        }
        if spool < 0 {
            try openSpool()
            try checked(head.withUnsafeBytes { append($0) })
            head = Array(head.prefix(TextScanner.judgedBytes))
        }
        try checked(append(part))
    }

    /// Not /tmp first: it is memory on many machines.
    private mutating func openSpool() throws(TraceError) {
        var failure: Int32 = 0
        for folder in [getenv("TMPDIR").map { String(cString: $0) }, "/var/tmp", "/tmp"].compactMap({ $0 }) {
            var name = Array("\(folder)/heaptrail-input-XXXXXX".utf8CString)
            spool = mkstemp(&name)
            if spool >= 0 {
                _ = fcntl(spool, F_SETFD, FD_CLOEXEC)
                unlink(name)
                return
            }
            failure = errno
        }
        try checked(failure)
    }

    private func checked(_ error: Int32) throws(TraceError) {
        if error != 0 { throw .unreadable(path: "\(path) into a file for temporary use", errno: error) }
    }

    /// Writes to the file; the errno of a failure, 0 when all is written.
    private func append(_ part: UnsafeRawBufferPointer) -> Int32 {
        var space = statvfs()
        if fstatvfs(spool, &space) == 0, UInt64(space.f_bavail) * UInt64(space.f_frsize) < Self.leastFreeBytes {
            return ENOSPC
        }
        var written = 0
        while written < part.count {
            let step = write(spool, part.baseAddress! + written, part.count - written)
            if step < 0, errno == EINTR { continue }
            if step <= 0 { return step == 0 ? ENOSPC : errno }
            written += step
        }
        return 0
    }
}
