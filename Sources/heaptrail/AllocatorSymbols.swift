// Whether an executable brings an allocator of its own: a defined malloc in its symbol tables comes before every preload, and the prefixed entries that Rust's and C's
// global allocators call are never looked up at all. Reading the two tables is enough; a stripped executable still shows what it exports.
import Foundation

enum AllocatorSymbols {
    private static let telling: Set<String> = [
        "malloc", "_rjem_malloc", "_rjem_mallocx", "je_malloc", "je_mallocx", "mi_malloc", "mi_malloc_aligned",
        "tc_malloc",
    ]

    /// The allocator entries that the ELF file at `path` defines, as text; nil when there are none or the file cannot be read.
    /// Complexity: O(symbols).
    static func definedInside(_ path: String) -> String? {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped), data.count >= 64
        else { return nil }
        let found = data.withUnsafeBytes { names(in: $0) }
        return found.isEmpty ? nil : found.sorted().joined(separator: ", ")
    }

    private static func names(in bytes: UnsafeRawBufferPointer) -> Set<String> {
        func integer<T: FixedWidthInteger>(_ offset: Int, as type: T.Type) -> Int? {
            guard offset >= 0, offset <= bytes.count - MemoryLayout<T>.size else { return nil }
            return Int(exactly: bytes.loadUnaligned(fromByteOffset: offset, as: type))
        }
        var found: Set<String> = []
        guard let table = integer(40, as: UInt64.self), let size = integer(58, as: UInt16.self),
            let count = integer(60, as: UInt16.self), size >= 64
        else { return found }
        for index in 0..<count {
            let section = table + index * size
            guard let kind = integer(section + 4, as: UInt32.self), kind == 2 || kind == 11,  // SHT_SYMTAB, SHT_DYNSYM
                let start = integer(section + 24, as: UInt64.self), let length = integer(section + 32, as: UInt64.self),
                let link = integer(section + 40, as: UInt32.self),
                let text = integer(table + link * size + 24, as: UInt64.self),
                start <= bytes.count, length <= bytes.count - start
            else { continue }
            for symbol in stride(from: start, to: start + length - 23, by: 24) {
                // Defined (section index not 0) functions alone.
                guard bytes[symbol + 4] & 15 == 2, integer(symbol + 6, as: UInt16.self) != 0,
                    let name = integer(symbol, as: UInt32.self)
                else { continue }
                let at = text + name
                guard at >= 0, at < bytes.count else { continue }
                let rest = bytes[at..<min(at + 24, bytes.count)]
                guard let end = rest.firstIndex(of: 0), end > at else { continue }
                let found24 = String(decoding: rest[at..<end], as: UTF8.self)
                if telling.contains(found24) { found.insert(found24) }
            }
        }
        return found
    }
}
