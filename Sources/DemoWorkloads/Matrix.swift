// The demo's value of a size that nothing else in a program has.

/// Five rows of 101 numbers: 505 bytes, which makes its block easy to find in a trace.
struct Matrix {
    static let rows = 5
    static let columns = 101

    private var cells = InlineArray<505, UInt8>(repeating: 0)

    /// The matrix whose cell (row, column) is `row + column`.
    init() {
        for row in 0..<Self.rows {
            for column in 0..<Self.columns { cells[row * Self.columns + column] = UInt8(row + column) }
        }
    }

    /// The sum of all cells.
    var sum: Int {
        var sum = 0
        for index in cells.indices { sum += Int(cells[index]) }
        return sum
    }
}
