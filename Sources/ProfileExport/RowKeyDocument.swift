// How a row's keys stand in a document, and how shares do: the same in the rows and in what each view adds.
internal import HeapAnalysis

extension RowKey {
    /// The members for the fields of a grouping; what is not known is null.
    func members(_ fields: RowFields) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = []
        if fields.contains(.family) { members.append(("family", JSONValue(family))) }
        if fields.contains(.type) { members.append(("type", JSONValue(type))) }
        if fields.contains(.language) { members.append(("language", JSONValue(ifNotEmpty: language))) }
        if fields.contains(.cause) { members.append(("cause", JSONValue(cause?.rawValue))) }
        if fields.contains(.site) { members.append(("site", JSONValue(site?.description))) }
        if fields.contains(.size) { members.append(("size", JSONValue(size))) }
        if fields.contains(.thread) { members.append(("thread", JSONValue(thread))) }
        if fields.contains(.module) { members.append(("module", JSONValue(ifNotEmpty: module))) }
        return members
    }
}

extension JSONValue {
    /// A text that is empty where it is not known.
    init(ifNotEmpty text: String?) { self.init(text.flatMap { $0.isEmpty ? nil : $0 }) }

    /// A share to six decimals; null for nil.
    static func share(_ value: Double?) -> JSONValue {
        value.map { .number(($0 * 1e6).rounded() / 1e6) } ?? .null
    }

    /// A part of a whole to six decimals; null where there is no whole.
    static func share(of part: Int, in whole: Int) -> JSONValue {
        whole == 0 ? .null : share(Double(part) / Double(whole))
    }

    /// A standard error to three decimals; null for nil.
    static func error(_ value: Double?) -> JSONValue {
        value.map { .number(($0 * 1000).rounded() / 1000) } ?? .null
    }
}
