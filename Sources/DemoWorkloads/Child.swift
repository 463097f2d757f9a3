// This program again, as a child: for work that may end it. Owns the spawn, the pipe and the wait.

import Glibc

/// How a child ended and what it printed.
struct Child {
    /// Its standard output.
    let output: String
    /// `exited with status N` or `was ended by signal N (…)`.
    let ending: String

    /// Runs this executable with the given arguments, the program's name first, and waits for its end.
    static func run(_ arguments: [String]) throws(WorkloadError) -> Child {
        var pipeEnds: [Int32] = [-1, -1]
        guard pipe(&pipeEnds) == 0 else { throw WorkloadError(message: "no pipe to a child") }
        let process: pid_t
        do throws(WorkloadError) {
            defer { close(pipeEnds[1]) }
            process = try spawn(arguments, pipe: pipeEnds)
        } catch {
            close(pipeEnds[0])
            throw error
        }
        let output = readAll(pipeEnds[0])
        close(pipeEnds[0])
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        return Child(output: output, ending: describe(status))
    }

    private static func spawn(_ arguments: [String], pipe: [Int32]) throws(WorkloadError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO)
        for end in pipe { posix_spawn_file_actions_addclose(&actions, end) }

        let argumentList = arguments.map { strdup($0) } + [nil]
        defer { for argument in argumentList { free(argument) } }
        // A crash is what the child may be for: no backtrace of it.
        var environmentList: [UnsafeMutablePointer<CChar>?] = [strdup("SWIFT_BACKTRACE=enable=no")]
        let inherited = environ
        var index = 0
        while let entry = inherited[index] {
            if strncmp(entry, "SWIFT_BACKTRACE=", 16) != 0 { environmentList.append(strdup(entry)) }
            index += 1
        }
        environmentList.append(nil)
        defer { for entry in environmentList { free(entry) } }

        // The child inherits the limit: no core file of 16 MiB either.
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        var noCore = rlimit(rlim_cur: 0, rlim_max: limit.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &noCore)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) }

        var process = pid_t()
        let status = posix_spawn(&process, "/proc/self/exe", &actions, nil, argumentList, environmentList)
        guard status == 0 else { throw WorkloadError(message: "no child: \(String(cString: strerror(status)))") }
        return process
    }

    private static func readAll(_ descriptor: Int32) -> String {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return String(decoding: output, as: UTF8.self) }
            output += buffer[..<count]
        }
    }

    private static func describe(_ status: Int32) -> String {
        // The layout of a wait status: the low seven bits are the signal, 0 for an exit.
        let signal = status & 0x7F
        guard signal != 0 else { return "exited with status \(status >> 8 & 0xFF)" }
        return "was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
    }
}
