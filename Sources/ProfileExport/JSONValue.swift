// JSON with keys in the order they are given: the documents' order is part of their form, and the same document is always the same bytes.

/// A JSON value that keeps the order of its objects' keys.
public indirect enum JSONValue: Sendable {
    /// `null`: a figure that was not measured.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A whole number.
    case integer(Int)
    /// A number; what is not finite is written as `null`.
    case number(Double)
    /// A text.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object, in this order.
    case object([(String, JSONValue)])

    /// The value of an optional integer: `null` for nil.
    public init(_ value: Int?) { self = value.map { .integer($0) } ?? .null }
    /// The value of an optional text: `null` for nil.
    public init(_ value: String?) { self = value.map { .string($0) } ?? .null }

    /// The JSON text, with a newline at its end: the outer object's members on a line each, likewise the elements of their arrays.
    public func document() -> String {
        var text = ""
        write(to: &text, level: 0)
        text.append("\n")
        return text
    }

    private func write(to text: inout String, level: Int) {
        switch self {
        case .null: text.append("null")
        case .bool(let value): text.append(value ? "true" : "false")
        case .integer(let value): text.append(String(value))
        case .number(let value): text.append(value.isFinite ? String(value) : "null")
        case .string(let value): Self.write(value, to: &text)
        case .array(let values):
            let breaks = level <= 2 && values.contains { $0.isContainer }
            Self.list(values, open: "[", close: "]", breaks: breaks, level: level, to: &text) { value, text in
                value.write(to: &text, level: level + 1)
            }
        case .object(let members):
            let breaks = level == 0 || (level == 1 && members.contains { $0.1.isArrayOfContainers })
            Self.list(members, open: "{", close: "}", breaks: breaks, level: level, to: &text) { member, text in
                Self.write(member.0, to: &text)
                text.append(": ")
                member.1.write(to: &text, level: level + 1)
            }
        }
    }

    private var isContainer: Bool {
        switch self {
        case .array, .object: true
        default: false
        }
    }

    private var isArrayOfContainers: Bool {
        if case .array(let values) = self { values.contains { $0.isContainer } } else { false }
    }

    private static func list<Element>(
        _ elements: [Element], open: String, close: String, breaks: Bool, level: Int, to text: inout String,
        _ write: (Element, inout String) -> Void
    ) {
        text.append(open)
        for (index, element) in elements.enumerated() {
            if index > 0 { text.append(breaks ? "," : ", ") }
            if breaks { text.append("\n" + String(repeating: "  ", count: level + 1)) }
            write(element, &text)
        }
        if breaks, !elements.isEmpty { text.append("\n" + String(repeating: "  ", count: level)) }
        text.append(close)
    }

    private static func write(_ value: String, to text: inout String) {
        text.append("\"")
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text.append("\\\"")
            case "\\": text.append("\\\\")
            case "\n": text.append("\\n")
            case "\r": text.append("\\r")
            case "\t": text.append("\\t")
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let digits = String(scalar.value, radix: 16)
                    text.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        text.append("\"")
    }
}
