// The rules as people and programs read them from the tool: an index of the files, a file, single rules.
public import HeapAnalysis

/// What `heaptrail rules` prints.
public struct RuleCatalogue: Sendable {
    private let rules: RuleSet
    private let files: [RuleSet.Table]

    /// The catalogue of a set of rules.
    public init(rules: RuleSet) {
        self.rules = rules
        files = BuiltInRules.tables + [BuiltInRules.suppressions]
    }

    /// Every name that can be asked for: files and rules.
    public var words: [String] { files.map { Self.stem($0.file) } + rules.names }

    /// Whether a name is a file's, a rule's, or the beginning of some rules' names.
    public func has(_ name: String) -> Bool { file(name) != nil || rules.listings.contains { Self.matches($0, name) } }

    /// The files or rules of these names, or without names the files that there are. O(rules).
    public func text(of names: [String], style: TextStyle = TextStyle()) -> String {
        if names.isEmpty { return index(style) }
        var text = ""
        for name in names {
            if let file = file(name) {
                text += file.text
                continue
            }
            for listing in rules.listings where Self.matches(listing, name) {
                text += style.dim("# \(listing.place)") + "\n"
                text += "[\(listing.spelling)] " + FrameText.printable(Self.line(listing)) + "\n"
            }
        }
        return text
    }

    /// The rules of these names, or all, as JSON of schema heaptrail.rules/1. O(rules).
    public func json(of names: [String]) -> String {
        let wanted = rules.listings.filter { listing in
            names.isEmpty
                || names.contains { name in file(name).map { $0.file == listing.file } ?? Self.matches(listing, name) }
        }
        return JSONValue.object([
            ("schema", .string("heaptrail.rules/1")),
            ("rules", .array(wanted.map(\.json))),
        ]).document()
    }

    private func index(_ style: TextStyle) -> String {
        var table = TextTable([
            .init(title: "file", isText: true), .init(title: "frames of", isText: true), .init(title: "rules"),
        ])
        var order: [String] = []
        var listings: [String: [RuleSet.Listing]] = [:]
        for listing in rules.listings {
            if listings[listing.file] == nil { order.append(listing.file) }
            listings[listing.file, default: []].append(listing)
        }
        for file in order {
            let found = listings[file] ?? []
            var spellings: [String] = []
            for listing in found where !spellings.contains(listing.spelling) { spellings.append(listing.spelling) }
            let name = found.first?.isBuiltIn == true ? Self.stem(file) : file
            table.rows.append([
                FrameText.printable(name), spellings.joined(separator: ", "), NumberText.count(found.count),
            ])
        }
        table.rows.append(["leaks", "all", NumberText.count(LeakSuppressions.builtIn.rules.count)])
        let hint = "heaptrail rules rust prints a file, heaptrail rules rust.vec the rules that are called so"
        return (table.lines(style) + ["", style.dim(hint)]).joined(separator: "\n") + "\n"
    }

    private static func stem(_ file: String) -> String {
        for suffix in [".rules", ".suppressions"] where file.hasSuffix(suffix) {
            return String(file.dropLast(suffix.count))
        }
        return file
    }

    private func file(_ name: String) -> RuleSet.Table? {
        files.first { $0.file == name || Self.stem($0.file) == name }
    }

    /// Whether a rule has this name, or one that begins so and goes on behind a dot.
    private static func matches(_ listing: RuleSet.Listing, _ name: String) -> Bool {
        listing.name == name || listing.name.hasPrefix(name + ".")
    }

    private static func line(_ listing: RuleSet.Listing) -> String {
        "\(listing.name) | \(listing.pattern) | \(listing.result)"
    }
}

extension RuleSet.Listing {
    /// Where it stands: `rust.rules, line 12, built in`.
    var place: String { "\(file), line \(line)" + (isBuiltIn ? ", built in" : "") }

    /// The rule as an object of JSON.
    var json: JSONValue {
        .object([
            ("name", .string(name)), ("spelling", .string(spelling)), ("pattern", .string(pattern)),
            ("result", .string(result)), ("file", .string(file)), ("line", .integer(line)),
            ("built_in", .bool(isBuiltIn)),
        ])
    }
}
