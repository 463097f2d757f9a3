// The processes below a process, as /proc tells, and what they have resident. Reads files of /proc and nothing else.

internal import Glibc

/// A process and its descendants.
struct ProcessTree {
    /// The process at the root.
    let root: Int32

    /// Beyond this many processes a tree is not followed further.
    static let mostProcesses = 4096

    /// The root and all below it, parents before children. A process whose parent has ended is not found.
    ///
    /// - Complexity: a file for each thread of each process.
    func members() -> [Int32] {
        var members = [root]
        var index = 0
        while index < members.count, members.count < Self.mostProcesses {
            members += Self.children(of: members[index])
            index += 1
        }
        return members
    }

    /// The processes that a process has started and that have not been waited for.
    static func children(of process: Int32) -> [Int32] {
        let folder = "/proc/\(process)/task"
        return FileProbe.names(in: folder).filter { $0.first?.isNumber == true }.flatMap { thread in
            (FileProbe.text(of: "\(folder)/\(thread)/children") ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// Sends a signal to all of a tree, parents first, so that none is started anew by a parent that lives.
    func signal(_ number: Int32) {
        for process in members() { kill(process, number) }
    }

    /// The pages that each process has resident, summed, in bytes: pages that they share count for each of them.
    static func residentBytes(of processes: [Int32]) -> UInt64 {
        processes.reduce(0) { $0 + residentBytes(of: $1) }
    }

    private static func residentBytes(of process: Int32) -> UInt64 {
        let file = open("/proc/\(process)/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        // "size resident shared …", all in pages.
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { buffer in
            let count = read(file, buffer.baseAddress, buffer.count)
            guard count > 0 else { return 0 }
            var pages: UInt64 = 0
            for byte in buffer[..<count].drop(while: { $0 != 32 }).dropFirst() {
                guard byte >= 48, byte <= 57 else { break }
                pages = pages * 10 + UInt64(byte - 48)
            }
            return pages * pageBytes
        }
    }

    private static let pageBytes = UInt64(sysconf(Int32(_SC_PAGESIZE)))
}
