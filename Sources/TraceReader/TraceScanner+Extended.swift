// EXTENDED records in the first pass: wide events, and everything that is defined. Sub-kinds that are not known are skipped by their length.

extension TraceScanner {
    /// Takes one EXTENDED record whose words are known to lie in the chunk.
    mutating func scanExtended(
        _ walk: inout RecordWalk, at: Int, followers: Int, thread: ThreadSerial
    ) throws(TraceError) {
        let words = walk.words
        let sub = RecordWord.sub(words[at])
        guard followers >= Self.leastFollowers(sub) else { throw walk.fault(at: at, "a record that is too short") }
        let argument = RecordWord.argument(words[at])
        let end = at + 1 + followers
        let image = walk.image
        switch sub {
        case ExtendedSub.time:
            walk.latest = max(walk.latest, walk.time)
            walk.time = words[at + 1]
        case ExtendedSub.wideFree: walk.frees += 1
        case ExtendedSub.wideAllocation, ExtendedSub.wideReallocation:
            try scanWide(&walk, at: at, isReallocation: sub == ExtendedSub.wideReallocation)
        case ExtendedSub.stack:
            let first = words[at + 1]
            let second = words[at + 2]
            let row = contents.images[image].stacks.define(
                id: UInt32(truncatingIfNeeded: argument), base: UInt32(truncatingIfNeeded: first),
                kept: UInt32(truncatingIfNeeded: first >> 32) & 0xFFFF, flags: UInt16(truncatingIfNeeded: first >> 48),
                tag: UInt32(truncatingIfNeeded: second), task: UInt32(truncatingIfNeeded: second >> 32),
                time: walk.time, frames: UnsafeBufferPointer(rebasing: words[at + 3..<end]))
            if !walk.isDefinitions { walk.pendingStacks.append(row) }
        case ExtendedSub.module: try scanModule(walk, at: at, end: end, id: argument)
        case ExtendedSub.moduleGone:
            contents.images[image].modules.noteUnload(
                ModuleID(UInt32(truncatingIfNeeded: argument)), at: walk.time)
        case ExtendedSub.usable:
            let code = UInt8(truncatingIfNeeded: min(argument, 255))
            contents.images[image].usableSizes.define(
                size: words[at + 1], alignmentCode: code, usable: words[at + 2], at: walk.time)
        case ExtendedSub.loss:
            streamLosses.allocations &+= words[at + 1]
            streamLosses.frees &+= words[at + 2]
            streamLosses.bytes &+= words[at + 3]
        case ExtendedSub.totals:
            let totals = AllocationTotals(
                allocations: words[at + 1], frees: words[at + 2], bytes: words[at + 3],
                reallocations: followers > 3 ? words[at + 4] : nil)
            if thread == ThreadSerial(0) {
                contents.images[image].unplacedTotals = totals
            } else {
                contents.images[image].threadsBySerial[thread]?.exactTotals = totals
            }
        case ExtendedSub.count:
            addCount(CounterID(UInt32(truncatingIfNeeded: argument)), words[at + 1], image: image)
        case ExtendedSub.stackType:
            contents.images[image].stacks.setType(of: UInt32(truncatingIfNeeded: argument), words[at + 1])
        case ExtendedSub.freedType: contents.images[image].hasFreedTypes = true
        case ExtendedSub.metadata: try scanMetadata(walk, at: at, followers: followers, argument: argument)
        default: try scanName(walk, at: at, end: end, sub: sub, argument: argument, thread: thread)
        }
    }

    private mutating func scanWide(_ walk: inout RecordWalk, at: Int, isReallocation: Bool) throws(TraceError) {
        let words = walk.words
        guard RecordWord.argument(words[at]) <= 64 else { throw walk.fault(at: at, "an alignment beyond 2^63") }
        if isReallocation {
            guard words[at + 5] <= UInt32.max else { throw walk.fault(at: at + 5, "a stack id beyond 32 bits") }
            walk.latest = max(walk.latest, walk.time)
            walk.time = words[at + 2]
            walk.frees += 1
        } else {
            guard words[at + 3] <= UInt32.max else { throw walk.fault(at: at + 3, "a stack id beyond 32 bits") }
            guard Self.isWeight(words[at + 5]) else { throw walk.fault(at: at + 5, "a weight that is no weight") }
        }
        walk.allocations += 1
        if !walk.pendingStacks.isEmpty { bindPendingStacks(&walk) }
    }

    private mutating func scanModule(
        _ walk: RecordWalk, at: Int, end: Int, id: UInt64
    ) throws(TraceError) {
        let words = walk.words
        let buildIDBytes = words[at + 4] & 0xFFFF
        let pathBytes = (words[at + 4] >> 16) & 0xFFFF
        let buildID = try walk.bytes(from: at + 5, to: end, length: buildIDBytes)
        let path = try walk.bytes(from: at + 5 + (Int(buildIDBytes) + 7) / 8, to: end, length: pathBytes)
        contents.images[walk.image].modules.define(
            ModuleInfo(
                id: ModuleID(UInt32(truncatingIfNeeded: id)), path: path.text, buildID: Array(buildID.bytes),
                start: words[at + 1], end: words[at + 2], bias: words[at + 3], loadTime: walk.time, unloadTime: .max))
    }

    /// The records that give a name to an id.
    private mutating func scanName(
        _ walk: RecordWalk, at: Int, end: Int, sub: UInt64, argument: UInt64, thread: ThreadSerial
    ) throws(TraceError) {
        let image = walk.image
        let id = UInt32(truncatingIfNeeded: argument)
        if sub == ExtendedSub.type {
            let name = try walk.bytes(from: at + 3, to: end, length: walk.words[at + 2])
            contents.images[image].typeNames[walk.words[at + 1]] = name.text
            return
        }
        guard Self.leastFollowers(sub) == 1 else { return }  // a sub-kind of a later minor version
        let value = try walk.bytes(from: at + 2, to: end, length: walk.words[at + 1])
        switch sub {
        case ExtendedSub.tag:
            let parts = value.texts + ["", "", "", ""]
            contents.images[image].tags[TagID(id)] = OwnerTagInfo(
                family: parts[0], type: parts[1], cause: parts[2], language: parts[3])
        case ExtendedSub.counter:
            addCount(CounterID(id), 0, image: image)
            contents.images[image].countersByID[CounterID(id)]?.name = value.text
        case ExtendedSub.thread:
            contents.images[image].threadsBySerial[thread]?.threadID = argument
            contents.images[image].threadsBySerial[thread]?.name = value.text
        case ExtendedSub.task: contents.images[image].taskNames[id] = value.text
        default:  // ExtendedSub.image
            guard let number = UInt16(exactly: argument) else {
                throw walk.fault(at: at, "an image number beyond 16 bits")
            }
            let parts = value.texts
            let row = imageRow(Int(number))
            contents.images[row].info.executable = parts.first ?? ""
            contents.images[row].info.workingDirectory = parts.count > 1 ? parts[1] : ""
            contents.images[row].info.arguments = Array(parts.dropFirst(2))
        }
    }

    private mutating func addCount(_ counter: CounterID, _ amount: UInt64, image: Int) {
        contents.images[image].countersByID[counter, default: CounterInfo(id: counter, name: "", total: 0)].total &+=
            amount
    }

    /// The words a known sub-kind has at least behind its first; 0 for those that are not known.
    private static func leastFollowers(_ sub: UInt64) -> Int {
        switch sub {
        case ExtendedSub.time, ExtendedSub.wideFree, ExtendedSub.count, ExtendedSub.tag, ExtendedSub.counter,
            ExtendedSub.thread, ExtendedSub.task, ExtendedSub.image, ExtendedSub.stackType:
            1
        case ExtendedSub.stack, ExtendedSub.usable, ExtendedSub.type, ExtendedSub.freedType: 2
        case ExtendedSub.loss, ExtendedSub.totals, ExtendedSub.metadata: 3
        case ExtendedSub.module: 4
        case ExtendedSub.wideAllocation, ExtendedSub.wideReallocation: 5
        default: 0
        }
    }
}
