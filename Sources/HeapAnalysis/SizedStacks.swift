// Which stacks' cells are kept by size, where a view needs sizes of some owners only: the sizes of all would be many times as many cells.
// Asked once for each distinct (stack, type) of a pass, by the one thread that runs it; what was answered is kept.

final class SizedStacks {
    private struct Key: Hashable {
        var stack: UInt32
        var type: UInt64
    }

    private enum Answer: UInt8 {
        case notAsked, yes, no
    }

    /// Stack ids are dense in real traces; those beyond this share the dictionary.
    private static let directLimit: UInt32 = 1 << 22

    private let isWanted: (_ stack: UInt32, _ type: UInt64) -> Bool
    /// Of stacks without a runtime type, by id.
    private var direct: [Answer] = []
    private var others: [Key: Bool] = [:]

    /// - Parameter isWanted: whether the sizes of what this stack allocates of this type are wanted.
    init(isWanted: @escaping (_ stack: UInt32, _ type: UInt64) -> Bool) { self.isWanted = isWanted }

    /// Whether the cells of a stack and type are kept by size. Expected O(1).
    func contains(stack: UInt32, type: UInt64) -> Bool {
        if type == 0, Int(stack) < direct.count, direct[Int(stack)] != .notAsked { return direct[Int(stack)] == .yes }
        return find(stack: stack, type: type)
    }

    @inline(never)
    private func find(stack: UInt32, type: UInt64) -> Bool {
        if type == 0, stack < Self.directLimit {
            let answer = isWanted(stack, type)
            if Int(stack) >= direct.count {
                let room = max(Int(stack) + 1, direct.count * 2)
                direct.append(contentsOf: repeatElement(.notAsked, count: room - direct.count))
            }
            direct[Int(stack)] = answer ? .yes : .no
            return answer
        }
        let key = Key(stack: stack, type: type)
        if let known = others[key] { return known }
        let answer = isWanted(stack, type)
        others[key] = answer
        return answer
    }
}
