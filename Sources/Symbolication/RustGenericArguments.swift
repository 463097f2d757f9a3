// The generic arguments that rustc writes into DW_AT_name, as in `to_mut<str>`.

/// Rust's own spelling of generic arguments.
enum RustGenericArguments {
    /// The type arguments in a function's DWARF name, or `types` where the two do not tell of the same parameters.
    ///
    /// rustc describes an unsized argument by the type of its elements (`str` and `[u8]` both as `u8`), but spells it
    /// out in the name. The name lists constant arguments too, which `types` leaves out. With line tables alone there
    /// are no types, and the name says it all.
    static func spelled(in name: String, orElse types: [String]) -> [String] {
        let text = Array(name.utf8)
        guard text.last == UInt8(ascii: ">"), let open = BracketedText.opening(of: text.count - 1, in: text) else {
            return types
        }
        let arguments = BracketedText.split(Array(text[(open + 1)..<(text.count - 1)]), at: ", ")
            .map { BracketedText.string($0) }
            .filter { !isConstant($0) }
        return types.isEmpty || arguments.count == types.count ? arguments : types
    }

    private static func isConstant(_ argument: String) -> Bool {
        guard let first = argument.first else { return true }
        return first.isNumber || first == "-" || first == "'" || first == "{" || argument == "true"
            || argument == "false"
    }
}
