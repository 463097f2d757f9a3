// What the pass learned of growth and of copies, by the profile's stacks: the raw sums that the views of them are made from.

/// How containers grew and what was copied, by the stacks of a ``HeapProfile``.
public struct ChainFindings: Sendable {
    /// Containers that began to grow at a stack.
    var chains: [(stack: Int, record: ChainRecord)] = []
    /// Copies that a stack made.
    var copies: [(stack: Int, record: CopyRecord)] = []
    /// Swift storage made at a stack that is a copy or the first of its container.
    var undecided: [(stack: Int, sum: BlockSum)] = []

    init(_ tracker: ChainTracker, stacks: [TypedStack: Int]) {
        for (key, record) in tracker.chains where !record.buckets.isEmpty {
            let told = TypedStack(stack: key.stack, type: key.type, order: .growth)
            guard let stack = stacks[told] ?? stacks[key] else { continue }
            chains.append((stack, record))
        }
        for (key, record) in tracker.copies where record.made.blocks > 0 {
            let plain = TypedStack(stack: key.stack, type: key.type)
            guard let stack = stacks[key] ?? stacks[plain] else { continue }
            copies.append((stack, record))
        }
        for (key, sum) in tracker.undecided.sorted(by: { ($0.key.stack, $0.key.type) < ($1.key.stack, $1.key.type) }) {
            guard let stack = stacks[key] else { continue }
            undecided.append((stack, sum))
        }
    }
}
