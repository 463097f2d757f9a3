// From a linker's symbol to the name its author wrote: which scheme it is, and that scheme's demangler.
//
// Parameters' types and return types are left out, for they repeat what the name says; template and generic arguments
// stay, for they name what is owned.

/// Turns linkage names into the spelling of their language.
public enum Demangler {
    /// Demangles a symbol; a name of no known scheme comes back as it is (without a compiler's clone suffix) as C's.
    ///
    /// Swift: `Array.append(_:)`, user modules kept, the standard library's dropped. Rust: legacy and v0, without the
    /// hash. C++: `std::vector<int>::push_back`, without parameters.
    public static func demangle(_ raw: String) -> (name: String, language: SourceLanguage) {
        let symbol = withoutCloneSuffix(raw)
        switch scheme(of: symbol) {
        case .swift: return (SwiftName.simplified(symbol) ?? raw, .swift)
        case .rust:
            if let name = ItaniumDemangler.rust(symbol) { return (name, .rust) }
            return (raw, .rust)
        case .cxx:
            if let name = ItaniumDemangler.cxx(symbol) { return (closingBracketsJoined(name), .cxx) }
            return (raw, .cxx)
        case .c, .unknown: return (symbol, .c)
        }
    }

    /// Whether a name is mangled by any known scheme.
    static func isMangled(_ raw: String) -> Bool { scheme(of: raw) != .c }

    /// The types a Swift generic specialization was made for, such as `["Int"]`; empty when it is none.
    static func swiftSpecializationArguments(_ raw: String) -> [String] {
        SwiftName.specializationArguments(withoutCloneSuffix(raw))
    }

    private static func scheme(of symbol: String) -> SourceLanguage {
        let bytes = Array(symbol.utf8.prefix(4))
        func starts(_ prefix: StaticString) -> Bool {
            prefix.withUTF8Buffer { bytes.starts(with: $0) }
        }
        if starts("$s") || starts("_$s") || starts("$S") || starts("_$S") || starts("$e") || starts("_$e")
            || starts("_T0") || symbol.hasPrefix("@__swiftmacro_")
        {
            return .swift
        }
        if starts("_R"), bytes.count > 2, isUppercaseOrDigit(bytes[2]) { return .rust }
        if starts("_ZN"), hasRustHash(symbol) { return .rust }
        if starts("_Z") || symbol.hasPrefix("___Z") { return .cxx }
        return .c
    }

    private static func isUppercaseOrDigit(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
    }

    /// Whether a legacy name ends in `17h` and sixteen hexadecimal digits.
    private static func hasRustHash(_ symbol: String) -> Bool {
        let tail = Array(withoutCloneSuffix(symbol).utf8.suffix(20))
        guard tail.count == 20, tail.starts(with: "17h".utf8), tail[19] == UInt8(ascii: "E") else { return false }
        return tail[3..<19].allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private static let cloneSuffixes: [[UInt8]] = [
        ".llvm.", ".cold", ".part.", ".isra.", ".constprop.", ".lto_priv.", ".localalias", ".resume", ".destroy",
        ".cleanup",
    ].map { Array($0.utf8) }

    /// Drops what compilers and linkers append to a function they split or copied, and a symbol version. O(bytes).
    private static func withoutCloneSuffix(_ raw: String) -> String {
        guard raw.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "@") }) else { return raw }
        let bytes = Array(raw.utf8)
        var end = bytes.count
        let hasVersion = bytes[0] != UInt8(ascii: "@")
        for place in bytes.indices.dropFirst() {
            if bytes[place] == UInt8(ascii: "@"), hasVersion {
                end = place
                break
            }
            if bytes[place] == UInt8(ascii: "."), cloneSuffixes.contains(where: bytes[place...].starts(with:)) {
                end = place
                break
            }
        }
        // Copies are numbered: `f.153`.
        while let dot = bytes[..<end].lastIndex(of: UInt8(ascii: ".")), dot > 0, dot + 1 < end,
            bytes[(dot + 1)..<end].allSatisfy({ (0x30...0x39).contains($0) })
        {
            end = dot
        }
        return end == bytes.count ? raw : String(decoding: bytes[..<end], as: UTF8.self)
    }

    /// Writes nested template arguments as `a<b<c>>`, the spelling since C++11.
    static func closingBracketsJoined(_ name: String) -> String {
        guard name.utf8.contains(UInt8(ascii: ">")) else { return name }
        var result: [UInt8] = []
        for byte in name.utf8 {
            if byte == UInt8(ascii: ">"), result.suffix(2) == [UInt8(ascii: ">"), UInt8(ascii: " ")] {
                result.removeLast()
            }
            result.append(byte)
        }
        return String(decoding: result, as: UTF8.self)
    }
}
