// What the pass learned of growth and of copies, by the profile's stacks: the raw sums that the views of them are made from.

/// How containers grew and what was copied, by the stacks of a ``HeapProfile``.
public struct ChainFindings: Sendable {
    /// Containers that began to grow at a stack.
    var chains: [(stack: Int, record: ChainRecord)] = []
    /// Copies that a stack made.
    var copies: [(stack: Int, record: CopyRecord)] = []
    /// Swift storage made at a stack that is a copy or the first of its container.
    var undecided: [(stack: Int, sum: BlockSum)] = []

    init(_ tracker: ChainTracker, stacks: StackNumbers) {
        for (key, record) in tracker.chains where !record.buckets.isEmpty {
            guard let stack = stacks[key.stack, .growth] ?? stacks[key.stack] else { continue }
            chains.append((stack, record))
        }
        for (key, record) in tracker.copies where record.made.blocks > 0 {
            guard let stack = stacks[key.stack, key.cause] ?? stacks[key.stack] else { continue }
            copies.append((stack, record))
        }
        for (key, sum) in tracker.undecided.sorted(by: { ($0.key.stack, $0.key.type) < ($1.key.stack, $1.key.type) }) {
            guard let stack = stacks[key.stack] else { continue }
            undecided.append((stack, sum))
        }
    }
}
