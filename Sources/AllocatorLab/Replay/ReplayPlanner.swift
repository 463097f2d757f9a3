// From the blocks of a trace to a plan: what each event of a block is in the words of the C loop. Who does it when is PlanThreads', where the
// block is kept PlanSlots', and what is live then PlanCurve's.

internal import CReplay
internal import HeapAnalysis

/// Makes a plan from blocks as they come and go.
final class ReplayPlanner {
    private static let largestSize: UInt64 = 1 << 47

    private let file: PlanFile
    private let writer: PlanWriter
    private var threads: PlanThreads
    private var slots = PlanSlots()
    private var curve: PlanCurve
    private var blocks = PlannedBlocks()
    private var owners: UInt64 = 0
    /// Threads with a reallocation that has begun.
    private var reallocating: [PlanStream] = []
    /// The last event of a batch, for the next one may say what it is.
    private var held: BlockEvent?

    /// Starts a plan.
    /// - Parameters:
    ///   - mainThread: serial of the thread that the process began with; nil when not known: the first one that calls.
    ///   - expectedEvents: about how many there will be, for the points of the curve.
    init(mainThread: UInt32?, expectedEvents: UInt64) throws(ReplayError) {
        file = try PlanFile(purpose: "plan")
        writer = PlanWriter(file: file)
        threads = PlanThreads(mainThread: mainThread, writer: writer)
        curve = PlanCurve(expectedEvents: expectedEvents)
    }

    /// Takes the next events.
    func take(_ events: UnsafeBufferPointer<BlockEvent>) {
        var index = 0
        if let held, let first = events.first {
            self.held = nil
            if isEnded(held, by: first) { index = 1 }
            allocate(held, isFleeting: index == 1)
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
                let isFleeting = isEnded(event, by: events[index])
                if isFleeting { index += 1 }
                allocate(event, isFleeting: isFleeting)
            }
        }
    }

    /// Whether an allocation is over before it was ever counted, as the event behind it says.
    @inline(__always)
    private func isEnded(_ allocation: BlockEvent, by next: BlockEvent) -> Bool {
        next.endsUncounted && next.address == allocation.address
    }

    // MARK: Allocations and frees

    private func allocate(_ event: BlockEvent, isFleeting: Bool) {
        curve.note(time: event.time)
        let stream = threads.stream(ofThread: event.thread)
        if !reallocating.isEmpty {
            let isSecondHalf = event.isReallocationHalf && !stream.reallocations.isEmpty
            lapse(but: isSecondHalf && !isFleeting ? stream : nil)
            if isSecondHalf {
                if !isFleeting {
                    reallocate(event, stream)
                    return
                }
                // A block that was never live cannot be what another one became.
                freeLate(of: stream)
            }
        }
        let size = min(event.size, Self.largestSize)
        let slot = slots.take(for: stream) { threads.wait(stream, for: $0.number, operations: $1) }
        let owner = word(ofOwner: event)
        let wide = (size >> 32) << 40 | Self.alignmentLog(event.alignmentCode) << 32
        if isFleeting {
            threads.emit(stream, HT_REPLAY_FLEETING, slot: slot, detail: size & 0xffff_ffff, owner, wide)
            stream.addToHash(wide)
            slots.put(slot, by: stream)
            curve.advance(2)
            return
        }
        if wide == 0 {
            threads.emit(stream, HT_REPLAY_MALLOC, slot: slot, detail: size, owner)
        } else {
            threads.emit(stream, HT_REPLAY_MALLOC_WIDE, slot: slot, detail: size & 0xffff_ffff, owner, wide)
            stream.addToHash(wide)
        }
        keep(event, size, in: slot, stream)
        curve.advance(1)
    }

    private func free(_ event: BlockEvent) {
        curve.note(time: event.time)
        if !reallocating.isEmpty { lapse(but: nil) }
        guard let block = blocks.remove(event.address) else { return }
        let stream = threads.stream(ofThread: event.thread)
        let size = min(event.size, Self.largestSize)
        if event.isReallocationHalf, !event.isRepaired {
            stream.reallocations.append(PlanReallocation(block: block, size: size, owner: event.owner))
            reallocating.append(stream)
            return
        }
        threads.wait(stream, for: block.stream, operations: block.operations)
        threads.emit(stream, HT_REPLAY_FREE, slot: block.slot, detail: UInt64(event.owner))
        slots.put(block.slot, by: stream)
        curve.remove(size)
        curve.advance(1)
    }

    private func keep(_ event: BlockEvent, _ size: UInt64, in slot: UInt32, _ stream: PlanStream) {
        blocks.insert(
            PlannedBlock(slot: slot, stream: stream.number, operations: stream.operations), at: event.address)
        curve.add(size)
    }

    private func word(ofOwner event: BlockEvent) -> UInt64 {
        owners = max(owners, UInt64(event.owner) + 1)
        return UInt64(event.owner) << 32
    }

    /// The logarithm of an alignment that posix_memalign takes; 0 for malloc's own, and for codes that are none.
    private static func alignmentLog(_ code: UInt8) -> UInt64 {
        switch code {
        case 0: 0
        case 1...15: UInt64(code) + 2
        case 16 + 3..<16 + 64: UInt64(code) - 16
        default: 0
        }
    }

    // MARK: Reallocations

    private func reallocate(_ event: BlockEvent, _ stream: PlanStream) {
        let begun = takeReallocation(of: stream)
        let size = min(event.size, Self.largestSize)
        let slot = begun.block.slot
        threads.wait(stream, for: begun.block.stream, operations: begun.block.operations)
        let owner = word(ofOwner: event)
        let pages = ((begun.size + 4095) / 4096) << 32
        let wide = (size >> 32) << 40
        if !begun.hasLapsed { curve.remove(begun.size) }
        if begun.hasLapsed || wide != 0 {
            let op = begun.hasLapsed ? HT_REPLAY_REALLOC_LATE : HT_REPLAY_REALLOC_WIDE
            threads.emit(stream, op, slot: slot, detail: size & 0xffff_ffff, owner, pages, wide)
            stream.addToHash(wide)
        } else {
            threads.emit(stream, HT_REPLAY_REALLOC, slot: slot, detail: size, owner, pages)
        }
        keep(event, size, in: slot, stream)
        curve.advance(begun.hasLapsed ? 1 : 2)
    }

    /// Takes the last reallocation that a thread has begun.
    private func takeReallocation(of stream: PlanStream) -> PlanReallocation {
        if let index = reallocating.lastIndex(where: { $0 === stream }) { reallocating.remove(at: index) }
        return stream.reallocations.removeLast()
    }

    /// Other events come between the halves of reallocations: their blocks are no longer live.
    private func lapse(but stream: PlanStream?) {
        for other in reallocating {
            // The last one of a thread may be the one that its allocation is about to end.
            let end = other === stream ? other.reallocations.count - 1 : other.reallocations.count
            for index in 0..<end where !other.reallocations[index].hasLapsed {
                let begun = other.reallocations[index]
                other.reallocations[index].hasLapsed = true
                threads.wait(other, for: begun.block.stream, operations: begun.block.operations)
                threads.emit(other, HT_REPLAY_LAPSE, slot: begun.block.slot, detail: 0)
                curve.remove(begun.size)
                curve.advance(1)
            }
        }
    }

    /// Frees the block of a thread's last reallocation, which has lapsed and comes to nothing.
    private func freeLate(of stream: PlanStream) {
        let begun = takeReallocation(of: stream)
        threads.emit(stream, HT_REPLAY_FREE_LATE, slot: begun.block.slot, detail: UInt64(begun.owner))
        slots.put(begun.block.slot, by: stream)
    }

    // MARK: The end

    /// Ends the plan.
    /// - Returns: the plan, its owners without names.
    func finish() throws(ReplayError) -> ReplayPlan {
        if let held { allocate(held, isFleeting: false) }
        held = nil
        lapse(but: nil)
        for stream in reallocating { freeLate(of: stream) }
        curve.finish()
        guard slots.count < 1 << UInt32(HT_REPLAY_SLOT_BITS) else {
            throw .tooLarge("more than 268,435,455 blocks are live at once, which no replay can hold")
        }
        let streams = try threads.finish()
        var header = ht_replay_plan()
        header.slots = UInt64(slots.count)
        header.owners = owners
        header.events = curve.events
        header.sample_step = curve.step
        header.samples = UInt64(curve.points.count)
        header.peak_event = curve.peakEvent
        header.peak_bytes = curve.peakBytes
        header.live_bytes = curve.live
        header.most_threads = UInt64(threads.mostAtOnce)
        header.curve = curve.points.withUnsafeBytes { writer.write($0) }
        try writer.finish(&header, streams)
        return plan(streams.dropLast())
    }

    private func plan(_ streams: ArraySlice<PlanStream>) -> ReplayPlan {
        var plan = ReplayPlan(file: file)
        plan.events = curve.events
        plan.threads = threads.calling
        plan.mostThreads = threads.mostAtOnce
        plan.peakBytes = curve.peakBytes
        plan.peakEvent = curve.peakEvent
        plan.liveBytes = curve.live
        plan.slots = UInt64(slots.count)
        plan.sampleStep = curve.step
        plan.curve = curve.points
        plan.times = curve.times
        plan.owners = Array(repeating: Owner(family: "", type: "", language: ""), count: Int(owners))
        plan.waits = threads.waits
        plan.fileBytes = writer.offset
        for stream in streams { plan.hash &+= ht_replay_stream_hash(stream.hash, UInt64(stream.number)) }
        return plan
    }
}
