// The tunables of this machine's C library. One that it does not have it passes over without a word, and the row would be
// another's.

internal import Symbolication

/// What may be set in `GLIBC_TUNABLES`.
enum Tunables {
    static let variable = "GLIBC_TUNABLES"
    static let loader = "/lib64/ld-linux-x86-64.so.2"
    private static let mostBytes = 64 << 20

    /// The first name in a value, `NAME=VALUE` separated by colons, that the C library does not have; nil where there is none
    /// or the library cannot be read.
    static func unknown(in value: String) -> String? {
        let names = value.split(separator: ":").map { String($0.prefix { $0 != "=" }) }
        guard !names.isEmpty, let bytes = FileProbe.contents(of: loader, limit: mostBytes) else { return nil }
        // The loader holds the names as text; a part of a longer one is none.
        return names.first { !ByteSearch.contains("\0\($0)\0", in: bytes) }
    }
}
