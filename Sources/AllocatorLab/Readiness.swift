// When a server that was just started can be driven: when it listens, when its port answers, or when a command says so.

internal import Glibc

/// How a server's readiness is told.
public enum Readiness: Equatable, Sendable {
    /// One of its processes has a listening socket, of TCP or of the Unix domain.
    case listening
    /// The port of this machine accepts connections.
    case port(UInt16)
    /// The command exits with status 0.
    case command(ShellCommand)

    /// Reads what was typed: a port or a command.
    public init(_ text: String) {
        if let port = UInt16(text), port > 0 {
            self = .port(port)
        } else {
            self = .command(ShellCommand(text))
        }
    }

    /// Milliseconds between two looks.
    var pauseMilliseconds: UInt64 { if case .command = self { 20 } else { 2 } }

    /// Whether the server is ready.
    ///
    /// - Parameters:
    ///   - pipes: the server's output, to be taken in meanwhile.
    ///   - deadline: a command that takes longer is killed, and so is one that outlives the server.
    func isReady(
        _ server: ChildProcess, environment: [ByteString], watch: ChildWatch, pipes: [OutputPipe],
        until deadline: UInt64
    ) throws -> Bool {
        switch self {
        case .listening: ListeningSockets.isAny(in: ProcessTree(root: server.pid).members())
        case .port(let port): Self.accepts(port)
        case .command(let command):
            try command.run(
                environment: environment, watch: watch, beside: server, pipes: pipes, until: deadline
            ).outcome == .exited(0)
        }
    }

    /// Whether something on this machine accepts connections at a port, over IPv4 or IPv6.
    static func accepts(_ port: UInt16) -> Bool {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        four.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        six.sin6_addr = in6addr_loopback
        return connects(&four, family: AF_INET) || connects(&six, family: AF_INET6)
    }

    private static func connects<Address>(_ address: inout Address, family: Int32) -> Bool {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        // Where the queue of those who wait is full, connect waits, too.
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return withUnsafeBytes(of: &address) { bytes in
            guard let base = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
            return connect(descriptor, base, socklen_t(bytes.count)) == 0
        }
    }
}

/// Which sockets of a process wait for connections.
enum ListeningSockets {
    /// Whether any of the processes has one.
    static func isAny(in processes: [Int32]) -> Bool {
        processes.contains { process in
            let own = Set(inodes(of: process))
            return !own.isEmpty && !own.isDisjoint(with: listening(seenBy: process))
        }
    }

    /// The inodes of a process's sockets.
    private static func inodes(of process: Int32) -> [Substring] {
        let folder = "/proc/\(process)/fd"
        return FileProbe.names(in: folder).compactMap { name in
            FileProbe.link(at: "\(folder)/\(name)").flatMap {
                $0.hasPrefix("socket:[") ? $0.dropFirst(8).dropLast() : nil
            }
        }
    }

    /// The inodes of all sockets that listen, in the network namespace of a process.
    private static func listening(seenBy process: Int32) -> Set<Substring> {
        var found: Set<Substring> = []
        for table in ["tcp", "tcp6"] {
            // "sl local remote st queues timer retransmits uid timeout inode …"; state 0A is LISTEN.
            for line in lines("/proc/\(process)/net/\(table)") {
                let words = line.split(separator: " ")
                if words.count > 9, words[3] == "0A" { found.insert(words[9]) }
            }
        }
        // "num references protocol flags type state inode path"; the flag is __SO_ACCEPTCON.
        for line in lines("/proc/\(process)/net/unix") {
            let words = line.split(separator: " ")
            if words.count > 6, words[3] == "00010000" { found.insert(words[6]) }
        }
        return found
    }

    private static func lines(_ path: String) -> [Substring] {
        let bytes = FileProbe.contents(of: path, limit: 16 << 20) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
}
