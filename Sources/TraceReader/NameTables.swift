// The small tables of an image: owner tags, counters, threads, usable sizes. Plain values, filled by the scanner.

/// What a program said of the owner of its allocations by pushing a tag, or a text line after the size.
public struct OwnerTagInfo: Hashable, Sendable {
    /// The family (`Box`, `String`); empty where the text dialect does not say.
    public let family: String
    /// The type in its own language's spelling.
    public let type: String
    /// The cause; empty when not said.
    public let cause: String
    /// The language; empty when not said.
    public let language: String

    /// A tag of these four parts.
    public init(family: String, type: String, cause: String, language: String) {
        self.family = family
        self.type = type
        self.cause = cause
        self.language = language
    }
}

/// A counter of things that are no events (`Cow.borrowed`).
public struct CounterInfo: Sendable, Equatable {
    /// The file's id.
    public let id: CounterID
    /// The name, empty when the file counts without naming.
    public internal(set) var name: String
    /// The sum of all counts.
    public internal(set) var total: UInt64
}

/// A thread of the traced program.
public struct ThreadInfo: Sendable, Equatable {
    /// The serial, from 1 in order of first appearance in the recorder.
    public let serial: ThreadSerial
    /// The system's thread id; 0 when not recorded.
    public internal(set) var threadID: UInt64
    /// The thread's name; empty when not recorded.
    public internal(set) var name: String
    /// Exact totals of this thread in a sampled trace; `nil` when every event is there.
    public internal(set) var exactTotals: AllocationTotals?
}

/// Sums of allocations and frees.
public struct AllocationTotals: Sendable, Equatable {
    /// Allocations.
    public var allocations: UInt64
    /// Frees.
    public var frees: UInt64
    /// Bytes of the allocations.
    public var bytes: UInt64
    /// Reallocations; `nil` where the trace does not count them.
    public var reallocations: UInt64?

    /// Totals of these counts.
    public init(allocations: UInt64, frees: UInt64, bytes: UInt64, reallocations: UInt64? = nil) {
        self.allocations = allocations
        self.frees = frees
        self.bytes = bytes
        self.reallocations = reallocations
    }
}

/// What the allocator gave for a size and alignment, as it was asked once while recording.
public struct UsableSizeTable: Sendable {
    private struct Key: Hashable, Sendable {
        var size: UInt64
        var alignmentCode: UInt8
    }

    private struct Answer: Sendable {
        var usable: UInt64
        var time: UInt64
    }

    private var sizes: [Key: Answer] = [:]

    /// How many pairs of size and alignment are known.
    public var count: Int { sizes.count }

    /// The usable bytes of a block of this size and alignment (``HeapEvent/alignmentCode``), `nil` when the recorder did not ask. O(1).
    public func usableSize(size: UInt64, alignmentCode: UInt8) -> UInt64? {
        sizes[Key(size: size, alignmentCode: alignmentCode)]?.usable
    }

    /// Keeps the first answer for a size and alignment, which is the one the format speaks of: the first in time, in whatever order the
    /// streams of those that asked lie in the file.
    mutating func define(size: UInt64, alignmentCode: UInt8, usable: UInt64, at time: UInt64) {
        let key = Key(size: size, alignmentCode: alignmentCode)
        if let known = sizes[key], (known.time, known.usable) <= (time, usable) { return }
        sizes[key] = Answer(usable: usable, time: time)
    }
}
