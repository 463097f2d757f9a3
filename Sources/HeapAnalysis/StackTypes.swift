// The types that stacks tell of their blocks, for the event loop: a load where the trace has any, a branch where it has none.
internal import TraceReader

struct StackTypes {
    /// By id; 0 where none is told.
    private var near: [UInt64] = []
    /// Of ids far beyond the number of stacks, which no recorder writes.
    private var far: [UInt32: UInt64] = [:]

    /// The types of an image's stacks. O(stacks).
    init(_ stacks: StackTable) {
        guard stacks.hasTypes else { return }
        near = Array(repeating: 0, count: 2 * stacks.count + 1024)
        for row in 0..<stacks.count {
            let stack = stacks[row]
            let id = stack.id.rawValue
            if Int(id) < near.count { near[Int(id)] = stack.typeID } else { far[id] = stack.typeID }
        }
    }

    /// The type of a stack's blocks, 0 where it tells none. O(1).
    subscript(stack: UInt32) -> UInt64 {
        @inline(__always) get {
            if Int(stack) < near.count { return near[Int(stack)] }
            return far.isEmpty ? 0 : far[stack] ?? 0
        }
    }

    /// The type of an allocation: its own word, or what its stack tells. O(1).
    @inline(__always)
    func type(of event: HeapEvent) -> UInt64 { event.typeID != 0 ? event.typeID : self[event.stack.rawValue] }
}
