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

    /// One symbol, as long as `forEachSymbol` shows it.
    package struct Symbol {
        package let name: UnsafeRawBufferPointer
        /// `STT_…`.
        package let type: UInt8
        /// Whether it is defined in this file.
        package let isDefined: Bool
        package let address: UInt64
        package let bytes: UInt64

        /// Whether it is a function of this file.
        package var isFunction: Bool { isDefined && (type == 2 || type == 10) }
    }

    /// Calls `body` with each named symbol until it returns false.
    ///
    /// - Complexity: one pass; reads the table and its strings at once.
    package func forEachSymbol(in table: SymbolTable, _ body: (Symbol) -> Bool) {
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
                        let address = symbols.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
                        let bytes = symbols.loadUnaligned(fromByteOffset: start + 16, as: UInt64.self)
                        start += Self.symbolBytes
                        guard offset > 0, offset < strings.count else { continue }
                        // The table's last byte is zero, so every name ends.
                        let start = strings.baseAddress! + offset
                        let name = UnsafeRawBufferPointer(
                            start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))
                        let symbol = Symbol(
                            name: name, type: info & 0xf, isDefined: index != 0, address: address, bytes: bytes)
                        if !body(symbol) { return }
                    }
                }
            }
        }
    }

    /// Those of `names` that a symbol table has, defined here or not.
    package func symbols(among names: [String], in table: SymbolTable, defined: Bool) -> Set<String> {
        let wanted = Dictionary(grouping: names.map { Array($0.utf8) }) { $0.count }
        var found: Set<String> = []
        forEachSymbol(in: table) { symbol in
            if symbol.isDefined == defined, let candidates = wanted[symbol.name.count],
                let hit = candidates.first(where: { symbol.name.elementsEqual($0) })
            {
                found.insert(String(decoding: hit, as: UTF8.self))
            }
            return found.count < names.count
        }
        return found
    }
}
