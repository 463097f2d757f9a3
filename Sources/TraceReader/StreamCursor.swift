// The decoder of one stream's records in the event loop (FORMAT.md §4). The scanner has verified checksums, bounds and counts of every chunk
// it listed, so nothing is reported here; yet each read stays inside the chunk's words whatever they hold, for another process
// may write to the file meanwhile.

/// Steps through the events of one (image, thread, lane). A value of plain words.
struct StreamCursor {
    /// The event under the cursor.
    var event: HeapEvent
    /// Orders events of equal time: frees first, then by thread, then by lane.
    var tie: UInt64
    var time: UInt64
    var at: UnsafePointer<UInt64>
    var end: UnsafePointer<UInt64>
    /// Row + 1 of the next chunk; 0 behind the last.
    var next: UInt32
    /// The low bits of `tie`: thread and lane.
    var streamTie: UInt64
    /// The allocation of a reallocation whose free is the event under the cursor, and its first word.
    var pendingWords: Int
    /// Its number among the cursors of the walk.
    let number: Int
    /// Whether it stands at an event, not before the first.
    var isOpen = false

    init(_ stream: StreamRow, number: Int, empty: UnsafePointer<UInt64>) {
        self.number = number
        event = HeapEvent(kind: .free, time: 0, thread: ThreadSerial(stream.thread), address: 0)
        tie = 0
        time = 0
        at = empty
        end = empty
        next = stream.firstChunk
        streamTie = UInt64(stream.thread) << 16 | UInt64(stream.lane)
        pendingWords = 0
    }

    private var allocationTie: UInt64 { streamTie | 1 << 63 }

    /// Whether this cursor's event comes before another stream's.
    @inline(__always)
    func isBefore(_ other: MergeKey) -> Bool {
        event.time < other.time || (event.time == other.time && tie < other.tie)
    }

    /// Writes the plain events that follow the one under the cursor and come before another stream's: those whose records are a FREE or an ALLOC,
    /// which is nearly all of them. It stops at any other record, near the end of the chunk, and when there is no more room; `advance` then
    /// goes on, whatever the reason. Nothing is taken that is not written.
    /// - Returns: how many it wrote.
    @inline(__always)
    mutating func takePlain(
        into out: UnsafeMutablePointer<HeapEvent>, room: Int, before limit: MergeKey
    ) -> Int {
        guard pendingWords == 0 else { return 0 }
        var at = at
        var time = time
        let thread = event.thread
        var count = 0
        while count < room, end - at >= 2 {
            let word = at[0]
            let next = time &+ RecordWord.delta(word)
            if word & RecordWord.kindMask == RecordWord.free {
                guard next < limit.time || (next == limit.time && streamTie < limit.tie) else { break }
                (out + count).initialize(
                    to: HeapEvent(kind: .free, time: next, thread: thread, address: RecordWord.address(word)))
                at += 1
            } else if word & RecordWord.kindMask == RecordWord.allocation {
                guard next < limit.time || (next == limit.time && allocationTie < limit.tie) else { break }
                let second = at[1]
                (out + count).initialize(
                    to: HeapEvent(
                        kind: .allocation, time: next, thread: thread, address: RecordWord.address(word),
                        size: RecordWord.size(second), stack: StackID(RecordWord.stack(second)),
                        alignmentCode: RecordWord.alignment(second)))
                at += 2
            } else {
                break
            }
            time = next
            count += 1
        }
        self.at = at
        self.time = time
        return count
    }

    /// Moves to the stream's next event; `false` behind its last.
    mutating func advance(_ source: EventSource, _ wordsRead: inout Int) -> Bool {
        if pendingWords != 0 { return finishReallocation() }
        while true {
            let left = end - at
            if left < 3 {
                // The last two words of a chunk, or its end.
                if left <= 0 {
                    guard openNextChunk(source, &wordsRead) else { return false }
                    continue
                }
                guard RecordWord.least(at[0]) <= left else {
                    at = end
                    continue
                }
            }
            let word = at[0]
            switch word & RecordWord.kindMask {
            case RecordWord.free:
                time &+= RecordWord.delta(word)
                setFree(RecordWord.address(word), isReallocationHalf: false)
                at += 1
                return true
            case RecordWord.allocation:
                time &+= RecordWord.delta(word)
                setAllocation(RecordWord.address(word), at[1], isReallocationHalf: false)
                at += 2
                return true
            case RecordWord.reallocation:
                time &+= RecordWord.delta(word)
                setFree(RecordWord.address(word), isReallocationHalf: true)
                pendingWords = 3
                return true
            case RecordWord.typedAllocation:
                time &+= RecordWord.delta(word)
                setAllocation(RecordWord.address(word), at[1], isReallocationHalf: false)
                event.typeID = at[2]
                at += 3
                return true
            case RecordWord.sampledAllocation:
                time &+= RecordWord.delta(word)
                setAllocation(RecordWord.address(word), at[1], isReallocationHalf: false)
                event.weight = Double(bitPattern: at[2])
                at += 3
                return true
            case RecordWord.extended:
                if takeExtended(word) { return true }
            default: at += 1
            }
        }
    }

    @inline(__always)
    mutating func setFree(_ address: UInt64, isReallocationHalf: Bool) {
        event = HeapEvent(
            kind: .free, time: time, thread: event.thread, address: address, isReallocationHalf: isReallocationHalf)
        tie = streamTie
    }

    /// Sets the event from an allocation's second word.
    @inline(__always)
    mutating func setAllocation(_ address: UInt64, _ word: UInt64, isReallocationHalf: Bool) {
        event = HeapEvent(
            kind: .allocation, time: time, thread: event.thread, address: address, size: RecordWord.size(word),
            stack: StackID(RecordWord.stack(word)), alignmentCode: RecordWord.alignment(word),
            isReallocationHalf: isReallocationHalf)
        tie = allocationTie
    }

    /// Delivers the second half of the reallocation at `at`.
    @inline(never)
    mutating func finishReallocation() -> Bool {
        if pendingWords == 3 {
            time &+= RecordWord.delta(at[1])
            setAllocation(RecordWord.address(at[1]), at[2], isReallocationHalf: true)
        } else {
            time = at[2]
            setWideAllocation(at + 3, RecordWord.argument(at[0]), isReallocationHalf: true)
        }
        at += pendingWords
        pendingWords = 0
        return true
    }

    /// Sets the event from the words address, size and stack of a wide record.
    mutating func setWideAllocation(_ words: UnsafePointer<UInt64>, _ argument: UInt64, isReallocationHalf: Bool) {
        event = HeapEvent(
            kind: .allocation, time: time, thread: event.thread, address: words[0], size: words[1],
            stack: StackID(UInt32(truncatingIfNeeded: words[2])),
            alignmentCode: RecordWord.alignmentCode(wide: argument), isReallocationHalf: isReallocationHalf)
        tie = allocationTie
    }

    /// Steps over an EXTENDED record; `true` when it is an event, which is then under the cursor.
    @inline(never)
    mutating func takeExtended(_ word: UInt64) -> Bool {
        let followers = RecordWord.followers(word)
        let record = at
        guard end - at > followers else {
            at = end
            return false
        }
        at += 1 + followers
        switch RecordWord.sub(word) {
        case ExtendedSub.time where followers >= 1: time = record[1]
        case ExtendedSub.wideFree where followers >= 1:
            setFree(record[1], isReallocationHalf: false)
            event.isFreedNext = RecordWord.argument(word) & ExtendedSub.freedNext != 0
            return true
        case ExtendedSub.freedType where followers >= 2:
            return takeFree(of: record[1], type: record[2])
        case ExtendedSub.wideAllocation where followers >= 5:
            setWideAllocation(record + 1, RecordWord.argument(word), isReallocationHalf: false)
            event.typeID = record[4]
            let weight = Double(bitPattern: record[5])
            if weight > 0 { event.weight = weight }
            return true
        case ExtendedSub.wideReallocation where followers >= 5:
            setFree(record[1], isReallocationHalf: true)
            at = record
            pendingWords = 1 + followers
            return true
        default: break
        }
        return false
    }

    /// Delivers the free that follows a FREED_TYPE with its type; `false` where another record follows, which is then left to the loop.
    @inline(never)
    mutating func takeFree(of address: UInt64, type: UInt64) -> Bool {
        while at < end {
            let word = at[0]
            switch word & RecordWord.kindMask {
            case RecordWord.free where RecordWord.address(word) == address:
                time &+= RecordWord.delta(word)
                setFree(address, isReallocationHalf: false)
                at += 1
            case RecordWord.extended where RecordWord.sub(word) == ExtendedSub.time:
                if takeExtended(word) { return true }
                continue
            case RecordWord.extended where RecordWord.sub(word) == ExtendedSub.wideFree:
                guard takeExtended(word) else { return false }
                guard event.address == address else { return true }
            default: return false
            }
            event.typeID = type
            return true
        }
        return false
    }

    /// Goes on to the stream's next chunk, if there is one.
    @inline(never)
    mutating func openNextChunk(_ source: EventSource, _ wordsRead: inout Int) -> Bool {
        while next != 0 {
            let chunk = source.chunks[Int(next) - 1]
            next = chunk.next
            time = chunk.firstTime
            let words = source.words(of: chunk, cursor: number)
            guard let start = words.baseAddress else { continue }
            at = start
            end = start + words.count
            wordsRead += words.count
            return true
        }
        source.close(number)
        return false
    }
}
