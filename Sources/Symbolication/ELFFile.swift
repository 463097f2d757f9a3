// An ELF file as its headers describe it: segments, sections, the pieces they point to. Nothing is believed: every
// offset is checked against the file's length, and what does not lie in the file is named in `damage`, not guessed.
//
// Decoding stands in ELFFile+Parsing.swift. Files are read piece by piece, never mapped: one that shrinks while it is
// looked at gives short answers, not a signal.

internal import Glibc

/// The headers of one ELF file, and access to its bytes.
package struct ELFFile: Sendable {
    /// Why a file cannot be read as ELF.
    package enum ReadError: Error, Equatable {
        /// There is no such file, or it may not be opened.
        case unreadable(code: Int32)
        /// Too short for, or without, an ELF header.
        case notELF
        /// The program headers do not lie in the file, so the kernel does not load it.
        case truncated(needed: UInt64, size: UInt64)
    }

    /// What `e_type` says.
    package enum Kind: UInt16, Sendable {
        /// A relocatable object.
        case object = 1
        /// A program that is loaded at fixed addresses.
        case executable = 2
        /// A shared library or a position-independent program.
        case shared = 3
        /// A memory image of a dead process.
        case core = 4
    }

    /// One entry of the program header table.
    package struct Segment: Sendable, Equatable {
        package var type: UInt32
        package var flags: UInt32
        package var offset: UInt64
        package var address: UInt64
        package var fileBytes: UInt64
        package var memoryBytes: UInt64

        package static let load: UInt32 = 1
        package static let dynamic: UInt32 = 2
        package static let interpreter: UInt32 = 3
        package static let note: UInt32 = 4
        package static let unwindIndex: UInt32 = 0x6474_e550

        /// Whether its pages can be executed.
        package var isExecutable: Bool { flags & 1 != 0 }
    }

    /// One entry of the section header table.
    package struct Section: Sendable, Equatable {
        package var name: String
        package var type: UInt32
        package var flags: UInt64
        package var address: UInt64
        package var offset: UInt64
        package var bytes: UInt64
        package var link: Int

        package static let symbols: UInt32 = 2
        package static let noBits: UInt32 = 8
        package static let dynamicSymbols: UInt32 = 11

        /// Whether its contents lie in this file (a separate debug file keeps the headers of sections it does not hold).
        package var isPresent: Bool { type != Self.noBits && bytes > 0 }
    }

    /// 32 or 64.
    package let wordBits: Int
    /// Whether numbers are stored with the least significant byte first.
    package let isLittleEndian: Bool
    /// The architecture's number (`e_machine`).
    package let machine: UInt16
    /// What kind of file it is; nil for a kind this tool has no use for.
    package let kind: Kind?
    /// The program headers; none of a 32-bit or big-endian file.
    package let segments: [Segment]
    /// The section headers; none where the table was cut off or removed.
    package let sections: [Section]
    /// What the headers promise and the file does not hold, in words.
    package let damage: [String]

    let source: ELFSource

    init(
        wordBits: Int, isLittleEndian: Bool, machine: UInt16, kind: Kind?, segments: [Segment], sections: [Section],
        damage: [String], source: ELFSource
    ) {
        self.wordBits = wordBits
        self.isLittleEndian = isLittleEndian
        self.machine = machine
        self.kind = kind
        self.segments = segments
        self.sections = sections
        self.damage = damage
        self.source = source
    }

    /// The first section of that name whose contents lie in the file.
    package func section(_ name: String) -> Section? {
        sections.first { $0.name == name && $0.isPresent }
    }

    /// A section's contents; empty where they do not lie in the file.
    package func contents(of section: Section) -> [UInt8] {
        section.isPresent ? source.read(section.offset, section.bytes) ?? [] : []
    }

    /// A segment's contents in the file.
    package func contents(of segment: Segment) -> [UInt8] {
        source.read(segment.offset, segment.fileBytes) ?? []
    }

    /// `count` bytes that are loaded at `address`; nil where no segment holds them all.
    package func bytes(at address: UInt64, count: UInt64) -> [UInt8]? {
        for segment in segments where segment.type == Segment.load && address >= segment.address {
            let distance = address - segment.address
            guard distance <= segment.fileBytes, count <= segment.fileBytes - distance else { continue }
            return source.read(segment.offset &+ distance, count)
        }
        return nil
    }

    /// The architecture's usual name.
    package var machineName: String {
        switch machine {
        case 3: "x86"
        case 8: "MIPS"
        case 20, 21: "PowerPC"
        case 22: "S390"
        case 40: "ARM"
        case 62: wordBits == 32 ? "x86-64 (x32)" : "x86-64"
        case 183: "AArch64"
        case 243: "RISC-V"
        case 258: "LoongArch"
        default: "machine \(machine)"
        }
    }

    /// Whether it is built for the machine this code runs on.
    package var isNative: Bool {
        #if arch(x86_64)
        wordBits == 64 && isLittleEndian && machine == 62
        #elseif arch(arm64)
        wordBits == 64 && isLittleEndian && machine == 183
        #else
        false
        #endif
    }
}

/// Where an ELF file's bytes come from.
final class ELFSource: Sendable {
    /// The number of bytes there are.
    let size: UInt64
    private let descriptor: Int32
    private let bytes: [UInt8]

    /// Bytes in memory.
    init(bytes: [UInt8]) {
        self.bytes = bytes
        size = UInt64(bytes.count)
        descriptor = -1
    }

    /// A regular file.
    init(path: String) throws(ELFFile.ReadError) {
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard opened >= 0 else { throw .unreadable(code: errno) }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(opened)
            throw .notELF
        }
        bytes = []
        size = UInt64(status.st_size)
        descriptor = opened
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Exactly `count` bytes from `offset` on; nil where there are not so many.
    func read(_ offset: UInt64, _ count: UInt64) -> [UInt8]? {
        guard offset <= size, count <= size - offset, let start = Int(exactly: offset) else { return nil }
        let wanted = Int(count)
        if descriptor < 0 { return Array(bytes[start..<start + wanted]) }
        let read = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
            while filled < wanted {
                let got = pread(descriptor, buffer.baseAddress! + filled, wanted - filled, off_t(start + filled))
                if got < 0, errno == EINTR { continue }
                if got <= 0 { return }
                filled += got
            }
        }
        return read.count == wanted ? read : nil
    }
}
