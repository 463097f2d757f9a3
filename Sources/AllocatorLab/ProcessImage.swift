// What a running process is made of: its executable and, in the order in which the loader looks symbols up, the libraries
// it was started with. Read from outside, in /proc and in the process's memory; it is neither stopped nor entered.

internal import Glibc

/// The program that a process runs at the moment.
struct ProcessImage: Equatable {
    /// How far its loader is.
    enum Loading: Equatable {
        /// It has none: nothing can be preloaded.
        case isStatic
        /// Not through with the libraries that the program is started with.
        case underWay
        /// It has looked for the libraries, the executable stands first.
        case done([String])
        /// It has none that is known here: a program for another machine or of another word size.
        case isForeign
        /// The kernel lets nobody look.
        case isClosed
    }

    /// The path of the executable.
    let executable: String
    /// Its libraries.
    let loading: Loading
    /// Whether it has other rights than who started it, so that the loader ignores preloads.
    let hasOtherRights: Bool

    private static let mostObjects = 4096
    private static let mostHeaders = 256

    /// Looks at a process.
    ///
    /// - Returns: nil where there is no such process, or it has ended or is the kernel's own.
    init?(process: Int32) {
        guard let path = Self.executable(of: process) else { return nil }
        executable = path
        let file = open("/proc/\(process)/mem", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            // Else it has just ended.
            guard errno == EACCES || errno == EPERM else { return nil }
            (loading, hasOtherRights) = (.isClosed, false)
            return
        }
        defer { close(file) }
        guard let head = FileProbe.head(of: "/proc/\(process)/exe", count: 64) else { return nil }
        let auxiliary = Self.auxiliary(of: process)
        hasOtherRights = auxiliary[AuxiliaryVector.secure, default: 0] != 0
        if ELFImage(head: head)?.isNative != true {
            loading = .isForeign
        } else {
            loading = Self.loading(ProcessMemory(descriptor: file), auxiliary, executable: path)
        }
    }

    /// The path of a process's executable; nil where the process has ended.
    static func executable(of process: Int32) -> String? {
        guard var path = FileProbe.link(at: "/proc/\(process)/exe") else { return nil }
        if path.hasSuffix(" (deleted)") { path.removeLast(" (deleted)".count) }
        return path
    }

    private enum AuxiliaryVector {
        static let headers: UInt64 = 3
        static let headerBytes: UInt64 = 4
        static let headerCount: UInt64 = 5
        static let secure: UInt64 = 23
    }

    /// What the kernel told the program at its start, by kind.
    private static func auxiliary(of process: Int32) -> [UInt64: UInt64] {
        let bytes = FileProbe.contents(of: "/proc/\(process)/auxv", limit: 1 << 16) ?? []
        var values: [UInt64: UInt64] = [:]
        bytes.withUnsafeBytes { bytes in
            for start in stride(from: 0, through: bytes.count - 16, by: 16) {
                let kind = bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                values[kind] = bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
            }
        }
        return values
    }

    /// Follows the program's headers to its dynamic section, and from there the loader's list (`struct r_debug` and
    /// `struct link_map` of <link.h>).
    private static func loading(
        _ memory: ProcessMemory, _ auxiliary: [UInt64: UInt64], executable: String
    ) -> Loading {
        let table = auxiliary[AuxiliaryVector.headers, default: 0]
        let step = auxiliary[AuxiliaryVector.headerBytes, default: 0]
        let count = min(auxiliary[AuxiliaryVector.headerCount, default: 0], UInt64(mostHeaders))
        var base: UInt64?
        var dynamic: UInt64?
        var dynamicBytes: UInt64 = 0
        var hasLoader = false
        for index in 0..<count {
            let header = table &+ index &* step
            guard let kind = memory.word(header, 4), let address = memory.word(header &+ 16) else { return .underWay }
            switch kind {
            case 2: (dynamic, dynamicBytes) = (address, memory.word(header &+ 40) ?? 0)
            case 3: hasLoader = true
            case 6: base = table &- address
            default: break
            }
        }
        if count == 0 { return .underWay }
        // A loader that was started itself, to load a program, looks like a static one.
        guard hasLoader else { return ServingAllocator.isLoader(executable) ? .isClosed : .isStatic }
        guard let dynamic, let base else { return .isForeign }
        guard let debug = debugAddress(memory, section: base &+ dynamic, bytes: dynamicBytes), debug != 0,
            memory.word(debug &+ 24, 4) == 0, var entry = memory.word(debug &+ 8)
        else { return .underWay }
        var objects: [String] = []
        while entry != 0, objects.count < mostObjects {
            guard let name = memory.word(entry &+ 8).flatMap(memory.text), let next = memory.word(entry &+ 24) else {
                return .underWay
            }
            objects.append(objects.isEmpty ? executable : name)
            entry = next
        }
        // The list is begun before it is marked as growing.
        let isWhole = objects.contains { ServingAllocator.isSystemLibrary($0) || ServingAllocator.isMusl($0) }
        return isWhole ? .done(objects) : .underWay
    }

    /// The value of DT_DEBUG, which the loader sets.
    private static func debugAddress(_ memory: ProcessMemory, section: UInt64, bytes: UInt64) -> UInt64? {
        for entry in stride(from: 0, to: min(bytes, 1 << 14), by: 16) {
            guard let tag = memory.word(section &+ entry), tag != 0 else { return nil }
            if tag == 21 { return memory.word(section &+ entry &+ 8) }
        }
        return nil
    }
}

/// Reads in a process's memory.
private struct ProcessMemory {
    let descriptor: Int32

    /// An unsigned number of so many bytes, at most 8; nil where there is no such memory.
    func word(_ address: UInt64, _ bytes: Int = 8) -> UInt64? {
        var value: UInt64 = 0
        guard let position = off_t(exactly: address) else { return nil }
        return pread(descriptor, &value, bytes, position) == bytes ? value : nil
    }

    /// Text up to its NUL, 4096 bytes at most.
    func text(_ address: UInt64) -> String? {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 128)
        guard var position = off_t(exactly: address) else { return nil }
        while bytes.count < 4096 {
            let got = pread(descriptor, &part, part.count, position)
            // The end of a mapping may come before the end of the part.
            guard got > 0 else { return nil }
            bytes += part[..<got].prefix { $0 != 0 }
            if part[..<got].contains(0) { return String(decoding: bytes, as: UTF8.self) }
            position += off_t(got)
        }
        return nil
    }
}
