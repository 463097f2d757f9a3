// Rust's functions between a container and malloc that every container shares: their callers' code tells what they were asked.

internal import Symbolication

/// The allocating functions that have one copy for all types.
enum RustAllocator {
    /// Whether a frame is of one: the allocator's entries, or a vector's code that takes the layout of its elements.
    static func isShared(_ frame: SymbolicatedFrame) -> Bool {
        guard frame.language == .rust, frame.file == nil else { return false }
        if frame.function.contains("RawVecInner") { return true }
        let name = frame.function.split(separator: ":").last ?? ""
        return ["__rust_", "__rdl_", "__rg_"].contains(where: name.hasPrefix)
    }
}

/// What code asked Rust's allocator for, as far as it shows in the layout that it passed.
enum RequestShape: String, Sendable, Hashable {
    /// A block that is aligned to one byte: text or bytes.
    case bytes
    /// A block for a vector's elements, which are aligned to more than one byte.
    case array
    /// A block of a size that may vary, aligned to 16 bytes or more.
    case table
    /// A block for one value, aligned to less than 16 bytes: a box's, a counted value's or a node.
    case box
    /// Any other block that is aligned to more than one byte.
    case object

    /// Whether a block of this shape, of which `inner` is known, may belong to what a claim names: storage has a shape of
    /// its own.
    func allows(_ claim: Claim, over inner: Claim) -> Bool {
        let isHashTable = claim.type.hasPrefix("HashMap<") || claim.type.hasPrefix("HashSet<")
        let isText = claim.family == "String" || claim.type == "Cow<str>" || claim.type == "Vec<u8>"
        let isTree = claim.type.hasPrefix("BTreeMap<") || claim.type.hasPrefix("BTreeSet<")
        switch self {
        case .table: return !isTree && !isText
        case .object: return !isHashTable && !isText
        case .box:
            return !isHashTable && !isText && (claim.family != "Array" || claim.type.hasPrefix("LinkedList<"))
        case .array:
            // Without debug information an element's array looks like that of the elements.
            if claim.certainFallback != nil { return inner.type.hasPrefix("Vec") }
            if isHashTable || isTree || claim.type.hasPrefix("LinkedList<") || isText && claim.type != "Vec<u8>" {
                return false
            }
            let isOne = claim.family == "Shared" || claim.family == "Box" || claim.family == "Task"
            return claim.isWeak || !isOne || ["<[", "<str", "<dyn"].contains(where: claim.type.contains)
        case .bytes:
            switch claim.family {
            case "Dictionary", "Set", "Shared", "Task": return false
            case "Array", "Box":
                return claim.isWeak || ["<u8>", "<i8>", "<bool>", "[u8]", "<str>"].contains(where: claim.type.contains)
            default: return true
            }
        }
    }
}
