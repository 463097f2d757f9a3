// What a step outwards adds to a stack, kept for every distinct call: a program has a few thousand of them in a few hundred thousand stacks, so that
// nearly all of resolving a stack is looking up its steps. A flat table with a hash of two multiplications; memory grows with distinct calls.

/// A step from a frame to its caller.
struct StackStep: Equatable {
    /// The return address.
    var address: UInt64
    /// That of the frame inside, 0 for the innermost.
    var inner: UInt64
    /// Rows of their modules, -1 for none; both 0 where addresses alone tell them.
    var row: Int32 = 0
    var innerRow: Int32 = 0
}

/// The frames that steps add, by their numbers.
struct StackSteps {
    /// A step with its part of the frames; a free place has no frames, which no step has.
    private struct Entry {
        var step = StackStep(address: 0, inner: 0)
        var start: Int32 = 0
        var end: Int32 = 0
        var row: Int32 = 0
    }

    private var entries = Array(repeating: Entry(), count: 1024)
    private var shift: UInt64 = 54
    private var count = 0
    private(set) var frames: [Int32] = []

    @inline(__always)
    private func home(_ step: StackStep) -> Int {
        var hash = step.address &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash &>> 29 ^ step.inner &* 0xD6E8_FEB8_6659_FD93) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: hash &>> shift)
    }

    /// The part of `frames` that a step adds, and the row of its module; nil where it was not kept. Expected O(1).
    @inline(__always)
    func find(_ step: StackStep) -> (frames: Range<Int>, row: Int)? {
        var place = home(step)
        while entries[place].end != 0 {
            if entries[place].step == step {
                return (Int(entries[place].start)..<Int(entries[place].end), Int(entries[place].row))
            }
            place = (place &+ 1) & (entries.count &- 1)
        }
        return nil
    }

    /// Keeps what a step adds, which is something, and the row of its module.
    mutating func keep(_ step: StackStep, _ numbers: ArraySlice<Int32>, row: Int) {
        guard !numbers.isEmpty, frames.count + numbers.count <= Int(Int32.max) else { return }
        let start = Int32(frames.count)
        frames += numbers
        count += 1
        if count * 2 > entries.count { grow() }
        place(Entry(step: step, start: start, end: Int32(frames.count), row: Int32(truncatingIfNeeded: row)))
    }

    private mutating func place(_ entry: Entry) {
        var place = home(entry.step)
        while entries[place].end != 0 { place = (place + 1) & (entries.count - 1) }
        entries[place] = entry
    }

    private mutating func grow() {
        let old = entries
        entries = Array(repeating: Entry(), count: old.count * 2)
        shift -= 1
        for entry in old where entry.end != 0 { place(entry) }
    }
}
