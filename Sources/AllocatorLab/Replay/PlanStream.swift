// The operations of one thread on their way into the plan's file, block by block, and what the planner knows of that thread.

internal import CReplay

/// One thread's part of a plan.
final class PlanStream {
    /// Its number in the plan.
    let number: UInt32
    /// Operations so far.
    private(set) var operations: UInt64 = 0
    /// Of them, as the loop computes it.
    private(set) var hash: UInt64 = 0
    /// Where its words went.
    private(set) var blocks: [ht_replay_block] = []
    /// The longest of them.
    private(set) var longestWords = 0

    /// Slots that this thread freed, the last one last, each with the operation that freed it.
    private var pool: [(slot: UInt32, operations: UInt64)] = []
    private var poolStart = 0
    /// How far other threads are known to be when this one goes on.
    private var known: [UInt32: UInt64] = [:]
    /// Its first turn, in which it was begun, and its last so far.
    var turns: ClosedRange<UInt64> = 0...0
    /// Whether it is listed among those that have slots to give.
    var isKnownAsRich = false
    /// Reallocations that have begun, the last one last: more than one only where a signal handler interrupted one.
    var reallocations: [PlanReallocation] = []

    private var words: UnsafeMutablePointer<UInt64>
    private var capacity = 512
    private var count = 0
    private let writer: PlanWriter

    init(number: UInt32, writer: PlanWriter) {
        self.number = number
        self.writer = writer
        words = .allocate(capacity: capacity)
    }

    deinit { words.deallocate() }

    /// Appends an operation of one to four words.
    @inline(__always)
    func append(
        _ op: UInt64, slot: UInt32, detail: UInt64, _ second: UInt64? = nil, _ third: UInt64? = nil,
        _ fourth: UInt64? = nil
    ) {
        if count + 4 > capacity { flush() }
        words[count] = op | UInt64(slot) << 4 | detail << 32
        count += 1
        hash = ht_replay_hash(hash, words[count - 1])
        for word in [second, third, fourth] {
            guard let word else { break }
            words[count] = word
            count += 1
        }
        operations += 1
    }

    /// Forgets all of it.
    func drop() {
        blocks = []
        count = 0
        longestWords = 0
    }

    /// Adds a word to the hash beside those that every operation adds.
    func addToHash(_ word: UInt64) { hash = ht_replay_hash(hash, word) }

    /// Writes what is there to the file.
    func flush() {
        guard count > 0 else { return }
        blocks.append(ht_replay_block(offset: writer.write(words, count), words: UInt64(count)))
        longestWords = max(longestWords, count)
        count = 0
        guard capacity < Int(HT_REPLAY_BLOCK_WORDS) else { return }
        // Most threads are short: a stream begins small.
        capacity *= 2
        words.deallocate()
        words = .allocate(capacity: capacity)
    }

    // MARK: What it knows of others

    /// Whether another thread is known to have done so much.
    func knows(_ other: UInt32, hasDone operations: UInt64) -> Bool { (known[other] ?? 0) >= operations }

    /// Notes that it has.
    func learn(_ other: UInt32, hasDone operations: UInt64) { known[other] = operations }

    // MARK: Slots

    /// How many slots it has to give.
    var spareSlots: Int { pool.count - poolStart }

    /// Takes back a slot that this thread freed just now, or was given.
    func put(slot: UInt32) { pool.append((slot, operations)) }

    /// The slot that was freed last.
    func takeSlot() -> UInt32? {
        guard pool.count > poolStart else { return nil }
        return pool.removeLast().slot
    }

    /// Gives up the slots that were freed first, half of them at most, and says after how many operations they all had been.
    func giveSlots(atMost limit: Int) -> (slots: [UInt32], operations: UInt64) {
        let count = min(limit, max(1, spareSlots / 2))
        let given = pool[poolStart..<poolStart + count]
        let result = (given.map(\.slot), given.last?.operations ?? 0)
        poolStart += count
        if poolStart > pool.count / 2 {
            pool.removeFirst(poolStart)
            poolStart = 0
        }
        return result
    }
}

/// A reallocation of which the plan has seen the free, and not yet the allocation.
struct PlanReallocation {
    /// The block's place in the plan.
    var block: PlannedBlock
    /// Its bytes.
    var size: UInt64
    var owner: UInt32
    /// Whether a LAPSE was written, for other events came between.
    var hasLapsed = false
}

/// A live block of the trace: its slot, and the operation that filled it.
struct PlannedBlock {
    var slot: UInt32
    var stream: UInt32
    var operations: UInt64
}
