// The few facts of an ELF file that decide whether a library can be preloaded into a program: word size, machine, and
// whether the dynamic loader takes part. Reads the header and the program headers, nothing else.

/// What the header of an ELF file says.
struct ELFImage: Equatable {
    /// 1 for 32-bit, 2 for 64-bit files.
    let wordClass: UInt8
    /// The architecture's number (`e_machine`).
    let machine: UInt16
    /// 2 an executable, 3 a shared object or position-independent executable.
    let type: UInt16
    /// The dynamic loader it names; nil in a static program and in most libraries.
    let interpreter: String?

    private static let programHeaderInterpreter: UInt64 = 3

    /// Reads the head of an ELF file.
    ///
    /// - Parameter bytes: the file's first bytes; program headers beyond them are not seen.
    /// - Returns: nil unless the bytes are those of a little-endian ELF file.
    init?(head bytes: [UInt8]) {
        func word(_ offset: Int, _ count: Int) -> UInt64 {
            guard offset >= 0, offset <= bytes.count - count else { return 0 }
            return (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
        }
        guard bytes.count >= 52, bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]), bytes[5] == 1 else { return nil }
        let is64 = bytes[4] == 2
        wordClass = bytes[4]
        type = UInt16(word(16, 2))
        machine = UInt16(word(18, 2))
        let table = is64 ? word(32, 8) : word(28, 4)
        let entryBytes = Int(is64 ? word(54, 2) : word(42, 2))
        let entries = Int(is64 ? word(56, 2) : word(44, 2))
        guard let start = Int(exactly: table), start <= bytes.count else {
            interpreter = nil
            return
        }
        let header = (0..<entries).map { start + $0 * entryBytes }.first {
            word($0, 4) == Self.programHeaderInterpreter
        }
        guard let header, let offset = Int(exactly: word(header + (is64 ? 8 : 4), is64 ? 8 : 4)), offset < bytes.count
        else {
            interpreter = nil
            return
        }
        interpreter = String(decoding: bytes[offset...].prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension ELFImage {
    /// Whether the file is built for the machine that this code runs on.
    var isNative: Bool {
        guard let own = FileProbe.head(of: "/proc/self/exe").flatMap({ ELFImage(head: $0) }) else { return true }
        return wordClass == own.wordClass && machine == own.machine
    }
}
