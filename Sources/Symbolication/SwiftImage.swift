// The bytes of an ELF file as Swift's metadata sees them: relative references, pointers that the loader fills, texts. Everything is read as it lies
// in the file, at the file's own addresses; nothing outside its segments is believed.

/// An ELF file from which Swift's metadata is read.
final class SwiftImage {
    /// Where a reference leads.
    enum Target {
        /// An address of this file.
        case address(UInt64)
        /// A symbol of another file, which the loader binds.
        case symbol(String)
    }

    private let file: ELFFile
    private var relocations: Relocations?

    init(file: ELFFile) { self.file = file }

    /// A little-endian number of four bytes.
    func word(at address: UInt64) -> UInt32? {
        guard let bytes = file.bytes(at: address, count: 4) else { return nil }
        return UInt32(truncatingIfNeeded: Window(bytes).word(0, 4))
    }

    /// Consecutive numbers of four bytes.
    func words(at address: UInt64, count: Int) -> [UInt32]? {
        guard let bytes = file.bytes(at: address, count: UInt64(count) * 4) else { return nil }
        let window = Window(bytes)
        return (0..<count).map { UInt32(truncatingIfNeeded: window.word($0 * 4, 4)) }
    }

    /// Bytes up to the first zero, at most `limit`.
    func bytes(at address: UInt64, limit: Int) -> [UInt8]? {
        var result: [UInt8] = []
        while result.count < limit {
            let here = address &+ UInt64(result.count)
            guard let piece = file.bytes(at: here, count: 32) ?? file.bytes(at: here, count: 1) else { return nil }
            if let end = piece.firstIndex(of: 0) { return result + piece[..<end] }
            result += piece
        }
        return nil
    }

    /// A text of an identifier's length that is well-formed UTF-8 and printable.
    func name(at address: UInt64) -> String? {
        guard let bytes = bytes(at: address, limit: 1024), !bytes.isEmpty,
            let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else { return nil }
        return text
    }

    /// A mangled type: references in it hold zeros, so it ends at the first zero outside one.
    func mangledText(at address: UInt64) -> [UInt8]? {
        var result: [UInt8] = []
        while result.count < SwiftMangling.longestText {
            guard let byte = file.bytes(at: address &+ UInt64(result.count), count: 1)?[0] else { return nil }
            if byte == 0 { return result }
            result.append(byte)
            guard (0x01...0x1F).contains(byte) else { continue }
            let count: UInt64 = byte < 0x18 ? 4 : 8
            guard let more = file.bytes(at: address &+ UInt64(result.count), count: count) else { return nil }
            result += more
        }
        return nil
    }

    /// The address that a relative reference at `address` means; nil for one that means nothing.
    func relative(at address: UInt64) -> UInt64? {
        guard let offset = word(at: address), offset != 0 else { return nil }
        return address &+ UInt64(bitPattern: Int64(Int32(bitPattern: offset)))
    }

    /// What a relative reference means whose lowest bit says that it leads to a pointer.
    func relativeIndirectable(at address: UInt64) -> Target? {
        guard let target = relative(at: address) else { return nil }
        // The field is aligned to 4 bytes, so the bit is that of the offset.
        return target & 1 == 0 ? .address(target) : pointer(at: target & ~1)
    }

    /// What the pointer at `address` leads to once the loader has filled it.
    func pointer(at address: UInt64) -> Target? {
        if relocations == nil { relocations = Relocations(file) }
        if let target = relocations?.target(at: address) { return target }
        guard let bytes = file.bytes(at: address, count: 8) else { return nil }
        let value = Window(bytes).word(0, 8)
        return value == 0 ? nil : .address(value)
    }

    /// Address and bytes of the sections of this name.
    func sections(_ name: String) -> [(address: UInt64, bytes: UInt64)] {
        file.sections.filter { $0.name == name && $0.isPresent }.map { ($0.address, $0.bytes) }
    }

    /// The builtin types whose metadata has a symbol here (`$sBi64_N`), by address.
    func builtinTypes() -> [UInt64: SwiftType] {
        var found: [UInt64: SwiftType] = [:]
        for table in [ELFFile.SymbolTable.dynamic, .full] where found.isEmpty {
            file.forEachSymbol(in: table) { symbol in
                let name = symbol.name
                guard symbol.isDefined, name.count > 4, name.starts(with: "$sB".utf8), name.last == UInt8(ascii: "N")
                else { return true }
                found[symbol.address] = SwiftMangling.type(of: Array(name.dropFirst(2).dropLast()))
                return true
            }
        }
        return found
    }

    /// Calls `body` with each name of a function of this file.
    func forEachFunctionName(_ body: (UnsafeRawBufferPointer) -> Void) {
        file.forEachSymbol(in: .full) { symbol in
            if symbol.isFunction { body(symbol.name) }
            return true
        }
    }
}

/// What the loader writes into a file's pointers.
private struct Relocations {
    private static let longestTable: UInt64 = 256 << 20
    private static let tableType: UInt32 = 4

    /// Addresses, ascending, and with each what stands there: an address, or a symbol's number.
    private var entries: [(address: UInt64, symbol: UInt32, addend: UInt64)] = []
    private var symbols = Window([])
    private var names = Window([])

    init(_ file: ELFFile) {
        for section in file.sections
        where section.type == Self.tableType && section.isPresent && section.bytes <= Self.longestTable {
            guard section.name != ".rela.plt" else { continue }
            let bytes = file.contents(of: section)
            bytes.withUnsafeBytes { table in
                entries.reserveCapacity(entries.count + table.count / 24)
                for start in stride(from: 0, to: table.count - table.count % 24, by: 24) {
                    let info = table.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
                    entries.append(
                        (
                            table.loadUnaligned(fromByteOffset: start, as: UInt64.self), UInt32(info >> 32),
                            table.loadUnaligned(fromByteOffset: start + 16, as: UInt64.self)
                        ))
                }
            }
            if symbols.count == 0, file.sections.indices.contains(section.link) {
                let table = file.sections[section.link]
                symbols = Window(file.contents(of: table))
                if file.sections.indices.contains(table.link) {
                    names = Window(file.contents(of: file.sections[table.link]))
                }
            }
        }
        entries.sort { $0.address < $1.address }
    }

    /// What the pointer at `address` holds once it is relocated; nil without a relocation.
    func target(at address: UInt64) -> SwiftImage.Target? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].address < address { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].address == address else { return nil }
        let entry = entries[low]
        if entry.symbol == 0 { return .address(entry.addend) }
        let start = Int(entry.symbol) * 24
        let value = symbols.word(start + 8, 8)
        // Defined in this file: another may take its place, but it is the same type.
        if symbols.word(start + 6, 2) != 0, value != 0 { return .address(value &+ entry.addend) }
        let name = names.string(Int(symbols.word(start, 4)))
        return name.isEmpty ? nil : .symbol(name)
    }
}
