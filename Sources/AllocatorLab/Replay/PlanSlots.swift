// Where the blocks of a plan are kept while they live. Slots are used again, so that there are about as many as blocks live at once, never as many
// as events: a thread takes the slot that it freed last itself; only when all threads together keep many spare ones does it take some that another
// one freed long ago.

/// The slots of a plan, and who has spare ones.
struct PlanSlots {
    /// Slots that there are.
    private(set) var count: UInt32 = 0
    /// Of them, those without a block.
    private var spare = 0
    /// Threads that had more than ``ample`` spare ones, in the order in which they came to them.
    private var rich: [PlanStream] = []
    private var firstRich = 0

    /// A thread keeps so many for itself.
    private static let ample = 16
    /// How many change hands at once.
    private static let handful = 256

    /// A slot for a block that a thread allocates. Amortised O(1).
    /// - Parameter wait: makes sure that another thread's operations are over before the slots that they emptied are used.
    mutating func take(for stream: PlanStream, wait: (_ other: PlanStream, _ operations: UInt64) -> Void) -> UInt32 {
        if let slot = stream.takeSlot() {
            spare -= 1
            return slot
        }
        if spare > 4096 + Int(count) / 8, let other = richest() {
            let (given, operations) = other.giveSlots(atMost: Self.handful)
            wait(other, operations)
            for slot in given.reversed() { stream.put(slot: slot) }
            noteIfRich(stream)
            if let slot = stream.takeSlot() {
                spare -= 1
                return slot
            }
        }
        count += 1
        return count - 1
    }

    /// The block of a slot is gone, by a thread's last operation.
    mutating func put(_ slot: UInt32, by stream: PlanStream) {
        stream.put(slot: slot)
        spare += 1
        noteIfRich(stream)
    }

    @inline(__always)
    private mutating func noteIfRich(_ stream: PlanStream) {
        guard stream.spareSlots > Self.ample, !stream.isKnownAsRich else { return }
        stream.isKnownAsRich = true
        rich.append(stream)
    }

    /// The thread that has been rich for longest, if it still is.
    private mutating func richest() -> PlanStream? {
        while firstRich < rich.count {
            let stream = rich[firstRich]
            if stream.spareSlots > Self.ample { return stream }
            stream.isKnownAsRich = false
            firstRich += 1
            if firstRich > 64, firstRich > rich.count / 2 {
                rich.removeFirst(firstRich)
                firstRich = 0
            }
        }
        return nil
    }
}
