// Counters of things that left no allocation behind, such as a copy that was avoided.
// Owns the counter half of `heaptrail_tags.h`; nothing here allocates.

internal import CHeaptrailTags

/// A named count of non-events: what a trace of allocations alone cannot show.
///
/// ```swift
/// static let borrowed = EventCounter("Cow.borrowed")
/// borrowed.add(1)
/// ```
public struct EventCounter: Sendable {
    private let id: UInt32

    /// Interns a counter; equal names are one counter.
    ///
    /// - Parameter name: The name that reports show, `Type.event` by convention.
    public init(_ name: StaticString) {
        id = name.withUTF8Buffer { bytes in
            // A static string ends in a zero byte that its buffer does not count.
            bytes.withMemoryRebound(to: CChar.self) { ht_counter_intern($0.baseAddress) }
        }
    }

    /// Adds `count` to the counter; without the preload, a load and a branch.
    ///
    /// - Parameter count: How many events, at least 0.
    public func add(_ count: Int = 1) {
        precondition(count >= 0, "a counter only grows")
        guard ht_tags_are_recorded() != 0, ht_tags_are_suspended() == 0 else { return }
        ht_count(id, UInt64(count))
    }
}
