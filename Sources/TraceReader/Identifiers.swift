// The ids by which a trace's tables refer to each other. Each is its own type over the UInt32 of the file, so that a stack's id
// cannot index the modules. Ids are the file's own numbers: sparse, and of one image unless a comment says otherwise.

/// A number that a trace gives to one row of one of its tables.
public protocol TraceIdentifier: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number as the file holds it.
    var rawValue: UInt32 { get }
    /// Wraps the file's number.
    init(_ rawValue: UInt32)
}

extension TraceIdentifier {
    /// The order of the numbers.
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    /// The number in decimal.
    public var description: String { String(rawValue) }
}

/// The serial of a thread, from 1, never reused within a trace (the system's thread ids are); 0 is no thread.
@frozen public struct ThreadSerial: TraceIdentifier {
    /// The number as the file holds it.
    public let rawValue: UInt32
    /// Wraps the file's number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// The id of a call stack of one image; 0 is "not recorded".
@frozen public struct StackID: TraceIdentifier {
    /// The number as the file holds it.
    public let rawValue: UInt32
    /// Wraps the file's number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    /// The id of events whose stack was not recorded.
    @inlinable public static var none: StackID { StackID(0) }
}

/// The id of a loaded module (executable or shared library) of one image.
@frozen public struct ModuleID: TraceIdentifier {
    /// The number as the file holds it.
    public let rawValue: UInt32
    /// Wraps the file's number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// The id of an owner tag of one image; 0 is no tag.
@frozen public struct TagID: TraceIdentifier {
    /// The number as the file holds it.
    public let rawValue: UInt32
    /// Wraps the file's number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
    /// The id of stacks on which no tag was pushed.
    @inlinable public static var none: TagID { TagID(0) }
}

/// The id of a counter of non-events (`Cow.borrowed`) of one image.
@frozen public struct CounterID: TraceIdentifier {
    /// The number as the file holds it.
    public let rawValue: UInt32
    /// Wraps the file's number.
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}
