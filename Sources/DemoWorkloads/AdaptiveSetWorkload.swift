// A set that changes its shape as it grows.

import HeaptrailTags
import SmartPointers

/// Grows a set of 30 numbers past both switches, and clones it.
enum AdaptiveSetWorkload: Workload {
    static let name = "adaptive-set"
    static let summary = "a set that is an array up to 8 elements and a hash table beyond; the switch shows by size"

    // Numbers are 8 bytes: arrays of 4 and 8, then tables of 32 and 64 slots with a byte a slot.
    static let expected = [
        ExpectedRow("Set", "AdaptiveSet<Int>", .construct, size: 32, allocations: 1),
        ExpectedRow("Set", "AdaptiveSet<Int>", .growth, size: 64, allocations: 1),
        ExpectedRow("Set", "AdaptiveSet<Int>", .growth, size: 288, allocations: 1),
        ExpectedRow("Set", "AdaptiveSet<Int>", .growth, size: 576, allocations: 1),
        ExpectedRow("Set", "AdaptiveSet<Int>", .clone, size: 576, allocations: 1),
    ]

    static func run(_ options: Options) {
        var set = AdaptiveSet<Int>()
        var bytes = set.bytesAllocated
        for number in 1...30 {
            set.insert(opaque(number * number))
            guard set.bytesAllocated != bytes else { continue }
            bytes = set.bytesAllocated
            say("adaptive-set: \(set.count) elements: \(set.isHashTable ? "hash table" : "array") of \(bytes) bytes")
        }
        var clone = set.clone()
        clone.remove(900)
        say("adaptive-set: \(set.count) and \(clone.count) elements, 900 in the first: \(set.contains(900))")
    }
}
