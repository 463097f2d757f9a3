// What lies at an address of an ELF file's image, read from the file: for tests that check what a recorder says of a
// program's constants.

internal import Foundation
internal import TestSupport

/// The loaded segments of a file.
struct ElfBytes {
    private let bytes: [UInt8]
    private var segments: [(address: UInt64, offset: UInt64, count: UInt64)] = []

    init(_ path: String) throws {
        bytes = try Array(Data(contentsOf: URL(fileURLWithPath: path)))
        let first = try Int(word(at: 32)), count = try Int(word(at: 56) & 0xFFFF)
        for row in 0..<count {
            let header = first + row * 56
            // PT_LOAD
            guard try word(at: header) & 0xFFFF_FFFF == 1 else { continue }
            segments.append((try word(at: header + 16), try word(at: header + 8), try word(at: header + 32)))
        }
    }

    private func word(at offset: Int) throws -> UInt64 {
        guard offset >= 0, offset + 8 <= bytes.count else {
            throw TestSupportError("offset \(offset) is not in the file")
        }
        return bytes[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private func offset(of address: UInt64) throws -> Int {
        guard let segment = segments.first(where: { address >= $0.address && address - $0.address < $0.count }) else {
            throw TestSupportError("address \(address) is not in the file")
        }
        return Int(address - segment.address + segment.offset)
    }

    /// The 32-bit number at an address of the image.
    func int32(at address: UInt64) throws -> Int32 {
        let start = try offset(of: address)
        return Int32(truncatingIfNeeded: bytes[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    /// The text at an address of the image, up to its NUL.
    func text(at address: UInt64) throws -> String {
        let start = try offset(of: address)
        return String(decoding: bytes[start...].prefix { $0 != 0 }, as: UTF8.self)
    }
}
