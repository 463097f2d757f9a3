// An allocator that logs what it does, to be held against what the recorder saw.

import Glibc
import HeaptrailTags
import SmartPointers

/// Boxes a `Matrix` in a `TracingAllocator` and reads the allocator's own log back.
enum TracingAllocatorWorkload: Workload {
    static let name = "tracing-allocator"
    static let summary = "a Box in an allocator that logs its own ALLOC and FREE lines (--log FILE keeps them)"

    static let expected = [
        ExpectedRow("Box", "Box<Matrix>", .construct, size: 505, allocations: 1)
    ]

    static func run(_ options: Options) throws(WorkloadError) {
        let descriptor = try openLog(options.logPath)
        defer { close(descriptor) }
        let nowhere = open("/dev/null", O_WRONLY)
        defer { close(nowhere) }
        do throws(AllocationError) {
            try withOwnerTagsSuspended { () throws(AllocationError) in
                _ = try boxed(UInt8(0), loggingTo: nowhere).value
            }
            let sum = try boxed(Matrix(), loggingTo: descriptor).value.sum
            say("tracing-allocator: sum \(sum)")
        } catch {
            throw WorkloadError(message: "\(error)")
        }
        try withOwnerTagsSuspended { () throws(WorkloadError) in try tell(descriptor) }
    }

    /// Says what the log holds, but for the addresses, which differ from run to run.
    private static func tell(_ descriptor: Int32) throws(WorkloadError) {
        var addresses: Set<Substring> = []
        for line in lines(of: descriptor) {
            let fields = line.split(separator: " ")
            guard fields.count == 4 else { throw WorkloadError(message: "the log has a foreign line: \(line)") }
            say("tracing-allocator: logged \(fields[0]) \(fields[2]) \(fields[3])")
            addresses.insert(fields[1])
        }
        say("tracing-allocator: \(addresses.count) address in the log")
    }

    private static func boxed<Value>(
        _ value: Value, loggingTo descriptor: Int32
    ) throws(AllocationError) -> AllocatorBox<Value, TracingAllocator<SystemAllocator>> {
        try AllocatorBox(value, in: TracingAllocator(SystemAllocator(), descriptor: descriptor))
    }

    private static func openLog(_ path: String?) throws(WorkloadError) -> Int32 {
        guard let path else {
            // A file without a name; the duplicate outlives the stream.
            guard let stream = tmpfile() else { throw WorkloadError(message: "no temporary file for the log") }
            defer { fclose(stream) }
            return dup(fileno(stream))
        }
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
        guard descriptor >= 0 else {
            throw WorkloadError(message: "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        return descriptor
    }

    private static func lines(of descriptor: Int32) -> [Substring] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: "\n")
    }
}
