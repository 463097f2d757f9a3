// An allocator to run a program on, and how one is written on the command line: a name or path, and the variables that set
// its options.

/// A variable of a program's environment.
public struct EnvironmentVariable: Equatable, Sendable {
    /// Its name.
    public let name: String
    /// Its value.
    public let value: String

    /// Pairs a name with a value.
    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// An allocator to run a program on.
public struct Allocator: Equatable, Sendable {
    /// What it was asked for by: `glibc`, `jemalloc`, a path, `jemalloc:MALLOC_CONF=narenas:1`.
    public let name: String
    /// The library to preload; nil for the system's own allocator.
    public let libraryPath: String?
    /// What is set in the program's environment besides.
    public let variables: [EnvironmentVariable]

    /// The C library's allocator, which needs no preload.
    public static let system = Allocator(name: "glibc", libraryPath: nil)

    /// Pairs a name with its library and options.
    public init(name: String, libraryPath: String?, variables: [EnvironmentVariable] = []) {
        self.name = name
        self.libraryPath = libraryPath
        self.variables = variables
    }

    /// An environment with the allocator's library first among the preloads, the user's own behind it, and its variables
    /// in place of others of their names.
    public func environment(over environment: [ByteString]) -> [ByteString] {
        let replaced = variables.map { $0.name + "=" }
        var result = environment.filter { entry in !replaced.contains { entry.dropping(prefix: $0) != nil } }
        result += variables.map { ByteString("\($0.name)=\($0.value)") }
        guard let library = libraryPath else { return result }
        let key = "LD_PRELOAD="
        let own = result.lazy.compactMap { $0.dropping(prefix: key) }.first ?? []
        result.removeAll { $0.dropping(prefix: key) != nil }
        let blank: [UInt8] = own.isEmpty ? [] : [UInt8(ascii: " ")]
        return result + [ByteString(bytes: Array((key + library).utf8) + blank + own)]
    }
}

/// Allocators as they are typed.
///
/// One is `NAME`, or `NAME:VARIABLE=VALUE` with further variables behind blanks: `glibc:MALLOC_ARENA_MAX=1
/// MALLOC_TOP_PAD_=0`. In a list they are separated by commas; a comma within a value is written `\,`, or as it is
/// where what follows it is plainly no allocator (`jemalloc:MALLOC_CONF=narenas:1,dirty_decay_ms:0`). A blank within a
/// value is written `\ `.
public enum AllocatorList {
    /// The items of a list separated by commas; a backslash stays where it is.
    public static func items(of list: String) -> [String] {
        var items: [String] = []
        for piece in split(list, at: ",") where !piece.isEmpty {
            if let last = items.last, last.contains("="), continuesValue(piece) {
                items[items.count - 1] = last + "\\," + piece
            } else {
                items.append(piece)
            }
        }
        return items
    }

    /// Finds the allocator that an item names.
    ///
    /// - Throws: `AllocatorError`, whose description is fit to print.
    public static func resolve(_ item: String, in catalogue: AllocatorCatalogue) throws(AllocatorError) -> Allocator {
        // A simulated one's name has a colon of its own.
        if item.hasPrefix("sim:") { throw .unknown(item) }
        guard let colon = item.firstIndex(of: ":") else { return try catalogue.resolve(item) }
        let found = try catalogue.resolve(String(item[..<colon]))
        var variables: [EnvironmentVariable] = []
        for assignment in split(String(item[item.index(after: colon)...]), at: " ") where !assignment.isEmpty {
            let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, isVariable(parts[0]) else {
                throw .malformed(item, reason: "'\(assignment)' is not VARIABLE=VALUE")
            }
            guard parts[0] != "LD_PRELOAD" else {
                throw .malformed(item, reason: "LD_PRELOAD is what chooses the allocator")
            }
            let variable = EnvironmentVariable(name: String(parts[0]), value: unescaped(parts[1]))
            if variable.name == Tunables.variable, let unknown = Tunables.unknown(in: variable.value) {
                throw .unknownTunable(unknown, loader: Tunables.loader)
            }
            variables.append(variable)
        }
        guard !variables.isEmpty else { throw .malformed(item, reason: "no variable after the colon") }
        return Allocator(name: unescaped(item), libraryPath: found.libraryPath, variables: variables)
    }

    /// Splits at a character that no backslash precedes.
    private static func split(_ text: String, at separator: Character) -> [String] {
        var pieces = [""]
        var isEscaped = false
        for character in text {
            if character == separator, !isEscaped {
                pieces.append("")
            } else {
                pieces[pieces.count - 1].append(character)
            }
            isEscaped = character == "\\" && !isEscaped
        }
        return pieces
    }

    /// Takes the backslash from before a comma, a blank and another backslash.
    private static func unescaped(_ text: some StringProtocol) -> String {
        var result = ""
        var isEscaped = false
        for character in text {
            if isEscaped {
                if !", \\".contains(character) { result.append("\\") }
                result.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                result.append(character)
            }
        }
        return isEscaped ? result + "\\" : result
    }

    /// Whether a piece behind a comma goes on with the value before it: `dirty_decay_ms:0` has a colon, sets no variable
    /// and names no allocator.
    private static func continuesValue(_ piece: String) -> Bool {
        guard let colon = piece.firstIndex(of: ":"), !piece.contains("=") else { return false }
        let name = String(piece[..<colon])
        return !AllocatorCatalogue.names.contains(name) && name != "system" && !name.contains("/")
    }

    private static func isVariable(_ name: Substring) -> Bool {
        guard let first = name.first, first.isLetter || first == "_" else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }
}
