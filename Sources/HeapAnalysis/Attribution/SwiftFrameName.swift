// Swift's names: what the compiler adds around a function's name is taken off before rules see it.

/// Canonical forms of Swift function names.
enum SwiftFrameName {
    private static let marks = [
        "specialized ", "merged ", "partial apply for ", "partial apply forwarder for ", "@objc ", "@nonobjc ",
        "dispatch thunk of ", "protocol witness for ", "reabstraction thunk for ", "static ", "implicit closure ",
        "async function pointer to ", "outlined ", "vtable thunk for ", "thunk for ",
    ]

    /// The form rules are matched against: no marks, no enclosing-closure prefixes, no generic parameter lists.
    static func canonical(_ raw: String) -> String {
        var name = display(raw)
        if name.hasPrefix("static ") { name.removeFirst(7) }
        guard name.contains("<") else { return name }
        let text = Array(name.utf8)
        var result: [UInt8] = []
        var depth = 0
        for (index, byte) in text.enumerated() {
            let next = index + 1 < text.count ? text[index + 1] : 0
            let previous = index > 0 ? text[index - 1] : 0
            // `<` and `<=` are also operators: Comparable.< infix
            if byte == UInt8(ascii: "<"), previous != UInt8(ascii: "."), next != UInt8(ascii: "=") || depth > 0 {
                depth += 1
            } else if byte == UInt8(ascii: ">"), depth > 0, previous != UInt8(ascii: "-") {
                depth -= 1
            } else if depth == 0 {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A name for people: the function as its author wrote it.
    static func display(_ raw: String) -> String {
        var name = raw[...]
        var changed = true
        while changed {
            changed = false
            for mark in marks where mark != "static " && name.hasPrefix(mark) {
                name = name.dropFirst(mark.count)
                changed = true
            }
            if name.hasPrefix("closure #") || name.hasPrefix("#"), let found = name.firstRange(of: " in ") {
                name = name[found.upperBound...]
                changed = true
            }
            if name.hasPrefix("static "), let mark = marks.first(where: { name.dropFirst(7).hasPrefix($0) }) {
                name = name.dropFirst(7 + mark.count)
                changed = true
            }
        }
        if let conformance = name.firstRange(of: " in conformance ") { name = name[..<conformance.lowerBound] }
        return String(name)
    }

    /// The type whose allocating initializer this is: `app.Node` of `app.Node.__allocating_init(_:)`; nil for others.
    static func initializedClass(_ raw: String) -> String? {
        let name = display(raw)
        guard let found = name.firstRange(of: ".__allocating_init") else { return nil }
        return String(name[..<found.lowerBound])
    }

    private static let standardModules: Set<String> = [
        "Swift", "Foundation", "FoundationEssentials", "FoundationInternationalization", "FoundationNetworking",
        "Dispatch", "Synchronization", "Observation", "Distributed", "RegexBuilder", "Glibc", "Musl", "Testing",
        "XCTest", "_Concurrency", "_StringProcessing", "_Differentiation", "_RegexParser", "_Volatile",
    ]

    /// Whether a mangled symbol belongs to the standard library or Foundation; nil when the symbol does not say.
    static func isStandard(linkageName: String) -> Bool? {
        guard let start = linkageName.firstRange(of: "$s") ?? linkageName.firstRange(of: "$S") else { return nil }
        let rest = Array(linkageName[start.upperBound...].utf8)
        guard let first = rest.first else { return nil }
        if (0x30...0x39).contains(first) {
            return moduleName(rest, at: 0).map { standardModules.contains($0) }
        }
        // `s` is the Swift module, `S…` its well-known types; an extension names its own module after the type.
        guard first == UInt8(ascii: "s") || first == UInt8(ascii: "S") else { return nil }
        if first == UInt8(ascii: "S"), rest.count > 2 {
            let index = rest[1] == UInt8(ascii: "c") ? 3 : 2
            if index < rest.count, (0x30...0x39).contains(rest[index]), let module = moduleName(rest, at: index) {
                let end = index + String(module.utf8.count).utf8.count + module.utf8.count
                if end < rest.count, rest[end] == UInt8(ascii: "E") { return standardModules.contains(module) }
            }
        }
        return true
    }

    private static func moduleName(_ text: [UInt8], at start: Int) -> String? {
        var index = start
        var length = 0
        while index < text.count, (0x30...0x39).contains(text[index]), length < 1000 {
            length = length * 10 + Int(text[index] - 0x30)
            index += 1
        }
        guard length > 0, index + length <= text.count else { return nil }
        return String(decoding: text[index..<(index + length)], as: UTF8.self)
    }
}
