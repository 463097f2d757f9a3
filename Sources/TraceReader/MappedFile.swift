// The bytes of a trace file and who frees them: a read-only mapping of a regular file, or what came through a pipe.
// The only file of this module, beside StreamedFile.swift, that talks to the system. A file that another process truncates while it is mapped raises SIGBUS,
// as with every mapping; a recorder only ever appends.

internal import Glibc

/// What the system says about an error number, in words.
func systemErrorText(_ number: Int32) -> String { String(cString: strerror(number)) }

/// Owner of a file's bytes, aligned to 8 at least.
struct MappedFile: ~Copyable {
    /// All of the file's bytes.
    let bytes: UnsafeRawBufferPointer
    private let isMapping: Bool

    /// Maps the file, or reads it whole where it is a pipe or a device.
    init(path: String) throws(TraceError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(path: path, errno: errno) }
        defer { close(descriptor) }
        try self.init(descriptor: descriptor, path: path)
    }

    /// Maps an open file, or reads what is left of it where it is a pipe, a device or was begun to be read.
    init(descriptor: Int32, path: String) throws(TraceError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .unreadable(path: path, errno: errno) }
        if status.st_mode & S_IFMT == S_IFDIR { throw .unreadable(path: path, errno: EISDIR) }
        if status.st_mode & S_IFMT == S_IFREG, status.st_size > 0,
            lseek(descriptor, 0, SEEK_CUR) == 0
        {
            guard let start = mmap(nil, Int(status.st_size), PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED
            else { throw .unreadable(path: path, errno: errno) }
            bytes = UnsafeRawBufferPointer(start: start, count: Int(status.st_size))
            isMapping = true
        } else {
            (bytes, isMapping) = try StreamedFile(reading: descriptor, path: path).bytes()
        }
    }

    /// Keeps a copy of bytes that are in memory already.
    init(copying source: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 16)
        copy.copyBytes(from: source)
        bytes = UnsafeRawBufferPointer(copy)
        isMapping = false
    }

    /// Lets the kernel take back the pages that were read, so that a pass over a large file does not fill the resident set.
    /// Pages that are needed again come back from the page cache.
    func releasePages() {
        if isMapping { madvise(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_DONTNEED) }
    }

    deinit {
        if isMapping {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        } else {
            bytes.deallocate()
        }
    }
}
