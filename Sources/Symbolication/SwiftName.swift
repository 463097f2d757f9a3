// Swift names: the runtime's demangler, and a shorter spelling of what it says.
//
// The demangler answers in full: `generic specialization <Swift.Int> of Swift.Array.append(__owned A) -> ()`. A frame
// wants `specialized Array.append(_:)`: argument labels without types, no return type, no conformance, the standard
// library's and C's module names dropped and every other module kept. Text it does not understand stays as it is.

#if canImport(Glibc)
internal import Glibc
#endif

@_silgen_name("swift_demangle")
private func runtimeDemangle(
    _ name: UnsafePointer<UInt8>?, _ length: Int, _ output: UnsafeMutablePointer<UInt8>?,
    _ outputSize: UnsafeMutablePointer<Int>?, _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

/// The readable form of Swift symbols.
enum SwiftName {
    /// Longest symbol given to the demangler: its output can be much longer than its input.
    private static let longestSymbol = 16_384

    /// What the runtime's demangler says in full, or nil when the symbol is no Swift symbol.
    static func full(_ symbol: String) -> String? {
        guard symbol.utf8.count <= longestSymbol else { return nil }
        var symbol = symbol
        let result = symbol.withUTF8 { runtimeDemangle($0.baseAddress, $0.count, nil, nil, 0) }
        guard let result else { return nil }
        defer { free(result) }
        return String(cString: result)
    }

    /// The short readable form, or nil when the symbol is no Swift symbol.
    static func simplified(_ symbol: String) -> String? {
        full(symbol).map { simplifiedText($0) }
    }

    /// The types of a generic specialization; empty when the symbol is none.
    static func specializationArguments(_ symbol: String) -> [String] {
        full(symbol).map { peeled(Array($0.utf8)).arguments } ?? []
    }

    // MARK: - The short form

    /// The short form of a demangled name; separate from demangling so that it can be tested on text.
    static func simplifiedText(_ full: String) -> String {
        let peeled = peeled(Array(full.utf8))
        var text = peeled.text
        if let suffix = BracketedText.firstRange(of: " with unmangled suffix ", in: text) {
            text.removeSubrange(suffix.lowerBound...)
        }
        let marks =
            (peeled.isPartialApplication ? "partial apply for " : "") + (peeled.isSpecialized ? "specialized " : "")
        if text.starts(with: "reabstraction thunk".utf8) { return marks + "reabstraction thunk" }
        var segments: [String] = []
        for segment in BracketedText.split(text, at: " in ") {
            // Where a conformance stands says nothing about the function.
            if segments.last.map({ $0.hasPrefix("conformance ") || $0.contains("witness table") }) ?? false { break }
            segments.append(SwiftText.shortened(BracketedText.string(withoutTypes(segment))))
        }
        return marks + segments.joined(separator: " in ")
    }

    /// A demangled name without what says how the compiler made the function.
    private struct Peeled {
        var text: [UInt8]
        var arguments: [String] = []
        var isSpecialized = false
        var isPartialApplication = false
    }

    private static func peeled(_ full: [UInt8]) -> Peeled {
        var result = Peeled(text: full)
        while true {
            if let prefix = specializationPrefix(of: result.text) {
                result.isSpecialized = true
                result.text.removeFirst(prefix.length)
                guard prefix.isGeneric, result.arguments.isEmpty else { continue }
                result.arguments = BracketedText.split(prefix.arguments, at: ", ").map { BracketedText.string($0) }
                    .filter { !$0.contains("=") && $0 != "serialized" && $0 != "preserving fragile attribute" }
                    .map { SwiftText.shortened($0) }
            } else if result.text.starts(with: "merged ".utf8) {
                result.text.removeFirst("merged ".utf8.count)
            } else if result.text.starts(with: "partial apply forwarder for ".utf8) {
                result.text.removeFirst("partial apply forwarder for ".utf8.count)
                result.isPartialApplication = true
            } else if result.text.first == UInt8(ascii: "("),
                let resume = BracketedText.firstRange(
                    of: " resume partial function for ", in: Array(result.text.prefix(64)))
            {
                // The parts an async function is split into, `(1) await resume partial function for f()`.
                result.text.removeFirst(resume.upperBound)
            } else {
                return result
            }
        }
    }

    private struct SpecializationPrefix {
        var arguments: [UInt8]
        var length: Int
        var isGeneric: Bool
    }

    /// `… specialization <arguments> of ` at the start of a demangled name.
    private static func specializationPrefix(of text: [UInt8]) -> SpecializationPrefix? {
        let kinds: [(start: String, isGeneric: Bool)] = [
            ("generic specialization <", true), ("generic not re-abstracted specialization <", true),
            ("inlined generic function <", true), ("generic pre-specialization <", true),
            ("generic partial specialization <", false), ("generic not-reabstracted partial specialization <", false),
            ("function signature specialization <", false), ("closure specialization <", false),
        ]
        for kind in kinds where text.starts(with: kind.start.utf8) {
            let open = kind.start.utf8.count - 1
            guard let close = BracketedText.closing(of: open, in: text), text[(close + 1)...].starts(with: " of ".utf8)
            else {
                return nil
            }
            return SpecializationPrefix(
                arguments: Array(text[(open + 1)..<close]), length: close + 1 + " of ".utf8.count,
                isGeneric: kind.isGeneric)
        }
        return nil
    }

    /// One declaration without its types: `f<A>(x: Int, B) throws -> C` becomes `f(x:_:)`, `v.getter : T` `v.getter`.
    private static func withoutTypes(_ segment: [UInt8]) -> [UInt8] {
        var segment = segment
        if let type = BracketedText.split(segment, at: " : ").first { segment = type }
        if let closure = BracketedText.firstRange(of: "closure #", in: segment) {
            let number = segment[closure.upperBound...].prefix { (0x30...0x39).contains($0) }
            return Array(segment[..<number.endIndex])
        }
        guard var open = SwiftText.firstParenthesis(in: segment) else { return segment }
        if segment[open - 1] == UInt8(ascii: " ") {
            // `f #1 (x: Int) -> ()` is a local function; other spaces stand before a tuple type.
            if let attribute = segment[..<open].firstIndex(of: UInt8(ascii: "@")), attribute > 0,
                SwiftText.isIdentifier(segment[attribute - 1])
            {
                // `cancel@Sendable () -> ()`
                segment.removeSubrange(attribute..<open)
                open = attribute
                return withLabels(segment, open: open)
            }
            let words = segment[..<(open - 1)].split(separator: UInt8(ascii: " "))
            guard words.last?.first == UInt8(ascii: "#") else { return segment }
            segment.remove(at: open - 1)
            open -= 1
        }
        return withLabels(segment, open: open)
    }

    /// `name<A>(` and what follows, with the parameters' labels only.
    private static func withLabels(_ segment: [UInt8], open: Int) -> [UInt8] {
        guard let close = BracketedText.closing(of: open, in: segment) else { return segment }
        var name = Array(segment[..<open])
        if name.last == UInt8(ascii: ">"), let start = BracketedText.opening(of: name.count - 1, in: name) {
            name.removeSubrange(start...)
        }
        let labels = BracketedText.split(Array(segment[(open + 1)..<close]), at: ",").map { SwiftText.label(of: $0) }
        return name + [UInt8(ascii: "(")] + labels.joined() + [UInt8(ascii: ")")]
    }
}
