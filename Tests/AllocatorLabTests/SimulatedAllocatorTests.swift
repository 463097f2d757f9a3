// The simulated allocators on examples that can be checked by hand, and what is measured of them.
@testable import AllocatorLab
import Testing

@Suite struct SimulatedAllocatorTests {
    private let kibi: UInt64 = 1024

    private func range(_ address: UInt64, _ size: UInt64) -> AddressRange { AddressRange(address: address, size: size) }

    private func place(
        in model: inout some AddressSpaceModel, _ size: UInt64, alignment: UInt64 = 0
    ) throws -> AddressRange {
        let block = model.allocate(size: size, alignment: alignment)
        return try #require(block)
    }

    @Test func `the buddy system splits and joins as the textbook's megabyte does`() throws {
        // The example of Stallings, "Operating Systems", chapter 7: requests of 100, 240, 64, 256 K; B, A back; 75 K; C, E, D back.
        var buddy = BuddySystem()
        let a = try place(in: &buddy, 100 * kibi)
        let b = try place(in: &buddy, 240 * kibi)
        let c = try place(in: &buddy, 64 * kibi)
        let d = try place(in: &buddy, 256 * kibi)
        #expect(a == range(0, 128 * kibi))
        #expect(b == range(256 * kibi, 256 * kibi))
        #expect(c == range(128 * kibi, 64 * kibi))
        #expect(d == range(512 * kibi, 256 * kibi))
        #expect(buddy.footprint == 768 * kibi)
        #expect(buddy.freeRanges == [range(192 * kibi, 64 * kibi)])
        buddy.free(b)
        buddy.free(a)
        // B's 256 K and A's 128 K are no buddies, nor is either joined with the 64 K beside C.
        #expect(
            buddy.freeRanges == [range(0, 128 * kibi), range(192 * kibi, 64 * kibi), range(256 * kibi, 256 * kibi)])
        let e = try place(in: &buddy, 75 * kibi)
        #expect(e == range(0, 128 * kibi))
        buddy.free(c)
        #expect(buddy.freeRanges == [range(128 * kibi, 128 * kibi), range(256 * kibi, 256 * kibi)])
        buddy.free(e)
        #expect(buddy.freeRanges == [range(0, 512 * kibi)])
        buddy.free(d)
        #expect(buddy.freeRanges.isEmpty)
        #expect(buddy.footprint == 0)
        // All is one block again, which a request for all of it shows.
        #expect(try place(in: &buddy, 1024 * kibi) == range(0, 1024 * kibi))
        #expect(buddy.violation == nil)
    }

    @Test func `the buddy of a block differs from it in one bit`() throws {
        // Knuth, TAOCP 2.5, (10): of a block of 2^k bytes at x, x + 2^k where 2^(k+1) divides x, x − 2^k elsewhere.
        var buddy = BuddySystem()
        let blocks = try (0..<4).map { _ in try place(in: &buddy, 32) }
        #expect(blocks.map(\.address) == [0, 32, 64, 96])
        buddy.free(blocks[1])
        buddy.free(blocks[2])
        // 32 and 64 are neighbours, no buddies.
        #expect(buddy.freeRanges == [range(32, 32), range(64, 32)])
        buddy.free(blocks[0])
        #expect(buddy.freeRanges == [range(0, 64), range(64, 32)])
    }

    @Test func `a buddy block is a power of two of at least sixteen bytes, and as aligned as asked`() throws {
        var buddy = BuddySystem()
        for (size, block) in [(0, 16), (1, 16), (16, 16), (17, 32), (33, 64), (64, 64), (65, 128)] as [(UInt64, UInt64)]
        {
            #expect(try place(in: &buddy, size).size == block)
        }
        let aligned = try place(in: &buddy, 16, alignment: 4096)
        #expect(aligned.address % 4096 == 0)
        #expect(aligned.size == 4096)
    }

    @Test func `best fit takes the holes that the textbook's takes`() throws {
        // Silberschatz, Galvin, Gagne, "Operating System Concepts", exercise on placement: holes of 100, 500, 200, 300, 600 K;
        // 212, 417, 112 and 426 K go to 300, 500, 200 and 600.
        var fit = IdealBestFit()
        var holes: [AddressRange] = []
        for size in [100, 500, 200, 300, 600] as [UInt64] {
            holes.append(try place(in: &fit, size * kibi))
            _ = fit.allocate(size: 16, alignment: 0)
        }
        for hole in holes { fit.free(hole) }
        #expect(fit.freeRanges == holes)
        let footprint = fit.footprint
        let placed = try [212, 417, 112, 426].map { try place(in: &fit, $0 * kibi).address }
        #expect(placed == [holes[3], holes[1], holes[2], holes[4]].map(\.address))
        #expect(fit.footprint == footprint)
        #expect(fit.freeRanges.map(\.size) == [100, 83, 88, 88, 174].map { $0 * kibi })
        #expect(fit.violation == nil)
    }

    @Test func `best fit joins a block with the free ranges on both sides and gives the top back`() throws {
        var fit = IdealBestFit()
        let blocks = try (0..<5).map { _ in try place(in: &fit, 100) }
        #expect(blocks.map(\.size) == [112, 112, 112, 112, 112])
        fit.free(blocks[1])
        fit.free(blocks[3])
        #expect(fit.freeRanges.count == 2)
        fit.free(blocks[2])
        #expect(fit.freeRanges == [range(112, 336)])
        fit.free(blocks[4])
        #expect(fit.freeRanges.isEmpty)
        #expect(fit.footprint == 112)
        fit.free(blocks[0])
        #expect(fit.footprint == 0)
    }

    @Test func `best fit keeps what an aligned block leaves on both sides`() throws {
        var fit = IdealBestFit()
        _ = fit.allocate(size: 16, alignment: 0)
        let block = try place(in: &fit, 100, alignment: 4096)
        #expect(block == range(4096, 112))
        #expect(fit.freeRanges == [range(16, 4080)])
        #expect(try place(in: &fit, 64, alignment: 1024) == range(1024, 64))
        #expect(fit.freeRanges == [range(16, 1008), range(1088, 3008)])
    }

    @Test func `sizes that no address space holds are refused and change nothing`() {
        for allocator in SimulatedAllocator.allCases {
            var simulation = AllocatorSimulation(allocator, owners: ["C"])
            simulation.allocate(slot: 0, size: 100, owner: 0)
            simulation.allocate(slot: 1, size: .max, owner: 0)
            simulation.allocate(slot: 1, size: -1, owner: 0)
            simulation.allocate(slot: 1, size: 8, alignment: 24, owner: 0)
            simulation.allocate(slot: 1, size: 8, alignment: .max, owner: 0)
            simulation.allocate(slot: 1, size: 8, owner: 7)
            simulation.allocate(slot: -1, size: 8, owner: 0)
            simulation.free(slot: 1)
            simulation.free(slot: 99)
            simulation.free(slot: -1)
            #expect(simulation.figures.refused == 9)
            #expect(simulation.figures.atEnd.liveBytes == 100)
            #expect(simulation.figures.calls == 1)
        }
    }

    @Test func `fragmentation inside blocks is the owners', between blocks it is the whole's`() throws {
        var simulation = AllocatorSimulation(.buddy, owners: ["Box", "String", "Set"])
        simulation.allocate(slot: 0, size: 100, owner: 0)  // 128 at 0
        simulation.allocate(slot: 1, size: 40, owner: 1)  // 64 at 128
        simulation.allocate(slot: 2, size: 65, owner: 1)  // 128 at 256
        simulation.free(slot: 1)
        simulation.allocate(slot: 1, size: 10, owner: 0)  // 16 at 128
        let figures = simulation.figures
        #expect(figures.atPeak == SimulatedMoment(calls: 3, liveBytes: 205, usableBytes: 320, footprintBytes: 384))
        #expect(figures.atPeak.internalBytes == 115)
        #expect(figures.atPeak.externalBytes == 64)
        #expect(figures.atPeak.internalFragmentation == 115.0 / 320)
        #expect(figures.atPeak.externalFragmentation == 64.0 / 384)
        #expect(figures.atEnd == SimulatedMoment(calls: 5, liveBytes: 175, usableBytes: 272, footprintBytes: 384))
        #expect(
            figures.owners == [
                SimulatedOwner(
                    owner: "Box", allocations: 2, bytes: 110, slackBytes: 34, peakBytes: 100, slackBytesAtPeak: 28),
                SimulatedOwner(
                    owner: "String", allocations: 2, bytes: 105, slackBytes: 87, peakBytes: 105, slackBytesAtPeak: 87),
                SimulatedOwner(owner: "Set"),
            ])
        #expect(figures.owners.reduce(0) { $0 + $1.slackBytesAtPeak } == figures.atPeak.internalBytes)
        #expect(figures.footprintRatio == 384.0 / 205)
    }

    @Test func `an empty simulation has no fragmentation to speak of`() {
        let figures = AllocatorSimulation(.bestFit, owners: []).figures
        #expect(figures.atPeak.internalFragmentation == nil)
        #expect(figures.atPeak.externalFragmentation == nil)
        #expect(figures.footprintRatio == nil)
        #expect(figures.curve == [SimulatedMoment()])
    }

    @Test func `a slot that is allocated again frees what was in it`() {
        var simulation = AllocatorSimulation(.bestFit, owners: ["C"])
        simulation.allocate(slot: 3, size: 16, owner: 0)
        simulation.allocate(slot: 3, size: 32, owner: 0)
        #expect(
            simulation.figures.atEnd == SimulatedMoment(calls: 3, liveBytes: 32, usableBytes: 32, footprintBytes: 32))
    }

    @Test func `a curve has so many points at most, evenly spaced, the first and last moment among them`() {
        for calls in [0, 1, 7, 8, 9, 100, 1000, 1023] {
            var simulation = AllocatorSimulation(.bestFit, owners: ["C"], curvePoints: 8)
            for call in 0..<calls { simulation.allocate(slot: call, size: 16, owner: 0) }
            let curve = simulation.figures.curve
            #expect(curve.count <= 9)
            #expect(curve.first?.calls == 0)
            #expect(curve.last?.calls == calls)
            let distances = zip(curve, curve.dropFirst()).map { $1.calls - $0.calls }
            #expect(Set(distances.dropLast()).count <= 1)
            #expect(curve.allSatisfy { $0.liveBytes == 16 * $0.calls && $0.footprintBytes == $0.liveBytes })
        }
    }

    @Test func `a block that passes takes room and is never live`() {
        for allocator in SimulatedAllocator.allCases {
            var simulation = AllocatorSimulation(allocator, owners: ["C"])
            simulation.allocate(slot: 0, size: 16, owner: 0)
            simulation.pass(size: 1000, owner: 0)
            simulation.pass(size: .max, owner: 0)
            simulation.pass(size: 1, owner: 1)
            let figures = simulation.figures
            #expect(figures.refused == 2)
            #expect(figures.calls == 3)
            #expect(figures.allocations == 2)
            #expect(figures.atPeak.liveBytes == 16)
            #expect(figures.atEnd == SimulatedMoment(calls: 3, liveBytes: 16, usableBytes: 16, footprintBytes: 16))
            #expect(figures.atHighestFootprint.footprintBytes >= 1016)
            #expect(figures.owners[0].bytes == 1016)
            #expect(figures.owners[0].peakBytes == 16)
        }
    }

    @Test func `names are those of the table`() {
        #expect(SimulatedAllocator.allCases.map(\.name) == ["sim:buddy", "sim:bestfit"])
        #expect(SimulatedAllocator(named: "SIM:Buddy") == .buddy)
        #expect(SimulatedAllocator(named: "buddy") == nil)
    }
}
