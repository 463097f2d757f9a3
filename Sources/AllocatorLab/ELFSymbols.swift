// Looks for functions that an executable defines itself, to find a program that carries its own allocator: calls then
// never leave the program, and whatever allocator is preloaded is not used.

internal import Glibc

/// The symbol tables of one ELF file, read piece by piece.
public struct ELFSymbols {
    /// Functions whose definition in an executable means that it brings an allocator along.
    private static let allocatorEntries = [
        "malloc", "je_malloc", "_rjem_malloc", "_rjem_mallocx", "mallocx", "mi_malloc", "mi_malloc_aligned",
        "tc_malloc",
    ]

    /// The entries of an allocator that the 64-bit file at `path` defines as functions, the most telling first; none
    /// where the file is stripped of them, or cannot be read.
    ///
    /// - Complexity: one pass over the file's symbol tables.
    public static func allocatorEntries(in path: String) -> [String] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        return ELFSymbols(descriptor: descriptor)?.defined(of: allocatorEntries) ?? []
    }

    private struct Section {
        let type: UInt64
        let offset: UInt64
        let bytes: UInt64
        let link: Int
    }

    private static let symbolTable: UInt64 = 2
    private static let dynamicSymbolTable: UInt64 = 11
    private static let sectionEntryBytes = 64
    private static let symbolBytes = 24
    private static let function: UInt8 = 2
    private static let indirectFunction: UInt8 = 10

    private let descriptor: Int32
    private let sections: [Section]

    private init?(descriptor: Int32) {
        guard let header = Self.read(descriptor, 0, 64), ELFImage(head: header)?.wordClass == 2 else { return nil }
        let count = Int(Self.word(header, 60, 2))
        guard Self.word(header, 58, 2) == Self.sectionEntryBytes,
            let table = Self.read(descriptor, Self.word(header, 40, 8), UInt64(count * Self.sectionEntryBytes))
        else { return nil }
        self.descriptor = descriptor
        sections = (0..<count).map { index in
            let start = index * Self.sectionEntryBytes
            return Section(
                type: Self.word(table, start + 4, 4), offset: Self.word(table, start + 24, 8),
                bytes: Self.word(table, start + 32, 8), link: Int(Self.word(table, start + 40, 4)))
        }
    }

    private func defined(of names: [String]) -> [String] {
        var found: Set<String> = []
        for section in sections where section.type == Self.symbolTable || section.type == Self.dynamicSymbolTable {
            guard sections.indices.contains(section.link),
                let strings = Self.read(descriptor, sections[section.link].offset, sections[section.link].bytes),
                let symbols = Self.read(descriptor, section.offset, section.bytes)
            else { continue }
            guard strings.last == 0 else { continue }
            for start in stride(from: 0, through: symbols.count - Self.symbolBytes, by: Self.symbolBytes) {
                let kind = symbols[start + 4] & 0xf
                let isDefined = Self.word(symbols, start + 6, 2) != 0
                let offset = Int(Self.word(symbols, start, 4))
                guard kind == Self.function || kind == Self.indirectFunction, isDefined, offset < strings.count else {
                    continue
                }
                if let name = names.first(where: { Self.hasString($0, at: offset, in: strings) }) { found.insert(name) }
            }
        }
        return names.filter(found.contains)
    }

    /// Whether the string that begins at `offset` of a table whose last byte is 0 is `name`.
    private static func hasString(_ name: String, at offset: Int, in table: [UInt8]) -> Bool {
        table.withUnsafeBytes { bytes in
            name.withCString { strcmp($0, bytes.baseAddress!.advanced(by: offset).assumingMemoryBound(to: CChar.self)) }
                == 0
        }
    }

    private static func word(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
    }

    /// Exactly `count` bytes from `offset` on; nil where the file has not so many, or claims an absurd number.
    private static func read(_ descriptor: Int32, _ offset: UInt64, _ count: UInt64) -> [UInt8]? {
        guard count < 1 << 30, let position = off_t(exactly: offset) else { return nil }
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, filled in
            while filled < buffer.count {
                let got = pread(
                    descriptor, buffer.baseAddress! + filled, buffer.count - filled, position + off_t(filled))
                if got <= 0 { return }
                filled += got
            }
        }
        return bytes.count == Int(count) ? bytes : nil
    }
}
