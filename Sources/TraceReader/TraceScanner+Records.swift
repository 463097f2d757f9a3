// The records of EVENTS and DEFINITIONS chunks in the first pass (FORMAT.md §4): bounds, counts and definitions. The event loop's
// decoder, which relies on these bounds, is StreamCursor.

/// The state of a walk over one chunk's records.
struct RecordWalk {
    let words: UnsafeBufferPointer<UInt64>
    /// Offset of the first word in the file, and the bytes there of each: none when they were unpacked.
    let offset: UInt64
    let wordBytes: UInt64
    let image: Int
    let stream: Int
    let isDefinitions: Bool
    var time: UInt64
    /// The latest time before one was set: where times go back, it is not the last.
    var latest: UInt64 = 0
    var allocations: UInt64 = 0
    var frees: UInt64 = 0
    var pendingStacks: [Int] = []

    func fault(at word: Int, _ what: String) -> TraceError {
        .corrupt(offset: offset + UInt64(word) * wordBytes, what: what)
    }

    /// The bytes behind a record's fixed words, `length` of them starting at word `first`, ended by word `end`.
    func bytes(from first: Int, to end: Int, length: UInt64) throws(TraceError) -> ByteWindow {
        guard first <= end, length <= UInt64(end - first) * 8 else {
            throw fault(at: first, "a text that runs past its record")
        }
        return ByteWindow(
            UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(words)[first * 8..<first * 8 + Int(length)]),
            offset: offset + UInt64(first) * wordBytes, step: wordBytes / 8)
    }
}

extension TraceScanner {
    /// Walks the records of a chunk; appends it to its stream when all of it is sound.
    mutating func scanRecords(
        _ header: ChunkHeader, _ payload: ByteWindow, isDefinitions: Bool
    ) throws(TraceError) {
        guard payload.count % 8 == 0 else {
            throw .corrupt(offset: payload.offset, what: "records that are not whole words")
        }
        let image = imageRow(Int(header.image))
        let stream = streamRow(header)
        let thread = ThreadSerial(header.thread)
        if header.thread != 0, contents.images[image].threadsBySerial[thread] == nil {
            contents.images[image].threadsBySerial[thread] = ThreadInfo(serial: thread, threadID: 0, name: "")
        }
        var walk = RecordWalk(
            words: payload.bytes.assumingMemoryBound(to: UInt64.self), offset: payload.offset,
            wordBytes: 8 * payload.step, image: image,
            stream: stream, isDefinitions: isDefinitions, time: header.firstTime)
        swap(&walk.pendingStacks, &contents.streams[stream].pendingStacks)
        try scan(&walk, thread: thread)
        swap(&walk.pendingStacks, &contents.streams[stream].pendingStacks)

        guard walk.allocations == header.allocations, walk.frees == header.frees else {
            throw .corrupt(
                offset: payload.offset - UInt64(Format.chunkHeaderBytes),
                what:
                    "the chunk's header counts \(header.allocations) allocations and \(header.frees) frees, its records are "
                    + "\(walk.allocations) and \(walk.frees)")
        }
        guard walk.allocations + walk.frees > 0 else { return }
        guard !isDefinitions else { throw .corrupt(offset: payload.offset, what: "events among definitions") }
        try append(
            ChunkRow(header, payload: payload.offset), to: stream)
        contents.streams[stream].note(header, lastTime: max(walk.latest, walk.time))
        contents.allocations += walk.allocations
        contents.frees += walk.frees
        contents.images[image].allocations += walk.allocations
        contents.images[image].frees += walk.frees
        contents.images[image].firstTime = min(contents.images[image].firstTime ?? .max, header.firstTime)
        contents.images[image].lastTime = max(contents.images[image].lastTime ?? 0, walk.time)
    }

    private mutating func scan(_ walk: inout RecordWalk, thread: ThreadSerial) throws(TraceError) {
        let words = walk.words
        var at = 0
        while at < words.count {
            let word = words[at]
            let length: Int
            switch word & RecordWord.kindMask {
            case RecordWord.free:
                walk.time &+= RecordWord.delta(word)
                walk.frees += 1
                length = 1
            case RecordWord.allocation: length = 2
            case RecordWord.reallocation: length = 3
            case RecordWord.typedAllocation, RecordWord.sampledAllocation: length = 3
            case RecordWord.extended:
                let followers = RecordWord.followers(word)
                guard words.count - at > followers else {
                    throw walk.fault(at: at, "a record that runs past its chunk")
                }
                try scanExtended(&walk, at: at, followers: followers, thread: thread)
                at += 1 + followers
                continue
            default:
                guard word == 0 else { throw walk.fault(at: at, "unknown record kind \(word & 7)") }
                length = 1
            }
            if length > 1 {
                guard words.count - at >= length else { throw walk.fault(at: at, "a record that runs past its chunk") }
                try scanAllocation(&walk, at: at)
            }
            at += length
        }
    }

    @inline(__always)
    private mutating func scanAllocation(_ walk: inout RecordWalk, at: Int) throws(TraceError) {
        let word = walk.words[at]
        walk.time &+= RecordWord.delta(word)
        switch word & RecordWord.kindMask {
        case RecordWord.reallocation:
            let second = walk.words[at + 1]
            guard second & RecordWord.kindMask == RecordWord.allocation else {
                throw walk.fault(at: at + 1, "a reallocation without its allocation")
            }
            walk.frees += 1
            walk.time &+= RecordWord.delta(second)
        case RecordWord.sampledAllocation:
            guard Self.isWeight(walk.words[at + 2]) else { throw walk.fault(at: at + 2, "a weight that is no weight") }
        default: break
        }
        walk.allocations += 1
        if !walk.pendingStacks.isEmpty { bindPendingStacks(&walk) }
    }

    /// Stacks defined since the stream's last allocation are first used by this one.
    @inline(never)
    mutating func bindPendingStacks(_ walk: inout RecordWalk) {
        for row in walk.pendingStacks { contents.images[walk.image].stacks.setFirstUse(row: row, time: walk.time) }
        walk.pendingStacks.removeAll(keepingCapacity: true)
    }

    /// Whether the bits are a finite double that is not negative.
    static func isWeight(_ bits: UInt64) -> Bool {
        let weight = Double(bitPattern: bits)
        return weight.isFinite && weight >= 0
    }
}
