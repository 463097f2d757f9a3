// From a file's sparse ids to the dense rows of a table. Ids close to the number of rows, which is what a recorder writes, are looked up
// in an array; a wild id costs one entry of a dictionary, never memory in proportion to its value.

/// A map from ids to row numbers whose memory grows with the rows, not with the ids.
struct SparseIndex: Sendable {
    /// Row + 1 by id; 0 where there is none.
    private var near: [UInt32] = []
    private var far: [UInt32: UInt32] = [:]
    private var count: UInt32 = 0

    /// The row of an id. O(1).
    @inline(__always)
    func row(of id: UInt32) -> Int? {
        if Int(id) < near.count, near[Int(id)] != 0 { return Int(near[Int(id)]) - 1 }
        if far.isEmpty { return nil }
        return far[id].map(Int.init)
    }

    /// Binds an id to a row; a second binding replaces the first. Amortised O(1).
    mutating func bind(_ id: UInt32, to row: Int) {
        count &+= 1
        if Int(id) >= near.count, UInt64(id) < 2 * UInt64(count) + 1024 {
            near.append(contentsOf: repeatElement(0, count: max(Int(id) + 1, near.count * 2) - near.count))
        }
        if Int(id) < near.count {
            near[Int(id)] = UInt32(row) + 1
            if !far.isEmpty { far[id] = nil }
        } else {
            far[id] = UInt32(row)
        }
    }
}
