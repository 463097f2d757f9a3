// Sizes on the command line: bytes, or a number with KiB, MiB or GiB behind it.
internal import ArgumentParser

/// A size given as an argument.
struct ByteCount: ExpressibleByArgument, Equatable {
    /// The most that is taken for a size: 1 TiB.
    static let largest: UInt64 = 1 << 40

    /// The size in bytes, from 1 to ``largest``.
    let bytes: UInt64

    /// Parses `512KiB`, `4096` and the like; nil for what is no size, for 0 and for more than ``largest``.
    init?(argument: String) {
        let units: [(String, UInt64)] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("", 0)]
        guard let (unit, shift) = units.first(where: { argument.hasSuffix($0.0) }) else { return nil }
        let digits = argument.dropLast(unit.count)
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = UInt64(digits),
            number > 0, number <= Self.largest >> shift
        else { return nil }
        bytes = number << shift
    }
}
