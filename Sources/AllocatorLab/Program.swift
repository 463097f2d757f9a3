// A program to be recorded or compared: found, and checked to be one that preloading reaches.

internal import CLaunch
internal import Glibc

/// Why a program cannot be recorded or compared.
public enum ProgramError: Error, Equatable, CustomStringConvertible {
    /// There is no such program.
    case missing(String)
    /// There is no such program in `PATH`, but one in this folder.
    case notInPath(String)
    /// It is a script, and what it is to be run by does not exist.
    case missingInterpreter(String, interpreter: String)
    /// There is, but it cannot be run or preloading does not reach it.
    case unsuitable(String, reason: String)

    /// What happened, in one line.
    public var description: String {
        switch self {
        case .missing(let name): "\(name.isEmpty ? "''" : name): no such program"
        case .notInPath(let name): "\(name): not in PATH; for the one in this folder type ./\(name)"
        case .missingInterpreter(let name, let interpreter):
            "\(name): a script for \(interpreter), which does not exist"
        case .unsuitable(let name, let reason): "\(name): \(reason)"
        }
    }

    /// The exit status for it: 66 for what is missing, 69 for what preloading does not reach.
    public var exitStatus: Int32 {
        switch self {
        case .missing, .notInPath, .missingInterpreter: 66
        case .unsuitable: 69
        }
    }
}

/// A program that libraries can be preloaded into: a recorder, or another allocator.
public struct Program: Equatable, Sendable {
    /// The path of its executable.
    public let path: String
    /// Its arguments, its own name first.
    public let arguments: [ByteString]

    /// What is to be done to a program's allocations.
    public enum Purpose: Sendable {
        /// To have them served by another allocator: one that the program carries itself cannot be replaced.
        case replacingAllocator
        /// To see them: the functions of an allocator that it carries are redirected.
        case recording
    }

    /// Finds a program and makes sure that preloading, or else redirecting, reaches it.
    ///
    /// - Parameters:
    ///   - command: a path or a name to be looked up in `PATH`, then the arguments.
    ///   - purpose: what an allocator of the program's own must allow.
    /// - Throws: `ProgramError` for a program that is missing, not executable, static, with other rights than the caller's,
    ///   for another machine or C library, or with an allocator of its own that is in the way.
    public init(finding command: [ByteString], for purpose: Purpose = .replacingAllocator) throws(ProgramError) {
        let name = command.first?.description ?? ""
        guard command.first?.isText ?? true else {
            throw .unsuitable(name, reason: "the name is not UTF-8; start it by another one, as by a link to it")
        }
        path = try Self.find(name)
        arguments = command
        try Self.check(path, name: name, purpose: purpose, depth: 0)
    }

    /// Finds a program whose words are all UTF-8.
    init(finding command: [String], for purpose: Purpose = .replacingAllocator) throws(ProgramError) {
        try self.init(finding: command.map { ByteString($0) }, for: purpose)
    }

    /// A command line as a shell takes it.
    public static func commandLine(_ words: [String]) -> String {
        words.map(ShellText.quoted).joined(separator: " ")
    }

    static func find(_ name: String) throws(ProgramError) -> String {
        var candidates = [name]
        if !name.contains("/") {
            let folders = (FileProbe.variable("PATH") ?? "/usr/bin:/bin").split(separator: ":")
            candidates = folders.map { "\($0)/\(name)" }
        }
        let present = candidates.filter(FileProbe.isFile)
        if let path = present.first(where: FileProbe.isExecutable) { return path }
        if let path = present.first, !FileProbe.isRegular(path) {
            throw .unsuitable(name, reason: "is a pipe, socket or device, not a program")
        }
        if !present.isEmpty { throw .unsuitable(name, reason: "not executable") }
        if name.contains("/"), FileProbe.status(of: name) != nil {
            throw .unsuitable(name, reason: "is a folder, not a program")
        }
        if !name.contains("/"), FileProbe.isExecutable(name) { throw .notInPath(name) }
        throw .missing(name)
    }

    private static func check(
        _ path: String, name: String, purpose: Purpose, depth: Int
    ) throws(ProgramError) {
        if let status = FileProbe.status(of: path) {
            let asUser = status.st_mode & S_ISUID != 0 && status.st_uid != geteuid()
            let asGroup = status.st_mode & S_ISGID != 0 && status.st_gid != getegid()
            if asUser || asGroup {
                throw .unsuitable(
                    name, reason: "runs with another user's rights (set-user-id), so the loader ignores preloads")
            }
        }
        if ht_launch_has_capabilities(path), geteuid() != 0 {
            throw .unsuitable(name, reason: "has file capabilities, so the loader ignores preloads")
        }
        // A file that can be run but not read is left to the kernel to judge.
        guard let head = FileProbe.head(of: path, count: 1 << 16) else { return }
        if let script = Script(head: head) {
            guard depth < 4 else { return }
            guard FileProbe.status(of: script.interpreter) != nil else {
                throw .missingInterpreter(name, interpreter: script.interpreter)
            }
            guard FileProbe.isExecutable(script.interpreter) else {
                throw .unsuitable(name, reason: "a script for \(script.interpreter), which is not executable")
            }
            return try check(script.interpreter, name: name, purpose: purpose, depth: depth + 1)
        }
        if head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) { try checkFile(path, name: name) }
        guard let image = ELFImage(head: head) else { return }
        guard image.isNative else { throw .unsuitable(name, reason: "built for another machine than this tool") }
        guard let loader = image.interpreter else {
            throw .unsuitable(name, reason: "statically linked: it loads no libraries, so none can be preloaded")
        }
        guard loader.contains("ld-linux") else {
            throw .unsuitable(name, reason: "built for another C library (\(loader)) than glibc")
        }
        guard let own = OwnAllocator.inspect(executable: path) else { return }
        switch purpose {
        case .replacingAllocator:
            throw .unsuitable(name, reason: "carries its own allocator (\(own.name)), which cannot be replaced")
        case .recording where !own.isPatchable:
            throw .unsuitable(
                name,
                reason: "carries its own allocator (\(own.name)), which cannot be recorded: \(own.reason ?? "unknown")")
        case .recording: return
        }
    }
}
