// A collector that a preloaded program started on its own writes the trace's end a moment after the program. It holds a lock on the file until then, so a report
// that comes right after the program waits instead of calling the trace cut.
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

enum RecorderLock {
    private static let steps = 100
    private static let stepMicroseconds: UInt32 = 20_000

    /// Waits until nobody writes the file at `path`, two seconds at most: a recording that goes on is read as far as it is.
    static func wait(for path: String) {
        guard path != "-" else { return }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        for _ in 0..<steps {
            var lock = flock()
            lock.l_type = Int16(F_RDLCK)
            lock.l_whence = Int16(SEEK_SET)
            guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return }
            usleep(stepMicroseconds)
        }
    }
}
