// What differs between two recordings of a program that did the same, although nothing was sampled: what the C library makes of chance.

extension ProfileDiff {
    /// What glibc leaves on a block at most: it cuts blocks from free ones, and what is too small for a block of its own stays on the one that was cut.
    static let remainderBytes = 16

    /// Whether a row has other slack than chance explains. The recorder asks once what a size gives, of the first block that has it. On glibc that is 16 bytes
    /// more where the block was cut from one that had as much left over, which other blocks decide; other allocators give a size the same each time.
    public func hasOtherSlack(_ row: DiffRow) -> Bool {
        guard row.hasOtherSlack else { return false }
        guard isOnGlibc, let change = row.change(.slackBytes) else { return true }
        let blocks = max(row.old?.figures.allocations ?? 0, row.new?.figures.allocations ?? 0)
        return change.magnitude > UInt(Self.remainderBytes).multipliedReportingOverflow(by: UInt(blocks)).partialValue
    }

    private var isOnGlibc: Bool { [old, new].allSatisfy { $0.trace.facts.allocator == "glibc" } }

    /// Whether a row is what the C library keeps for threads, and the programs had as many: a thread takes over the stack, and the blocks with it, of one that
    /// has ended by then, and has its own where none has.
    func isOfReusedThreads(_ row: DiffRow) -> Bool {
        row.key.row.type == Self.threadStorage && old.trace.threads == new.trace.threads
    }

    /// The owner of the blocks that a thread's stack has, as the rules for C name it.
    static let threadStorage = "libc: thread-local storage"
}
