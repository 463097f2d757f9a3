// What a recorder knows of a type of the Swift runtime: addresses and words, as they stood in the traced program's memory.

/// One type of the traced program's Swift runtime.
struct RuntimeTypeRecord: Hashable {
    /// What sort of type it is.
    enum Kind: UInt16 {
        case other = 0
        case `class` = 1
        case structure = 2
        case enumeration = 3
        case tuple = 4
        case function = 5
        case existential = 6
        case metatype = 7
        case box = 8
        case errorBox = 9
        case context = 10
        case opaque = 11
    }

    var kind: Kind
    /// Address of the descriptor in the traced program; 0 where there is none.
    var descriptor: UInt64 = 0
    /// Type ids: generic arguments, elements, result and parameters, the instance or boxed type. Of an existential: the superclass, then addresses
    /// of protocol descriptors.
    var arguments: [UInt64] = []
    /// The flags of a function's or existential's metadata.
    var flags: UInt64 = 0

    /// Flags of a function (swift/ABI/MetadataValues.h).
    var isThrowing: Bool { flags & 0x0100_0000 != 0 }
    var isAsync: Bool { flags & 0x2000_0000 != 0 }
    var isSendable: Bool { flags & 0x4000_0000 != 0 }
    /// Flags of an existential.
    var hasSuperclass: Bool { flags & 0x4000_0000 != 0 }
    var isAnyObject: Bool { flags & 0x8000_0000 == 0 }
}
