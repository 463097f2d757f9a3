// The blocks of a simulated heap: who lives where, and the sums over them. The placement is the model's alone.

/// Blocks by slot over an address space of `Model`.
struct SimulatedHeap<Model: AddressSpaceModel> {
    /// A live block; one without usable bytes is none.
    private struct Block {
        var address: UInt64 = 0
        var usable: UInt64 = 0
        var size: Int = 0
        var owner: Int = 0
    }

    /// Sums of an owner. What it had at the peak is kept when it changes for the first time after it.
    private struct OwnerSums {
        var figures: SimulatedOwner
        var liveBytes = 0
        var liveSlack = 0
        var peakNumber = 0

        mutating func keepPeak(_ number: Int) {
            if peakNumber == number { return }
            peakNumber = number
            figures.peakBytes = liveBytes
            figures.slackBytesAtPeak = liveSlack
        }
    }

    private(set) var model = Model()
    private var blocks: [Block] = []
    private var owners: [OwnerSums]
    private var now = SimulatedMoment()
    private var peak = SimulatedMoment()
    private var highest = SimulatedMoment()
    /// How often the live bytes reached a new peak.
    private var peakNumber = 0
    private var allocations = 0
    private var refused = 0
    private var curve: FootprintCurve

    init(owners: [String], curvePoints: Int) {
        self.owners = owners.map { OwnerSums(figures: SimulatedOwner(owner: $0)) }
        curve = FootprintCurve(points: curvePoints)
        curve.add(now)
    }

    mutating func allocate(slot: Int, size: Int, alignment: Int, owner: Int) {
        if blocks.indices.contains(slot), blocks[slot].usable != 0 { free(slot: slot) }
        guard slot >= 0, owners.indices.contains(owner), let wanted = UInt64(exactly: size),
            let range = model.allocate(size: wanted, alignment: UInt64(max(0, alignment)))
        else {
            refused += 1
            return
        }
        while blocks.count <= slot { blocks.append(Block()) }
        blocks[slot] = Block(address: range.address, usable: range.size, size: size, owner: owner)
        let usable = Int(range.size)
        allocations += 1
        now.calls += 1
        now.liveBytes += size
        now.usableBytes += usable
        owners[owner].keepPeak(peakNumber)
        owners[owner].figures.allocations += 1
        owners[owner].figures.bytes &+= size
        owners[owner].figures.slackBytes &+= usable - size
        owners[owner].liveBytes += size
        owners[owner].liveSlack += usable - size
        now.footprintBytes = Int(model.footprint)
        if now.liveBytes > peak.liveBytes {
            peak = now
            peakNumber += 1
        }
        if now.footprintBytes > highest.footprintBytes { highest = now }
        if now.calls >= curve.due { curve.add(now) }
    }

    /// Places a block and takes it back at once, never counted as live.
    mutating func pass(size: Int, alignment: Int, owner: Int) {
        guard owners.indices.contains(owner), let wanted = UInt64(exactly: size),
            let range = model.allocate(size: wanted, alignment: UInt64(max(0, alignment)))
        else {
            refused += 1
            return
        }
        allocations += 1
        now.calls += 2
        owners[owner].figures.allocations += 1
        owners[owner].figures.bytes &+= size
        owners[owner].figures.slackBytes &+= Int(range.size) - size
        now.footprintBytes = Int(model.footprint)
        if now.footprintBytes > highest.footprintBytes { highest = now }
        model.free(range)
        now.footprintBytes = Int(model.footprint)
        if now.calls >= curve.due { curve.add(now) }
    }

    mutating func free(slot: Int) {
        guard blocks.indices.contains(slot), blocks[slot].usable != 0 else {
            refused += 1
            return
        }
        let block = blocks[slot]
        blocks[slot].usable = 0
        model.free(AddressRange(address: block.address, size: block.usable))
        let usable = Int(block.usable)
        now.calls += 1
        now.liveBytes -= block.size
        now.usableBytes -= usable
        now.footprintBytes = Int(model.footprint)
        owners[block.owner].keepPeak(peakNumber)
        owners[block.owner].liveBytes -= block.size
        owners[block.owner].liveSlack -= usable - block.size
        if now.calls >= curve.due { curve.add(now) }
    }

    var figures: SimulatedFigures {
        SimulatedFigures(
            calls: now.calls, allocations: allocations, refused: refused, atPeak: peak, atHighestFootprint: highest,
            atEnd: now,
            owners: owners.map { sums in
                var sums = sums
                sums.keepPeak(peakNumber)
                return sums.figures
            },
            curve: curve.ending(with: now))
    }

    /// Where the live blocks lie, and whose they are. O(slots).
    var placed: [PlacedBlock] {
        blocks.filter { $0.usable != 0 }.map {
            PlacedBlock(address: $0.address, bytes: $0.usable, owner: $0.owner)
        }
    }

    /// The live blocks by address. O(slots + n log n).
    var live: [AddressRange] {
        blocks.filter { $0.usable != 0 }.map { AddressRange(address: $0.address, size: $0.usable) }
            .sorted { $0.address < $1.address }
    }

    /// What is wrong with the heap: the model's own structures, blocks that overlap, or space below the footprint that is neither live nor free; nil when
    /// nothing is. O(slots + n log n).
    var violation: String? {
        if let violation = model.violation { return violation }
        let live = live
        if UInt64(now.usableBytes) != live.reduce(0, { $0 + $1.size }) {
            return "the usable bytes are not those of the live blocks"
        }
        let parts = (live + model.freeRanges).sorted { $0.address < $1.address }
        var end: UInt64 = 0
        for part in parts {
            if part.address != end { return "\(part) does not begin at \(end)" }
            end = part.end
        }
        return end == model.footprint && (live.last?.end ?? 0) == end
            ? nil : "\(model.footprint) held, \(end) accounted for"
    }
}
