// From the blocks of a trace to a plan: which thread makes which call, in which slot a block is kept, and what must have happened before.
//
// Slots are used again, so that there are about as many as blocks live at once, never as many as events. A thread takes the slot that it freed
// last itself; only when all threads together keep many spare ones does it take some that another one freed long ago, and is then told to wait
// for that. Every wait is for something earlier in the trace's order, so none can be for ever.

internal import CReplay
internal import HeapAnalysis

/// Makes a plan from blocks as they come and go.
final class ReplayPlanner {
    /// Points of the curve, about.
    static let curvePoints: UInt64 = 512
    private static let largestSize: UInt64 = 1 << 47
    private static let largestSlot = UInt32(1) << 28

    private let file: PlanFile
    private let writer: PlanWriter
    private var streams: [PlanStream] = []
    private var streamsByThread: [UInt32: PlanStream] = [:]
    private let turns: PlanStream
    private var current: PlanStream
    private var turnOperations: UInt64 = 0
    private var blocks = PlannedBlocks()
    private var slots: UInt32 = 0
    private var spareSlots = 0
    /// Streams with a reallocation that has begun.
    private var reallocating: [PlanStream] = []
    /// The last event of a batch, for the next one may say what it is.
    private var held: BlockEvent?
    private var plan: ReplayPlan
    private var live: UInt64 = 0
    private var nextSample: UInt64
    private var owners: UInt64 = 0
    /// Of the last event, in ticks, and of the first.
    private var time: UInt64 = 0
    private var firstTime: UInt64?

    /// Starts a plan.
    /// - Parameters:
    ///   - mainThread: serial of the thread that the process began with; nil when not known: the first one that calls.
    ///   - expectedEvents: about how many there will be, for the points of the curve.
    init(mainThread: UInt32?, expectedEvents: UInt64) throws(ReplayError) {
        file = try PlanFile(purpose: "plan")
        writer = PlanWriter(file: file)
        plan = ReplayPlan(file: file)
        plan.sampleStep = max(1, expectedEvents / Self.curvePoints)
        nextSample = plan.sampleStep
        turns = PlanStream(number: .max, writer: writer)
        current = PlanStream(number: 0, writer: writer)
        streams = [current]
        if let mainThread { streamsByThread[mainThread] = current }
    }

    /// Takes the next events.
    func take(_ events: UnsafeBufferPointer<BlockEvent>) {
        var index = 0
        if let held {
            self.held = nil
            let isFleeting = events[0].endsUncounted && !held.isReallocationHalf
            if isFleeting { index = 1 }
            take(held, isFleeting: isFleeting)
        }
        while index < events.count {
            let event = events[index]
            index += 1
            guard event.kind == .allocation else {
                free(event)
                continue
            }
            if index == events.count {
                held = event
            } else {
                let isFleeting = events[index].endsUncounted && !event.isReallocationHalf
                take(event, isFleeting: isFleeting)
                if isFleeting { index += 1 }
            }
        }
    }

    // MARK: Operations

    @inline(__always)
    private func emit(
        _ stream: PlanStream, _ op: ht_replay_op, slot: UInt32, detail: UInt64, _ second: UInt64? = nil,
        _ third: UInt64? = nil, _ fourth: UInt64? = nil
    ) {
        if stream !== current {
            endTurn()
            current = stream
        }
        turnOperations += 1
        stream.append(UInt64(op.rawValue), slot: slot, detail: detail, second, third, fourth)
    }

    private func endTurn() {
        var left = turnOperations
        while left > 0 {
            let part = min(left, UInt64(UInt32.max))
            turns.append(0, slot: current.number, detail: part)
            left -= part
        }
        turnOperations = 0
    }

    private func stream(ofThread thread: UInt32) -> PlanStream {
        if let known = streamsByThread[thread] { return known }
        let stream: PlanStream
        if streamsByThread.isEmpty {
            stream = streams[0]
        } else {
            stream = PlanStream(number: UInt32(streams.count), writer: writer)
            streams.append(stream)
            // Whoever was running; the trace does not tell who made the thread.
            emit(current, HT_REPLAY_START, slot: stream.number, detail: 0)
            stream.learn(current.number, hasDone: current.operations)
        }
        streamsByThread[thread] = stream
        return stream
    }

    /// Makes sure that another thread's operation is over.
    @inline(__always)
    private func wait(_ stream: PlanStream, for block: PlannedBlock) {
        if block.stream == stream.number || stream.knows(block.stream, hasDone: block.operations) { return }
        emit(stream, HT_REPLAY_WAIT, slot: block.stream, detail: block.operations)
        stream.learn(block.stream, hasDone: block.operations)
        plan.waits += 1
    }

    private func takeSlot(_ stream: PlanStream) -> UInt32 {
        if let slot = stream.takeSlot() {
            spareSlots -= 1
            return slot
        }
        if spareSlots > 4096 + Int(slots) / 8, let richest = streams.max(by: { $0.spareSlots < $1.spareSlots }),
            richest.spareSlots > 64
        {
            let (given, operations) = richest.giveSlots(atMost: 256)
            wait(stream, for: PlannedBlock(slot: 0, stream: richest.number, operations: operations))
            for slot in given.reversed() { stream.put(slot: slot) }
            spareSlots -= 1
            return stream.takeSlot()!
        }
        slots += 1
        return slots - 1
    }

    private func take(_ event: BlockEvent, isFleeting: Bool) {
        note(event.time)
        let stream = stream(ofThread: event.thread)
        if !reallocating.isEmpty {
            let isSecondHalf = event.isReallocationHalf && !stream.reallocations.isEmpty
            lapse(but: isSecondHalf ? stream : nil)
            if isSecondHalf {
                reallocate(event, stream)
                return
            }
        }
        let size = min(event.size, Self.largestSize)
        let slot = takeSlot(stream)
        let owner = UInt64(event.owner) << 32
        owners = max(owners, UInt64(event.owner) + 1)
        let wide = (size >> 32) << 40 | Self.alignmentLog(event.alignmentCode) << 32
        if isFleeting {
            emit(stream, HT_REPLAY_FLEETING, slot: slot, detail: size & 0xffff_ffff, owner, wide)
            stream.addToHash(wide)
            stream.put(slot: slot)
            spareSlots += 1
            advance(2)
            return
        }
        if wide == 0 {
            emit(stream, HT_REPLAY_MALLOC, slot: slot, detail: size, owner)
        } else {
            emit(stream, HT_REPLAY_MALLOC_WIDE, slot: slot, detail: size & 0xffff_ffff, owner, wide)
            stream.addToHash(wide)
        }
        blocks.insert(
            PlannedBlock(slot: slot, stream: stream.number, operations: stream.operations), at: event.address)
        live += size
        advance(1)
    }

    private func free(_ event: BlockEvent) {
        note(event.time)
        let stream = stream(ofThread: event.thread)
        if !reallocating.isEmpty { lapse(but: nil) }
        guard let block = blocks.remove(event.address) else { return }
        let size = min(event.size, Self.largestSize)
        if event.isReallocationHalf, !event.isRepaired {
            stream.reallocations.append(PlanReallocation(block: block, size: size, owner: event.owner))
            reallocating.append(stream)
            return
        }
        wait(stream, for: block)
        emit(stream, HT_REPLAY_FREE, slot: block.slot, detail: UInt64(event.owner))
        putBack(block.slot, stream)
        live -= size
        advance(1)
    }

    private func putBack(_ slot: UInt32, _ stream: PlanStream) {
        stream.put(slot: slot)
        spareSlots += 1
    }

    // MARK: Reallocations

    private func reallocate(_ event: BlockEvent, _ stream: PlanStream) {
        let begun = stream.reallocations.removeLast()
        if let index = reallocating.lastIndex(where: { $0 === stream }) { reallocating.remove(at: index) }
        let size = min(event.size, Self.largestSize)
        let slot = begun.block.slot
        wait(stream, for: begun.block)
        owners = max(owners, UInt64(event.owner) + 1)
        let owner = UInt64(event.owner) << 32
        let pages = ((begun.size + 4095) / 4096) << 32
        let wide = (size >> 32) << 40
        if !begun.hasLapsed { live -= begun.size }
        if begun.hasLapsed || wide != 0 {
            let op = begun.hasLapsed ? HT_REPLAY_REALLOC_LATE : HT_REPLAY_REALLOC_WIDE
            emit(stream, op, slot: slot, detail: size & 0xffff_ffff, owner, pages, wide)
            stream.addToHash(wide)
        } else {
            emit(stream, HT_REPLAY_REALLOC, slot: slot, detail: size, owner, pages)
        }
        blocks.insert(
            PlannedBlock(slot: slot, stream: stream.number, operations: stream.operations), at: event.address)
        live += size
        advance(begun.hasLapsed ? 1 : 2)
    }

    /// Other events come between the halves of reallocations: their blocks are no longer live.
    private func lapse(but stream: PlanStream?) {
        for other in reallocating {
            // The last one of a thread may be the one that its allocation is about to end.
            let end = other === stream ? other.reallocations.count - 1 : other.reallocations.count
            for index in 0..<end where !other.reallocations[index].hasLapsed {
                let begun = other.reallocations[index]
                other.reallocations[index].hasLapsed = true
                wait(other, for: begun.block)
                emit(other, HT_REPLAY_LAPSE, slot: begun.block.slot, detail: 0)
                live -= begun.size
                advance(1)
            }
        }
    }

    // MARK: The curve

    @inline(__always)
    private func advance(_ events: UInt64) {
        plan.events += events
        if live > plan.peakBytes {
            plan.peakBytes = live
            plan.peakEvent = plan.events
        }
        if plan.events >= nextSample { sample() }
    }

    private func note(_ ticks: UInt64) {
        time = max(time, ticks)
        if firstTime == nil { firstTime = ticks }
    }

    private func sample() {
        plan.curve.append(live)
        plan.times.append(time - (firstTime ?? time))
        nextSample += plan.sampleStep
    }

    // MARK: The end

    /// Ends the plan.
    /// - Returns: the plan, its owners without names.
    func finish() throws(ReplayError) -> ReplayPlan {
        if let held { take(held, isFleeting: false) }
        held = nil
        lapse(but: nil)
        for stream in reallocating {
            let begun = stream.reallocations.removeLast()
            emit(stream, HT_REPLAY_FREE_LATE, slot: begun.block.slot, detail: UInt64(begun.owner))
        }
        endTurn()
        sample()
        guard slots < Self.largestSlot, streams.count < Int(Self.largestSlot) else {
            throw .tooLarge("more than 268,435,455 blocks are live at once, which no replay can hold")
        }
        guard streams.allSatisfy({ $0.operations < UInt64(UInt32.max) }) else {
            throw .tooLarge("a thread makes more than 4,294,967,295 calls, which no replay can hold")
        }
        if streams.count == 1 { turns.drop() }
        var all = streams + [turns]
        for stream in all { stream.flush() }
        var header = ht_replay_plan()
        header.magic = UInt32(HT_REPLAY_PLAN_MAGIC)
        header.streams = UInt32(streams.count)
        header.slots = UInt64(slots)
        header.owners = owners
        header.events = plan.events
        header.sample_step = plan.sampleStep
        header.samples = UInt64(plan.curve.count)
        header.peak_event = plan.peakEvent
        header.peak_bytes = plan.peakBytes
        header.live_bytes = live
        header.curve = plan.curve.withUnsafeBytes { writer.write($0) }
        var blocks: [ht_replay_block] = []
        let table = all.map { stream in
            defer { blocks += stream.blocks }
            return ht_replay_stream(
                first_block: UInt64(blocks.count), blocks: UInt64(stream.blocks.count),
                longest_words: UInt64(stream.longestWords))
        }
        header.block_table = blocks.withUnsafeBytes { writer.write($0) }
        header.stream_table = table.withUnsafeBytes { writer.write($0) }
        if let failure = writer.failure { throw failure }
        let end = writer.offset
        try writeHeader(header)
        for stream in streams { plan.hash &+= ht_replay_stream_hash(stream.hash, UInt64(stream.number)) }
        plan.threads = streams.count
        plan.liveBytes = live
        plan.slots = UInt64(slots)
        plan.fileBytes = end
        plan.owners = Array(repeating: Owner(family: "", type: "", language: ""), count: Int(owners))
        all.removeAll()
        return plan
    }

    private func writeHeader(_ header: ht_replay_plan) throws(ReplayError) {
        var failure: ReplayError?
        withUnsafeBytes(of: header) { bytes in
            do throws(ReplayError) { try file.write(bytes, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private static func alignmentLog(_ code: UInt8) -> UInt64 {
        switch code {
        case 0: 0
        case 1...15: UInt64(code) + 2
        default: UInt64(code) - 16
        }
    }

}
