// What rows are grouped by: the keys of `--by`, and the fields of a row each of them stands for.

/// A key that rows can be grouped by.
public enum GroupingKey: String, CaseIterable, Sendable {
    /// Family and language of the owner.
    case family
    /// Family, type and language of the owner.
    case owner
    /// The same as `owner`.
    case type
    /// Why the allocations were made.
    case cause
    /// Owner, cause and the user's call site.
    case site
    /// Bytes asked for.
    case size
    /// The thread that allocated.
    case thread
    /// The module that allocated.
    case module

    /// The fields a row grouped by this key carries.
    public var fields: RowFields {
        switch self {
        case .family: [.family, .language]
        case .owner, .type: [.family, .type, .language]
        case .cause: [.cause]
        case .site: [.family, .type, .language, .cause, .site]
        case .size: [.size]
        case .thread: [.thread]
        case .module: [.module]
        }
    }
}

/// Fields of a row that tell it from the others.
public struct RowFields: OptionSet, Sendable, Hashable {
    /// One bit a field.
    public let rawValue: UInt16
    /// The fields of these bits.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The owner's family.
    public static let family = RowFields(rawValue: 1)
    /// The owner's type.
    public static let type = RowFields(rawValue: 2)
    /// The owner's language.
    public static let language = RowFields(rawValue: 4)
    /// The cause.
    public static let cause = RowFields(rawValue: 8)
    /// The call site.
    public static let site = RowFields(rawValue: 16)
    /// Bytes asked for.
    public static let size = RowFields(rawValue: 32)
    /// The allocating thread.
    public static let thread = RowFields(rawValue: 64)
    /// The allocating module.
    public static let module = RowFields(rawValue: 128)

    /// The fields of several keys together.
    public init(_ keys: [GroupingKey]) { self = keys.reduce(into: []) { $0.formUnion($1.fields) } }
}

/// The sum that rows are ordered by, largest first.
public enum RowOrder: Sendable {
    /// Bytes over all allocations.
    case bytes
    /// Bytes live at the trace's peak.
    case peak
    /// Bytes live at the end.
    case live
    /// Temporary allocations.
    case temporary
    /// Allocations.
    case allocations

    func measure(_ figures: HeapFigures) -> Int {
        switch self {
        case .bytes: figures.bytes
        case .peak: figures.peakBytes
        case .live: figures.liveBytes
        case .temporary: figures.temporary
        case .allocations: figures.allocations
        }
    }
}

/// Which allocations a report is about.
public struct RowFilter: Sendable {
    /// Only owners of this family, ignoring case.
    public var family: String?
    /// Only allocations whose owner, site or module contains this text, ignoring case.
    public var text: String?
    /// Only owners of this family: the one that a view is about, whatever `family` says.
    public var viewFamily: String?

    /// A filter; without arguments everything passes.
    public init(family: String? = nil, text: String? = nil) {
        self.family = family
        self.text = text
    }

    func accepts(_ stack: ProfileStack) -> Bool {
        let owner = stack.attribution.owner
        if let family, owner.family.lowercased() != family.lowercased() { return false }
        if let viewFamily, owner.family != viewFamily { return false }
        guard let text, !text.isEmpty else { return true }
        let wanted = text.lowercased()
        let places = [owner.type, owner.family, stack.attribution.site?.description ?? "", stack.module]
        return places.contains { $0.lowercased().contains(wanted) }
    }
}
