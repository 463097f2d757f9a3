// The simulated allocators against references that keep nothing but the live blocks and look everything up the slow way.
@testable import AllocatorLab
import Testing

/// Numbers that look random and are the same every time (xorshift64*, Vigna 2016).
private struct Numbers {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return Int(((state &* 0x2545_F491_4F6C_DD1D) >> 33) % UInt64(bound))
    }
}

private protocol NaiveModel {
    init()
    var live: [AddressRange] { get set }
    mutating func place(_ size: UInt64, _ alignment: UInt64) -> AddressRange
}

/// Holes are what lies between live blocks.
private struct NaiveBestFit: NaiveModel {
    var live: [AddressRange] = []

    mutating func place(_ size: UInt64, _ alignment: UInt64) -> AddressRange {
        let size = max(16, (size + 15) / 16 * 16)
        let alignment = max(16, alignment)
        var holes: [AddressRange] = []
        var top: UInt64 = 0
        for block in live.sorted(by: { $0.address < $1.address }) {
            if block.address > top { holes.append(AddressRange(address: top, size: block.address - top)) }
            top = block.end
        }
        let candidates = holes.filter { $0.size >= size }.sorted { ($0.size, $0.address) < ($1.size, $1.address) }
        func start(_ hole: AddressRange) -> UInt64 { (hole.address + alignment - 1) / alignment * alignment }
        let fitting =
            candidates.prefix(IdealBestFit.alignedTries).first { start($0) + size <= $0.end }
            ?? candidates.first { $0.size >= size + alignment - 16 }
        let address = fitting.map(start) ?? (top + alignment - 1) / alignment * alignment
        live.append(AddressRange(address: address, size: size))
        return live[live.count - 1]
    }
}

/// Free blocks are the largest halves of halves in which nothing lives.
private struct NaiveBuddy: NaiveModel {
    var live: [AddressRange] = []
    var space: UInt64 = 0

    mutating func place(_ size: UInt64, _ alignment: UInt64) -> AddressRange {
        var wanted: UInt64 = 16
        while wanted < size || wanted < alignment { wanted *= 2 }
        if space == 0 { space = wanted }
        while true {
            let free = freeBlocks(AddressRange(address: 0, size: space), live).filter { $0.size >= wanted }
            if let best = free.min(by: { ($0.size, $0.address) < ($1.size, $1.address) }) {
                live.append(AddressRange(address: best.address, size: wanted))
                return live[live.count - 1]
            }
            space *= 2
        }
    }

    private func freeBlocks(_ block: AddressRange, _ live: [AddressRange]) -> [AddressRange] {
        let inside = live.filter { $0.address < block.end && $0.end > block.address }
        if inside.isEmpty { return [block] }
        if inside.contains(where: { $0.size >= block.size }) { return [] }
        let half = block.size / 2
        return freeBlocks(AddressRange(address: block.address, size: half), inside)
            + freeBlocks(AddressRange(address: block.address + half, size: half), inside)
    }
}

@Suite struct SimulatedPropertyTests {
    /// Performs the same random calls on a model and its reference.
    private func compare<Model: AddressSpaceModel, Naive: NaiveModel>(
        _: Model.Type, _: Naive.Type, seed: UInt64, calls: Int, live: Int
    ) {
        var numbers = Numbers(state: seed)
        var model = Model()
        var naive = Naive()
        for call in 0..<calls {
            if naive.live.count > numbers.next(2 * live) {
                let victim = naive.live.swapRemove(numbers.next(naive.live.count))
                model.free(victim)
            } else {
                let size = UInt64(numbers.next(3) == 0 ? numbers.next(5000) : numbers.next(200))
                let alignment = numbers.next(4) == 0 ? UInt64(1) << UInt64(numbers.next(13)) : 0
                let expected = naive.place(size, alignment)
                let placed = model.allocate(size: size, alignment: alignment)
                #expect(placed == expected)
            }
            #expect(model.footprint == naive.live.map(\.end).max() ?? 0)
            if call % 50 == 0 { #expect(model.violation == nil) }
        }
        for block in naive.live { model.free(block) }
        #expect(model.violation == nil)
        #expect(model.footprint == 0)
        #expect(model.freeRanges.isEmpty)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `best fit places every block where the slow search does`(seed: UInt64) {
        compare(IdealBestFit.self, NaiveBestFit.self, seed: seed * 7919, calls: 1500, live: 60)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `the buddy system places every block where the slow search does`(seed: UInt64) {
        compare(BuddySystem.self, NaiveBuddy.self, seed: seed * 104_729, calls: 1500, live: 60)
    }

    @Test func `aligned blocks among many holes too narrow for them go where the slow search puts them`() {
        var model = IdealBestFit()
        var naive = NaiveBestFit()
        var odd: [AddressRange] = []
        for number in 0..<300 {
            let block = naive.place(112, 0)
            let placed = model.allocate(size: 112, alignment: 0)
            #expect(placed == block)
            if number % 2 == 1 { odd.append(block) }
        }
        for block in odd {
            model.free(block)
            naive.live.removeAll { $0 == block }
        }
        for alignment in [64, 128, 256, 1024, 64, 64, 128] as [UInt64] {
            let placed = model.allocate(size: 100, alignment: alignment)
            let expected = naive.place(100, alignment)
            #expect(placed == expected)
        }
        #expect(model.violation == nil)
    }

    @Test(arguments: SimulatedAllocator.allCases)
    func `what is live, free and held adds up after every call`(allocator: SimulatedAllocator) {
        switch allocator {
        case .buddy: checkSums(SimulatedHeap<BuddySystem>(owners: ["A", "B"], curvePoints: 64))
        case .bestFit: checkSums(SimulatedHeap<IdealBestFit>(owners: ["A", "B"], curvePoints: 64))
        }
    }

    private func checkSums<Model>(_ empty: SimulatedHeap<Model>) {
        var heap = empty
        var numbers = Numbers(state: 42)
        var sizes: [Int: Int] = [:]
        for call in 0..<3000 {
            let slot = numbers.next(200)
            if sizes[slot] != nil {
                heap.free(slot: slot)
                sizes[slot] = nil
            } else {
                let size = numbers.next(1000)
                heap.allocate(slot: slot, size: size, alignment: numbers.next(10) == 0 ? 256 : 0, owner: slot % 2)
                sizes[slot] = size
            }
            if call % 20 == 0 { #expect(heap.violation == nil) }
        }
        let figures = heap.figures
        #expect(figures.calls == 3000)
        #expect(figures.atEnd.liveBytes == sizes.values.reduce(0, +))
        #expect(figures.owners.reduce(0) { $0 + $1.peakBytes } == figures.atPeak.liveBytes)
        #expect(figures.owners.reduce(0) { $0 + $1.slackBytesAtPeak } == figures.atPeak.internalBytes)
        #expect(figures.atHighestFootprint.footprintBytes >= figures.atPeak.footprintBytes)
        #expect(figures.curve.allSatisfy { $0.footprintBytes >= $0.usableBytes && $0.usableBytes >= $0.liveBytes })
    }

    @Test func `the table of addresses is the dictionary of them`() {
        var numbers = Numbers(state: 7)
        var table = AddressTable()
        var dictionary: [UInt64: UInt64] = [:]
        for _ in 0..<20_000 {
            // Few and close addresses, so that runs of entries wrap round and close again.
            let address = UInt64(numbers.next(300)) * 16
            if dictionary[address] == nil {
                let size = UInt64(1 + numbers.next(99))
                table.insert(address, size)
                dictionary[address] = size
            } else {
                table.remove(address)
                dictionary[address] = nil
            }
            let other = UInt64(numbers.next(320)) * 16
            #expect(table[other] == dictionary[other])
        }
        #expect(table.count == dictionary.count)
        #expect((0..<320).allSatisfy { table[$0 * 16] == dictionary[$0 * 16] })
        table.remove(1)
        #expect(table.count == dictionary.count)
    }

    @Test func `the tree of free ranges is the sorted set of them`() {
        var numbers = Numbers(state: 99)
        var tree = FreeRangeTree()
        var set: Set<AddressRange> = []
        for call in 0..<5000 {
            let range = AddressRange(address: UInt64(numbers.next(64)), size: UInt64(1 + numbers.next(16)))
            if set.insert(range).inserted {
                tree.insert(range)
            } else {
                let removals = [tree.remove(range), tree.remove(range)]
                #expect(removals == [true, false])
                set.remove(range)
            }
            let sorted = set.sorted { $0.precedes($1) }
            let size = UInt64(numbers.next(20))
            #expect(tree.first(atLeast: size) == sorted.first { $0.size >= size })
            if let some = sorted.first { #expect(tree.next(after: some) == sorted.dropFirst().first) }
            if call % 100 == 0 {
                #expect(tree.violation == nil)
                #expect(tree.ranges == sorted)
            }
        }
    }
}

extension Array {
    /// Takes an element out, the last one taking its place. O(1).
    fileprivate mutating func swapRemove(_ index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}
