// The rule tables that every analysis starts with: the files of Rules/, which the build embeds in the library.

/// The built-in rule tables, as text.
enum BuiltInRules {
    /// The tables, in the order in which they are read.
    static var tables: [String] {
        [
            PackageResources.rust_rules, PackageResources.cxx_rules, PackageResources.swift_rules,
            PackageResources.c_rules,
        ].map { String(decoding: $0, as: UTF8.self) }
    }
}
