// How much stack a piece of work touches: it runs on a thread whose stack is a fresh mapping, and the kernel is asked
// afterwards which of its pages were ever written.

import Glibc

/// Runs work on a stack of a chosen size.
enum StackUse {
    /// Runs `body` on a thread of its own with `bytes` of stack, and waits for it.
    ///
    /// Overflowing that stack is a segmentation fault: its lowest page is a guard.
    ///
    /// - Returns: The bytes of stack touched, counted from the top in whole pages.
    static func measure(stackBytes bytes: Int, _ body: @escaping () -> Void) throws(WorkloadError) -> Int {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let mapping = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let stack = mapping, stack != MAP_FAILED else { throw WorkloadError(message: "no memory for a stack") }
        defer { munmap(stack, bytes) }
        mprotect(stack, page, PROT_NONE)
        // A huge page would count as 512 touched ones.
        madvise(stack, bytes, MADV_NOHUGEPAGE)
        try run(body, on: stack, bytes)

        var isResident = [UInt8](repeating: 0, count: bytes / page)
        guard mincore(stack, bytes, &isResident) == 0 else { throw WorkloadError(message: "mincore failed") }
        let deepest = isResident.firstIndex { $0 & 1 != 0 } ?? isResident.count
        return (isResident.count - deepest) * page
    }

    private static func run(
        _ body: @escaping () -> Void, on stack: UnsafeMutableRawPointer, _ bytes: Int
    ) throws(WorkloadError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstack(&attributes, stack, bytes)
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(body))
        let status = pthread_create(&thread, &attributes, { Self.start($0) }, work.toOpaque())
        guard status == 0 else {
            work.release()
            throw WorkloadError(message: "no thread: \(String(cString: strerror(status)))")
        }
        pthread_join(thread, nil)
    }

    private static func start(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
        return nil
    }

    private final class Work {
        let body: () -> Void

        init(_ body: @escaping () -> Void) { self.body = body }
    }
}
