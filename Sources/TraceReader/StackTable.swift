// The call stacks of one image: a trie of frames whose root is the outermost caller, so that stacks share what they have in common.
// Memory is in proportion to the definitions in the file (24 bytes a frame written, not a frame of depth).
// Ancestors are found by jump pointers (Myers, "An applicative random-access stack", 1983), so that no chain of definitions makes
// reading quadratic.

/// One row of a trace's stack table.
public struct StackInfo: Sendable, Equatable {
    /// The file's id.
    public let id: StackID
    /// How many frames it has.
    public let depth: Int
    /// The owner tag that was pushed when it was taken; ``TagID/none`` without one.
    public let tag: TagID
    /// The language-level task that ran, 0 when none.
    public let task: UInt32
    /// The type of all blocks that it allocated, as ``HeapEvent/typeID``; 0 where the file does not tell it of the stack.
    public let typeID: UInt64
    /// Whether frames further out were dropped at the recorder's depth limit.
    public let isTruncated: Bool
    /// Whether the walk (or the file) could not say what lies further out.
    public let endedEarly: Bool
    /// Time of the first event that used it, in ticks: what decides which module held its addresses.
    public let firstUse: UInt64
}

/// The call stacks of one image, by id.
public struct StackTable: Sendable {
    private struct Node: Sendable {
        var address: UInt64
        var parent: UInt32
        var jump: UInt32
        var depth: UInt32
    }

    private struct Row: Sendable {
        var firstUse: UInt64
        var id: UInt32
        var leaf: UInt32
        var tag: UInt32
        var task: UInt32
        var flags: UInt16
        var type: UInt64 = 0
    }

    // Node 0 is the root: no frame.
    private var nodes = [Node(address: 0, parent: 0, jump: 0, depth: 0)]
    private var rows: [Row] = []
    private var index = SparseIndex()

    /// Stacks whose definition named a base that was not defined before it, or more frames than it has or a stack may have. They
    /// keep their own frames and end early.
    public private(set) var undefinedStacks = 0

    /// Whether a stack tells the type of its blocks.
    public private(set) var hasTypes = false

    /// How many stacks are defined.
    public var count: Int { rows.count }

    /// The row of a stack: dense, from 0, in the order of definition. `nil` for ``StackID/none`` and ids that were never defined. O(1).
    public func row(of stack: StackID) -> Int? { index.row(of: stack.rawValue) }

    /// The stack in a row.
    public subscript(row: Int) -> StackInfo {
        let found = rows[row]
        return StackInfo(
            id: StackID(found.id), depth: Int(nodes[Int(found.leaf)].depth), tag: TagID(found.tag), task: found.task,
            typeID: found.type, isTruncated: found.flags & 1 != 0, endedEarly: found.flags & 2 != 0,
            firstUse: found.firstUse)
    }

    /// The stack of an id, `nil` where it was never defined. O(1).
    public subscript(stack: StackID) -> StackInfo? { row(of: stack).map { self[$0] } }

    /// The return addresses of the stack in a row, innermost first. The calling instruction lies at address − 1. O(depth).
    public func frames(row: Int) -> [UInt64] {
        var node = nodes[Int(rows[row].leaf)]
        var frames: [UInt64] = []
        frames.reserveCapacity(Int(node.depth))
        while node.depth > 0 {
            frames.append(node.address)
            node = nodes[Int(node.parent)]
        }
        return frames
    }

    /// The return addresses of a stack, innermost first; none where it was never defined. O(depth).
    public func frames(of stack: StackID) -> [UInt64] { row(of: stack).map { frames(row: $0) } ?? [] }

    // MARK: Filling, by the scanner

    /// Defines a stack (FORMAT.md §4, STACK): `frames` are the new ones, innermost first, in front of the outermost `kept` of `base`.
    /// - Returns: the row.
    @discardableResult
    mutating func define(
        id: UInt32, base: UInt32, kept: UInt32, flags: UInt16, tag: UInt32, task: UInt32, time: UInt64,
        frames: UnsafeBufferPointer<UInt64>
    ) -> Int {
        var flags = flags
        var leaf: UInt32 = 0
        if kept > 0 {
            if let baseRow = index.row(of: base), nodes[Int(rows[baseRow].leaf)].depth >= kept,
                UInt64(kept) + UInt64(frames.count) <= Format.depthLimit
            {
                leaf = ancestor(of: rows[baseRow].leaf, depth: kept)
            } else {
                flags |= 2
                undefinedStacks += 1
            }
        }
        for frame in frames.reversed() {
            if nodes.count == UInt32.max { break }
            leaf = push(frame, onto: leaf)
        }
        rows.append(Row(firstUse: time, id: id, leaf: leaf, tag: tag, task: task, flags: flags))
        index.bind(id, to: rows.count - 1)
        return rows.count - 1
    }

    /// Sets the type of a stack's blocks, unless the stack was never defined.
    mutating func setType(of id: UInt32, _ type: UInt64) {
        guard let row = index.row(of: id) else { return }
        rows[row].type = type
        hasTypes = true
    }

    /// Sets the time of a stack's first use.
    mutating func setFirstUse(row: Int, time: UInt64) { rows[row].firstUse = time }

    private mutating func push(_ address: UInt64, onto parent: UInt32) -> UInt32 {
        let above = nodes[Int(parent)]
        let jumped = nodes[Int(above.jump)]
        let isBalanced = above.depth - jumped.depth == jumped.depth - nodes[Int(jumped.jump)].depth
        nodes.append(
            Node(
                address: address, parent: parent, jump: isBalanced ? jumped.jump : parent, depth: above.depth + 1))
        return UInt32(nodes.count - 1)
    }

    /// The ancestor of a node at a depth no greater than its own. O(log depth).
    private func ancestor(of node: UInt32, depth: UInt32) -> UInt32 {
        var node = node
        while nodes[Int(node)].depth > depth {
            let jump = nodes[Int(node)].jump
            node = nodes[Int(jump)].depth >= depth ? jump : nodes[Int(node)].parent
        }
        return node
    }
}
