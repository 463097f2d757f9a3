// What blocks said of their runtime types as they were freed, where nothing saw it as they were allocated. A stack allocates one type as a rule, so
// what one of its blocks says is taken for all of them; where two differ, none is.

struct FreedTypes {
    private static let several: UInt64 = 0

    private var types: [TypedStack: UInt64] = [:]

    /// Takes what a block of a cell says.
    mutating func note(_ cell: CellKey, _ type: UInt64) {
        let key = TypedStack(stack: cell.stack, type: cell.type)
        if let known = types[key], known != type {
            types[key] = Self.several
        } else {
            types[key] = type
        }
    }

    /// The type of a cell's blocks: what they said, or else what they were allocated as.
    func type(of cell: CellKey) -> UInt64 {
        let found = types[TypedStack(stack: cell.stack, type: cell.type)] ?? Self.several
        return found == Self.several ? cell.type : found
    }
}
