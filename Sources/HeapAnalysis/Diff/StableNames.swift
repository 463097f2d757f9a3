// What of a name survives a rebuild. Compilers number what has no name of its own and split functions in parts; paths carry folders and versions.
// Two recordings are matched by what is left:
//
//   parse.constprop.0, parse.part.1, parse.llvm.4711, parse.cold, parse [clone .isra.0]    parse
//   app::parse::h0123456789abcdef                          app::parse (the hash of Rust's older mangling)
//   {closure#2}, {{closure}}, {lambda(int)#1}, $_3         {closure}, {closure}, {lambda(int)}, $_
//   closure #1 in f, g #2 in f                             closure in f, g in f
//   (unknown context at $10a4c)                            (unknown context)
//   /build/7/src/parse.c, /opt/lib/libz.so.1.3             parse.c, libz.so
//
// So the closures of one function are one: their numbers move when one is added. Where the two executables have different names, what is called by the
// executable's name (`app: parse`, `app.Point`, `app::parse`) is called by the new one's. The address of a function without a name stays: nothing else tells it.

/// Names as they are matched, remembered.
struct StableNames {
    private let numberedPart = /\.(?:constprop|isra|part|lto_priv|llvm|cold|localalias)\.[0-9]+(?![A-Za-z0-9_])/
    private let lastPart = /\.(?:cold|localalias)$/
    private let cloneNote = /\ \[clone [^\]]*\]/
    private let rustHash = /::h[0-9a-f]{16}(?![A-Za-z0-9_])/
    private let bracedNumber = /#[0-9]+(?=\})/
    private let wordNumber = /\ #[0-9]+(?![A-Za-z0-9_])/
    private let clangNumber = /\$_[0-9]+/
    private let contextAddress = /\ at \$[0-9a-f]+(?=\))/
    private let doubledBraces = /\{(\{[^{}]*\})\}/

    /// The executable's name as it stands before names of its own, and what stands there in the other recording.
    private let renamed: (from: [String], to: String)?
    /// Names that were asked for, and what they are matched by.
    private(set) var known: [String: String] = [:]

    /// Names of a recording of one executable, to be matched with those of another.
    /// - Parameters:
    ///   - executable: the path of the recording's executable.
    ///   - other: the path of the executable whose name to use.
    init(executable: String? = nil, as other: String? = nil) {
        let from = executable.map { Self.stem(of: $0) } ?? ""
        let to = other.map { Self.stem(of: $0) } ?? ""
        // Rust's crates and Swift's modules have an underscore where a file has a hyphen.
        renamed = from.isEmpty || to.isEmpty || from == to ? nil : ([from, from.replacing("-", with: "_")], to)
    }

    /// The name without what another build may change. O(length) the first time.
    mutating func normalised(_ name: String) -> String {
        if let known = known[name] { return known }
        var text = name
        // A pattern costs microseconds and few names hold anything for one, so what each begins with is looked for first.
        let marks = Self.marks(in: name)
        if marks.contains(.part) {
            text.replace(numberedPart, with: "")
            text.replace(lastPart, with: "")
        }
        if marks.contains(.bracket) { text.replace(cloneNote, with: "") }
        if marks.contains(.rustHash) { text.replace(rustHash, with: "") }
        if marks.contains(.number) {
            text.replace(bracedNumber, with: "")
            text.replace(wordNumber, with: "")
        }
        if marks.contains(.dollar) {
            text.replace(clangNumber, with: "$_")
            text.replace(contextAddress, with: "")
        }
        if marks.contains(.doubledBrace) { text.replace(doubledBraces) { $0.output.1 } }
        if let renamed { text = Self.renaming(text, renamed.from, renamed.to) }
        known[name] = text
        return text
    }

    /// What a name may hold of the patterns.
    private struct Marks: OptionSet {
        let rawValue: UInt8
        static let part = Marks(rawValue: 1)
        static let bracket = Marks(rawValue: 2)
        static let rustHash = Marks(rawValue: 4)
        static let number = Marks(rawValue: 8)
        static let dollar = Marks(rawValue: 16)
        static let doubledBrace = Marks(rawValue: 32)
    }

    /// The words that follow the dot of a split function.
    private static let parts = ["constprop", "isra", "part", "lto_priv", "llvm", "cold", "localalias"].map {
        Array($0.utf8)
    }

    private static func marks(in name: String) -> Marks {
        var name = name
        return name.withUTF8 { bytes in
            var marks: Marks = []
            for (index, byte) in bytes.enumerated() {
                let next = index + 1 < bytes.count ? bytes[index + 1] : 0
                switch byte {
                case UInt8(ascii: "."):
                    if parts.contains(where: { bytes[(index + 1)...].starts(with: $0) }) { marks.insert(.part) }
                case UInt8(ascii: "["): marks.insert(.bracket)
                case UInt8(ascii: "#"): if (0x30...0x39).contains(next) { marks.insert(.number) }
                case UInt8(ascii: "$"): marks.insert(.dollar)
                case UInt8(ascii: "{"): if next == byte { marks.insert(.doubledBrace) }
                case UInt8(ascii: ":"): if bytes[index...].starts(with: ":h".utf8) { marks.insert(.rustHash) }
                default: break
                }
            }
            return marks
        }
    }

    /// The last component of a path.
    static func file(_ path: String) -> String {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.utf8.index(after: $0)...]) } ?? path
    }

    /// A library's file without its version.
    static func library(_ path: String) -> String {
        let name = file(path)
        guard let suffix = name.firstRange(of: ".so.") else { return name }
        return name[..<suffix.lowerBound] + ".so"
    }

    private static func stem(of path: String) -> String {
        let name = file(path)
        return name.firstIndex(of: ".").map { $0 > name.startIndex ? String(name[..<$0]) : name } ?? name
    }

    /// The text with the word `from` replaced where it stands before `.`, `:` or is all there is.
    private static func renaming(_ text: String, _ from: [String], _ to: String) -> String {
        if from.contains(text), text != "main" { return to }
        guard let word = from.first(where: { text.contains($0) }) else { return text }
        var result = ""
        var rest = text[...]
        while let found = rest.firstRange(of: word) {
            let before = rest[..<found.lowerBound].last ?? result.last
            let isWord = !(before.map(isPartOfName) ?? false)
            let isQualifier = found.upperBound < rest.endIndex && ".:".contains(rest[found.upperBound])
            result += rest[..<found.lowerBound]
            result += isWord && isQualifier ? to : word
            rest = rest[found.upperBound...]
        }
        return result + rest
    }

    private static func isPartOfName(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "." || character == ":"
    }
}
