// What the flags of metadata say of functions and existentials (swift/ABI/MetadataValues.h), as far as names show it.

internal import TraceReader

extension MetadataRecord {
    /// Of a function.
    var isThrowing: Bool { flags & 0x0100_0000 != 0 }
    /// Of a function.
    var isAsync: Bool { flags & 0x2000_0000 != 0 }
    /// Of a function.
    var isSendable: Bool { flags & 0x4000_0000 != 0 }
    /// Of an existential: its first argument is a class.
    var hasSuperclass: Bool { flags & 0x4000_0000 != 0 }
    /// Of an existential: it holds objects alone.
    var isAnyObject: Bool { flags & 0x8000_0000 == 0 }
}
