// What the order of events needs to know of a stack: whose blocks it makes, why by its frames, and whether frames can tell.
// Made once for each
// stack and type from its attribution, when the pass first meets it; after that the pass compares numbers.

/// A stack as the chain tracker sees it.
struct StackClass {
    /// The number of the owner; equal owners have equal numbers.
    var owner: Int32 = -1
    /// The number of the owner without the arguments of its type.
    var head: Int32 = -1
    /// Whether the arguments of the type are not known, so that any of the same head may be meant.
    var isBare = false
    var cause = Cause.unknown
    /// Whether frames say alike of growth and of a copy, so that the order of events decides: Swift's containers.
    var isAmbiguous = false
    /// Whether it makes a hash table's buckets as well as its nodes: of C++, whose buckets grow in the functions that make the nodes.
    var isHashTable = false
    /// Whether a language's runtime made the block for itself, or nobody knows who did.
    var isRuntime = true
    /// The kind of storage, which tells what sizes of it mean.
    var storage = Storage.other
    /// Bytes of an element of an array, where the type's name tells.
    var stride: Int16?

    /// How the sizes of a Swift container's storage come about.
    enum Storage: UInt8 {
        /// A header and elements of one size.
        case array
        /// A header and text.
        case text
        /// A table that doubles.
        case table
        case other
    }
}

/// Numbers owners as they come up.
struct OwnerNumbers {
    private var owners: [Owner: Int32] = [:]
    private var heads: [Owner: Int32] = [:]

    /// The class of a stack with this attribution.
    mutating func stackClass(of attribution: Attribution) -> StackClass {
        var found = StackClass()
        let owner = attribution.owner
        found.owner = Self.number(of: owner, in: &owners)
        let arguments = owner.type.firstIndex(of: "<")
        let head = Owner(
            family: owner.family, type: String(owner.type[..<(arguments ?? owner.type.endIndex)]),
            language: owner.language)
        found.head = Self.number(of: head, in: &heads)
        found.isBare = arguments.map { owner.type[$0...].allSatisfy { "<_, >".contains($0) } } ?? true
        found.cause = attribution.cause
        found.isRuntime = owner.family == "Runtime" || owner.family == "Unattributed"
        found.isHashTable =
            owner.language == "c++" && found.cause == .construct && ["Dictionary", "Set"].contains(owner.family)
        guard owner.language == "swift", attribution.rule != "tag" else { return found }
        found.storage = Self.storage(of: owner.family)
        found.isAmbiguous =
            found.storage != .other
            && (found.cause == .growth || found.cause == .unknown)
        if found.storage == .array { found.stride = Self.stride(ofElement: owner.type) }
        return found
    }

    private static func storage(of family: String) -> StackClass.Storage {
        switch family {
        case "Array": .array
        case "String": .text
        case "Dictionary", "Set": .table
        default: .other
        }
    }

    private static func number(of owner: Owner, in numbers: inout [Owner: Int32]) -> Int32 {
        if let known = numbers[owner] { return known }
        let number = Int32(truncatingIfNeeded: numbers.count)
        numbers[owner] = number
        return number
    }

    /// Bytes of an element of Swift's own types.
    private static func stride(ofElement type: String) -> Int16? {
        guard let open = type.firstIndex(of: "<"), type.last == ">" else { return nil }
        switch type[type.index(after: open)...].dropLast() {
        case "Int8", "UInt8", "Bool": return 1
        case "Int16", "UInt16": return 2
        case "Int32", "UInt32", "Float", "Unicode.Scalar": return 4
        case "Int", "UInt", "Int64", "UInt64", "Double", "AnyObject": return 8
        case "String", "Character", "Substring.Index", "StaticString": return 16
        case let element where ["Array<", "Dictionary<", "Set<", "["].contains(where: element.hasPrefix): return 8
        default: return nil
        }
    }
}
