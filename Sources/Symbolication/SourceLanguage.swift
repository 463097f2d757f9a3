// The languages whose names and types are spelled differently, and the DWARF codes that stand for them.

/// The language a function was written in.
public enum SourceLanguage: String, Sendable {
    case swift
    case rust
    case cxx = "c++"
    case c
    case unknown

    /// The language of a DW_AT_language code (DWARF 5, table 7.17, and its registered extensions), or `unknown`.
    init(dwarfCode: UInt32) {
        switch dwarfCode {
        case 0x1e: self = .swift
        case 0x1c, 0x9000: self = .rust
        case 0x04, 0x1a, 0x21, 0x2a, 0x2b, 0x3a: self = .cxx
        case 0x01, 0x02, 0x0c, 0x1d, 0x2c, 0x3e: self = .c
        default: self = .unknown
        }
    }
}
