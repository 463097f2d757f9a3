// The records of an event chunk, written word by word from FORMAT.md §4. Times are absolute here; deltas, and TIME where they do not fit,
// are made as a recorder makes them.

/// Writes the records of one chunk.
package struct RecordWriter {
    /// The words so far, as bytes.
    package private(set) var payload: [UInt8] = []
    /// The stream's time.
    package private(set) var time: UInt64
    /// ALLOC events so far.
    package private(set) var allocations: UInt32 = 0
    /// FREE events so far.
    package private(set) var frees: UInt32 = 0
    /// Records so far.
    package private(set) var records: UInt32 = 0

    /// Starts at a chunk's first time.
    package init(time: UInt64) { self.time = time }

    /// Appends words as they are, without counting them.
    package mutating func raw(_ words: UInt64...) {
        for word in words { append(word) }
    }

    /// Counts events that were written as raw words.
    package mutating func count(allocations: UInt32 = 0, frees: UInt32 = 0) {
        self.allocations += allocations
        self.frees += frees
    }

    /// FREE.
    package mutating func free(_ address: UInt64, at time: UInt64) {
        let delta = advance(to: time)
        append((address >> 3) << 20 | delta << 3 | 1)
        records += 1
        frees += 1
    }

    /// ALLOC.
    package mutating func allocate(
        _ address: UInt64, size: UInt64, stack: UInt32 = 0, alignment: UInt64 = 0, at time: UInt64
    ) {
        head(address, kind: 2, at: time)
        append(alignment << 60 | UInt64(stack) << 32 | size)
    }

    /// ALLOC_TYPED.
    package mutating func allocate(
        _ address: UInt64, size: UInt64, stack: UInt32 = 0, type: UInt64, at time: UInt64
    ) {
        head(address, kind: 4, at: time)
        append(UInt64(stack) << 32 | size)
        append(type)
    }

    /// ALLOC_SAMPLE.
    package mutating func sample(
        _ address: UInt64, size: UInt64, stack: UInt32 = 0, weight: Double, at time: UInt64
    ) {
        head(address, kind: 5, at: time)
        append(UInt64(stack) << 32 | size)
        append(weight.bitPattern)
    }

    /// REALLOC: a free at `freed` and an allocation at `time`, which lie less than 2^17 ticks apart.
    package mutating func reallocate(
        _ old: UInt64, to new: UInt64, size: UInt64, stack: UInt32 = 0, freed: UInt64, at time: UInt64
    ) {
        let delta = advance(to: freed)
        append((old >> 3) << 20 | delta << 3 | 3)
        frees += 1
        head(new, kind: 2, at: time)
        append(UInt64(stack) << 32 | size)
    }

    /// Any EXTENDED record: argument, then words.
    package mutating func extended(_ sub: UInt64, argument: UInt64 = 0, _ words: [UInt64]) {
        append(argument << 24 | UInt64(words.count) << 8 | sub << 3 | 7)
        for word in words { append(word) }
        records += 1
    }

    /// TIME.
    package mutating func setTime(_ time: UInt64) {
        extended(1, [time])
        self.time = time
    }

    /// WIDE_FREE at the stream's time.
    package mutating func wideFree(_ address: UInt64, isFreedNext: Bool = false) {
        extended(2, argument: isFreedNext ? 1 : 0, [address])
        frees += 1
    }

    /// WIDE_ALLOC at the stream's time; `alignment` is log2 + 1, or 0.
    package mutating func wideAllocate(
        _ address: UInt64, size: UInt64, stack: UInt64 = 0, alignment: UInt64 = 0, type: UInt64 = 0, weight: Double = 0
    ) {
        extended(3, argument: alignment, [address, size, stack, type, weight.bitPattern])
        allocations += 1
    }

    /// WIDE_REALLOC: the free at the stream's time.
    package mutating func wideReallocate(
        _ old: UInt64, to new: UInt64, size: UInt64, stack: UInt64 = 0, alignment: UInt64 = 0, at time: UInt64
    ) {
        extended(4, argument: alignment, [old, time, new, size, stack])
        self.time = time
        allocations += 1
        frees += 1
    }

    /// STACK: the new frames, innermost first, in front of the `kept` outermost ones of `base`.
    package mutating func stack(
        _ id: UInt32, frames: [UInt64], base: UInt32 = 0, kept: UInt16 = 0, flags: UInt16 = 0, tag: UInt32 = 0,
        task: UInt32 = 0
    ) {
        extended(
            5, argument: UInt64(id),
            [
                UInt64(flags) << 48 | UInt64(kept) << 32 | UInt64(base), UInt64(task) << 32 | UInt64(tag),
            ] + frames)
    }

    /// MODULE.
    package mutating func module(
        _ id: UInt32, path: String, buildID: [UInt8] = [], from start: UInt64, to end: UInt64, bias: UInt64 = 0
    ) {
        extended(
            6, argument: UInt64(id),
            [start, end, bias, UInt64(path.utf8.count) << 16 | UInt64(buildID.count)]
                + Self.words(buildID) + Self.words(Array(path.utf8)))
    }

    /// MODULE_GONE.
    package mutating func moduleGone(_ id: UInt32) { extended(7, argument: UInt64(id), []) }

    /// USABLE.
    package mutating func usable(size: UInt64, alignment: UInt64 = 0, usable: UInt64) {
        extended(8, argument: alignment, [size, usable])
    }

    /// TAG.
    package mutating func tag(_ id: UInt32, family: String, type: String, cause: String, language: String) {
        text(9, id: UInt64(id), [family, type, cause, language].joined(separator: "\0"))
    }

    /// COUNTER.
    package mutating func counter(_ id: UInt32, _ name: String) { text(10, id: UInt64(id), name) }

    /// COUNT.
    package mutating func count(_ id: UInt32, _ amount: UInt64) { extended(11, argument: UInt64(id), [amount]) }

    /// THREAD.
    package mutating func thread(_ threadID: UInt64, _ name: String) { text(12, id: threadID, name) }

    /// TYPE.
    package mutating func type(_ id: UInt64, _ name: String) {
        extended(13, [id, UInt64(name.utf8.count)] + Self.words(Array(name.utf8)))
    }

    /// METADATA. `count` is what the record says of its own words.
    package mutating func metadata(
        _ id: UInt64, kind: UInt64, kindWord: UInt64 = 0, descriptor: UInt64, _ arguments: [UInt64] = [],
        flags: UInt64 = 0, count: Int? = nil
    ) {
        let count = UInt64(count ?? 1 + arguments.count)
        extended(18, argument: flags, [id, count | kind << 16 | kindWord << 32, descriptor] + arguments)
    }

    /// FREED_TYPE.
    package mutating func freedType(_ address: UInt64, _ type: UInt64) { extended(19, [address, type]) }

    /// STACK_TYPE.
    package mutating func stackType(_ stack: UInt32, _ type: UInt64) { extended(20, argument: UInt64(stack), [type]) }

    /// LOSS.
    package mutating func loss(allocations: UInt64, frees: UInt64, bytes: UInt64) {
        extended(14, [allocations, frees, bytes])
    }

    /// TOTALS.
    package mutating func totals(allocations: UInt64, frees: UInt64, bytes: UInt64, reallocations: UInt64? = nil) {
        extended(15, [allocations, frees, bytes] + (reallocations.map { [$0] } ?? []))
    }

    /// TASK.
    package mutating func task(_ id: UInt32, _ name: String) { text(16, id: UInt64(id), name) }

    /// IMAGE.
    package mutating func image(_ number: UInt16, executable: String, directory: String, arguments: [String]) {
        text(17, id: UInt64(number), ([executable, directory] + arguments).map { $0 + "\0" }.joined())
    }

    private mutating func text(_ sub: UInt64, id: UInt64, _ text: String) {
        extended(sub, argument: id, [UInt64(text.utf8.count)] + Self.words(Array(text.utf8)))
    }

    private mutating func head(_ address: UInt64, kind: UInt64, at time: UInt64) {
        let delta = advance(to: time)
        append((address >> 3) << 20 | delta << 3 | kind)
        records += 1
        allocations += 1
    }

    private mutating func advance(to time: UInt64) -> UInt64 {
        let delta = time &- self.time
        self.time = time
        guard delta >= 1 << 17 else { return delta }
        extended(1, [time])
        return 0
    }

    private mutating func append(_ word: UInt64) {
        withUnsafeBytes(of: word.littleEndian) { payload += $0 }
    }

    private static func words(_ bytes: [UInt8]) -> [UInt64] {
        stride(from: 0, to: bytes.count, by: 8).map { start in
            bytes[start..<min(start + 8, bytes.count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
