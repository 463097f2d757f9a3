// The names in an ELF file's symbol tables, in one pass, without a String each: millions of them stand in a large
// program.

internal import Glibc

extension ELFFile {
    /// Which of the two symbol tables.
    package enum SymbolTable: Sendable {
        /// `.symtab`: every function, local ones included; gone after strip.
        case full
        /// `.dynsym`: what is imported and exported; always there in what is dynamically linked.
        case dynamic
    }

    private static let symbolBytes = 24

    /// Calls `body` with each symbol's name, type (`STT_…`) and whether it is defined here, until it returns false.
    ///
    /// - Complexity: one pass; reads the table and its strings at once.
    package func forEachSymbol(
        in table: SymbolTable, _ body: (_ name: UnsafeRawBufferPointer, _ type: UInt8, _ isDefined: Bool) -> Bool
    ) {
        let type = table == .full ? Section.symbols : Section.dynamicSymbols
        for section in sections where section.type == type && section.isPresent {
            guard sections.indices.contains(section.link) else { continue }
            let symbols = contents(of: section)
            let strings = contents(of: sections[section.link])
            guard strings.last == 0 else { continue }
            strings.withUnsafeBytes { strings in
                symbols.withUnsafeBytes { symbols in
                    var start = 0
                    while start + Self.symbolBytes <= symbols.count {
                        let offset = Int(symbols.loadUnaligned(fromByteOffset: start, as: UInt32.self))
                        let info = symbols[start + 4]
                        let index = symbols.loadUnaligned(fromByteOffset: start + 6, as: UInt16.self)
                        start += Self.symbolBytes
                        guard offset > 0, offset < strings.count else { continue }
                        // The table's last byte is zero, so every name ends.
                        let start = strings.baseAddress! + offset
                        let name = UnsafeRawBufferPointer(
                            start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))
                        if !body(name, info & 0xf, index != 0) { return }
                    }
                }
            }
        }
    }

    /// Those of `names` that a symbol table has, defined here or not.
    package func symbols(among names: [String], in table: SymbolTable, defined: Bool) -> Set<String> {
        let wanted = Dictionary(grouping: names.map { Array($0.utf8) }) { $0.count }
        var found: Set<String> = []
        forEachSymbol(in: table) { name, _, isDefined in
            if isDefined == defined, let candidates = wanted[name.count],
                let hit = candidates.first(where: { name.elementsEqual($0) })
            {
                found.insert(String(decoding: hit, as: UTF8.self))
            }
            return found.count < names.count
        }
        return found
    }
}
