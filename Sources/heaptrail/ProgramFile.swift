// What a program file is, as far as recording it goes: found on PATH, read up to its program headers, and refused with the reason where a preload cannot reach it.
internal import AllocatorLab
internal import CCollector
import Foundation

/// An executable that the recorder can preload into, or a script whose interpreter is one.
struct ProgramFile {
    var path: String

    /// Finds `name` as the shell would.
    /// - Throws: `Failure` 66 when there is no such program, 69 when it is none.
    static func find(_ name: String) throws -> ProgramFile {
        if name.isEmpty {
            throw Failure(status: .usage, "no program given; try: heaptrail record -- PROGRAM [ARGUMENT ...]")
        }
        if name.contains("/") {
            try requireExecutable(name)
            return ProgramFile(path: name)
        }
        let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in search.split(separator: ":", omittingEmptySubsequences: false) {
            let path = (folder.isEmpty ? "." : String(folder)) + "/" + name
            if access(path, X_OK) == 0, !isFolder(path) { return ProgramFile(path: path) }
        }
        throw Failure(
            status: .noInput, "no program '\(name)' on PATH; give its path, as in: heaptrail record -- ./\(name)")
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func requireExecutable(_ path: String) throws {
        if access(path, F_OK) != 0 { throw Failure(status: .noInput, "no such program: \(path)") }
        if isFolder(path) { throw Failure(status: .unavailable, "\(path) is a folder, not a program") }
        if access(path, X_OK) != 0 {
            throw Failure(status: .unavailable, "\(path) is not executable; try: chmod +x \(path)")
        }
    }

    /// Refuses what a preload cannot reach: set-user-id and capability programs, static ones, other architectures and C libraries, and programs that bring
    /// an allocator of their own. Follows `#!` lines to the interpreter, four deep.
    func requireRecordable(depth: Int = 0) throws {
        try requireOrdinaryRights()
        guard let file = FileHandle(forReadingAtPath: path) else {
            // Execute permission without read permission: the kernel may run it, and the preload works, but nothing can be said beforehand.
            return
        }
        defer { try? file.close() }
        let head = (try? file.read(upToCount: 64 << 10)) ?? Data()
        if head.starts(with: Data("#!".utf8)) {
            guard depth < 4, let interpreter = Self.interpreter(of: head) else { return }
            if access(interpreter, F_OK) != 0 {
                throw Failure(status: .noInput, "\(path) is a script for \(interpreter), which does not exist")
            }
            try ProgramFile(path: interpreter).requireRecordable(depth: depth + 1)
            return
        }
        guard head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return }  // a script without #!: the shell runs it
        switch ElfFacts(head: head) {
        case .damaged:
            throw Failure(status: .unavailable, "\(path) is a damaged ELF file")
        case .foreign(let what):
            throw Failure(status: .unavailable, "\(path) is \(what); Heaptrail records 64-bit x86-64 programs")
        case .program(nil):
            throw Failure(
                status: .unavailable,
                "\(path) is statically linked: it loads no libraries, so none can be preloaded; link it dynamically to record it"
            )
        case .program(let loader?):
            if !loader.contains("ld-linux") {
                throw Failure(
                    status: .unavailable,
                    "\(path) is built for another C library (\(loader)); Heaptrail records glibc programs")
            }
        }
        let names = ELFSymbols.allocatorEntries(in: path).joined(separator: ", ")
        if !names.isEmpty {
            throw Failure(
                status: .unavailable,
                "\(path) carries its own allocator (it defines \(names)), which a preload does not see; build it with the system allocator to record it"
            )
        }
    }

    private func requireOrdinaryRights() throws {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return }
        let setUser = facts.st_mode & S_ISUID != 0 && facts.st_uid != geteuid()
        let setGroup = facts.st_mode & S_ISGID != 0 && facts.st_gid != getegid()
        if setUser || setGroup {
            throw Failure(
                status: .unavailable,
                "\(path) runs with another user's rights (set-user-id), so the loader ignores preloads; run it as that user to record it"
            )
        }
        if facts.st_mode & S_ISUID != 0, getuid() != geteuid() {
            throw Failure(status: .unavailable, "\(path) is set-user-id and the loader ignores preloads")
        }
        if ht_has_capabilities(path), geteuid() != 0 {
            throw Failure(
                status: .unavailable,
                "\(path) has file capabilities, so the loader ignores preloads; record a copy without them")
        }
    }

    private static func interpreter(of head: Data) -> String? {
        let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
        let words = String(decoding: line, as: UTF8.self).split(whereSeparator: { $0 == " " || $0 == "\t" })
        return words.first.map(String.init)
    }
}

/// What the first bytes of an ELF file say.
enum ElfFacts {
    /// A program or shared object of this machine's kind, with the loader it asks for (nil: statically linked).
    case program(loader: String?)
    case foreign(String)
    case damaged

    init(head: Data) {
        let bytes = [UInt8](head)
        func integer(_ offset: Int, _ count: Int) -> Int? {
            guard offset >= 0, offset + count <= bytes.count else { return nil }
            return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        guard bytes.count >= 64 else {
            self = .damaged
            return
        }
        guard bytes[4] == 2 else {
            self = .foreign("a 32-bit program")
            return
        }
        guard bytes[5] == 1, integer(18, 2) == 62 else {
            self = .foreign("built for another processor")
            return
        }
        guard let table = integer(32, 4), let size = integer(54, 2), let count = integer(56, 2), size >= 56 else {
            self = .damaged
            return
        }
        for index in 0..<count {
            let entry = table + index * size
            guard let kind = integer(entry, 4), let offset = integer(entry + 8, 4), let length = integer(entry + 32, 4)
            else {
                self = .damaged
                return
            }
            guard kind == 3 else { continue }  // PT_INTERP
            guard offset + length <= bytes.count, length > 1 else {
                self = .damaged
                return
            }
            self = .program(loader: String(decoding: bytes[offset..<offset + length - 1], as: UTF8.self))
            return
        }
        self = .program(loader: nil)
    }
}
