// Which languages a file's code was written in: what its debug information declares, else what compilers leave behind
// even in stripped files.

internal import Glibc

/// Signs of languages in one ELF file.
struct LanguageEvidence {
    private var isSwift: Bool
    private var isRust: Bool
    private var isCxx: Bool
    private let isGo: Bool

    private static let largestSearchedBytes: UInt64 = 256 << 20
    private static let rustSymbols = ["rust_eh_personality", "rust_begin_unwind", "rust_panic"].map { Array($0.utf8) }
    private static let cxxSymbols = ["__gxx_personality_v0", "__cxa_throw", "_Znwm"].map { Array($0.utf8) }

    /// Looks at the sections and the needed libraries.
    init(of file: ELFFile) {
        let needed = file.dynamic?.needed ?? []
        isSwift = file.sections.contains { $0.name.hasPrefix("swift5_") } || needed.contains("libswiftCore.so")
        isCxx = needed.contains { $0.hasPrefix("libstdc++.so") || $0.hasPrefix("libc++.so") }
        isGo = file.hasGoBuildID
        isRust = needed.contains { $0.hasPrefix("libstd-") }
        if !isRust { isRust = Self.contains("rustc version", in: ".comment", of: file) }
        // The places of panics: they stay when everything else is stripped.
        if !isRust { isRust = Self.contains("/rustc/", in: ".rodata", of: file) }
    }

    private static func contains(_ text: String, in section: String, of file: ELFFile) -> Bool {
        guard let section = file.section(section), section.bytes < largestSearchedBytes else { return false }
        return ByteSearch.contains(text, in: file.contents(of: section))
    }

    /// Looks at one symbol.
    mutating func note(symbol name: UnsafeRawBufferPointer) {
        guard let first = name.first, first == UInt8(ascii: "_") || first == UInt8(ascii: "r") else { return }
        if !isRust, Self.rustSymbols.contains(where: { name.elementsEqual($0) }) { isRust = true }
        if !isCxx, Self.cxxSymbols.contains(where: { name.elementsEqual($0) }) { isCxx = true }
    }

    /// The languages by their usual names, those that were declared (`DW_AT_language`) first; C only where no other shows.
    func languages(declared codes: [UInt32]) -> [String] {
        var result: [String] = []
        func add(_ name: String, if condition: Bool = true) {
            if condition, !result.contains(name) { result.append(name) }
        }
        add("go", if: isGo || codes.contains(0x16))
        add("swift", if: isSwift)
        add("rust", if: isRust)
        for code in codes {
            let language = SourceLanguage(dwarfCode: code)
            add(language.rawValue, if: language != .unknown && language != .c)
        }
        // A Rust or Swift program has these symbols through the unwinder and its runtime.
        add("c++", if: isCxx && result.isEmpty)
        add("c", if: result.isEmpty)
        return result
    }
}

/// Looking for a text among bytes.
package enum ByteSearch {
    /// Whether `text` stands somewhere in `bytes`.
    package static func contains(_ text: String, in bytes: [UInt8]) -> Bool {
        let needle = Array(text.utf8)
        guard let first = needle.first else { return true }
        return bytes.withUnsafeBytes { haystack in
            guard let base = haystack.baseAddress else { return false }
            var offset = 0
            while offset + needle.count <= haystack.count {
                let room = haystack.count - needle.count + 1 - offset
                guard let hit = memchr(base + offset, Int32(first), room) else { return false }
                if memcmp(hit, needle, needle.count) == 0 { return true }
                offset = UnsafeRawPointer(hit) - base + 1
            }
            return false
        }
    }
}
