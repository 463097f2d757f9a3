// Containers of a program's own, for rules of a user's own (Sources/HeapAnalysis/Rules/README.md).
// The ring takes 4 doubles and doubles its room 5 times; the grid is made of 100 words and grown twice.

struct Ring<Element> {
    private var cells: UnsafeMutablePointer<Element>
    private var count = 0
    private var room: Int

    init(room: Int) {
        cells = .allocate(capacity: room)
        self.room = room
    }

    @inline(never)
    mutating func push(_ element: Element) {
        if count == room { grow() }
        (cells + count).initialize(to: element)
        count += 1
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: room * 2)
        larger.moveInitialize(from: cells, count: count)
        cells.deallocate()
        cells = larger
        room *= 2
    }
}

struct Grid {
    var cells: [Int]

    @inline(never)
    init(_ count: Int) { cells = [Int](repeating: 0, count: count) }

    @inline(never)
    mutating func addRow(_ count: Int) {
        for cell in 0..<count { cells.append(cell) }
    }
}

@inline(never)
func run() -> Int {
    var ring = Ring<Double>(room: 4)
    for value in 0..<100 { ring.push(Double(value)) }
    var grid = Grid(100)
    for _ in 0..<20 { grid.addRow(10) }
    return grid.cells.count
}

precondition(run() == 300)
