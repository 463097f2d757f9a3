// One value on the heap with one owner.

import HeaptrailTags
import SmartPointers

/// Boxes a `Matrix`, reads it, and lets the box go out of scope.
enum BoxWorkload: Workload {
    static let name = "box"
    static let summary = "one Matrix of 505 bytes in a Box, freed at the end of its scope"

    static let expected = [
        ExpectedRow("Box", "Box<Matrix>", .construct, size: 505, allocations: 1)
    ]

    static func run(_ options: Options) {
        let box = Box(Matrix())
        say("box: a matrix of \(MemoryLayout<Matrix>.size) bytes, sum \(box.value.sum)")
    }
}
