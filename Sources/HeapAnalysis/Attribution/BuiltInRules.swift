// The rule tables that every analysis starts with: the files of Rules/, which the build embeds in the library.

/// The built-in rule tables, as text.
public enum BuiltInRules {
    /// The tables, in the order in which they are read.
    public static var tables: [RuleSet.Table] {
        [
            ("rust.rules", PackageResources.rust_rules), ("crates.rules", PackageResources.crates_rules),
            ("cxx.rules", PackageResources.cxx_rules), ("swift.rules", PackageResources.swift_rules),
            ("c.rules", PackageResources.c_rules),
        ].map { RuleSet.Table(file: $0.0, text: String(decoding: $0.1, as: UTF8.self)) }
    }

    /// The suppressions of leaks.
    public static var suppressions: RuleSet.Table {
        RuleSet.Table(
            file: "leaks.suppressions", text: String(decoding: PackageResources.leaks_suppressions, as: UTF8.self))
    }
}
