// What a recorder copied of the Swift runtime's metadata (FORMAT.md §4, METADATA): addresses and words, no names. Names are made
// from the module files by whoever knows their layout.

/// One type of the Swift runtime, as its metadata in the traced program described it.
public struct MetadataRecord: Hashable, Sendable {
    /// What sort of type the metadata describes, which says what ``MetadataRecord/arguments`` mean.
    public enum Kind: UInt16, Sendable {
        /// Anything else; no arguments.
        case other = 0
        /// A class or actor; the arguments are those of its generic parameters.
        case nominalClass = 1
        /// A struct; likewise.
        case nominalStruct = 2
        /// An enum, `Optional` included; likewise.
        case nominalEnum = 3
        /// A tuple; the elements' types.
        case tuple = 4
        /// A function; its result's type, then its parameters'.
        case function = 5
        /// An existential; the superclass's type where it has one, then addresses of protocol descriptors.
        case existential = 6
        /// A metatype; the instance type.
        case metatype = 7
        /// A heap box for one value; the value's type.
        case box = 8
        /// A box for an error, whose type the free of the block tells.
        case errorBox = 9
        /// A closure's context, a captured variable or an indirect case's payload; the descriptor is a capture descriptor.
        case context = 10
        /// A builtin type, or a foreign one.
        case opaque = 11
    }

    /// The sort of type; ``Kind/other`` for one that this version does not know.
    public let kind: Kind
    /// The runtime's own number for the kind (`MetadataKind`), 0 for a class.
    public let kindWord: UInt32
    /// Address of the static descriptor in one of the image's modules, or 0.
    public let descriptor: UInt64
    /// The argument words, type ids for the most part; see ``Kind``.
    public let arguments: [UInt64]
    /// The flags word of a function or existential, else 0.
    public let flags: UInt64

    /// A record of these fields.
    public init(kind: Kind, kindWord: UInt32 = 0, descriptor: UInt64, arguments: [UInt64] = [], flags: UInt64 = 0) {
        self.kind = kind
        self.kindWord = kindWord
        self.descriptor = descriptor
        self.arguments = arguments
        self.flags = flags
    }
}

extension TraceScanner {
    /// Takes a METADATA record, whose `followers` words behind its first are at least three.
    mutating func scanMetadata(_ walk: RecordWalk, at: Int, followers: Int, argument: UInt64) throws(TraceError) {
        let words = walk.words
        let count = Int(words[at + 2] & 0xFFFF)
        guard count >= 1, count <= followers - 2 else {
            throw walk.fault(at: at + 2, "a type's words that run past its record")
        }
        contents.images[walk.image].metadata[words[at + 1]] = MetadataRecord(
            kind: MetadataRecord.Kind(rawValue: UInt16(truncatingIfNeeded: words[at + 2] >> 16)) ?? .other,
            kindWord: UInt32(truncatingIfNeeded: words[at + 2] >> 32), descriptor: words[at + 3],
            arguments: Array(words[at + 4..<at + 3 + count]), flags: argument)
    }
}
