// Pages that blocks keep, on places that can be reckoned by hand.

import Testing

@testable import AllocatorLab

@Suite struct PinnedBytesTests {
    private func pinned(_ blocks: [(UInt64, UInt64, Int)], owners: Int = 3) -> [UInt64] {
        PinnedBytes.byOwner(
            blocks.map { PlacedBlock(address: $0.0, bytes: $0.1, owner: $0.2) }, owners: owners)
    }

    @Test func `a block pins the rest of its page`() {
        #expect(pinned([(0x1010, 100, 1)]) == [0, 3996, 0])
        #expect(pinned([(0x1010, 0, 1)]) == [0, 4095, 0])
        #expect(pinned([]) == [0, 0, 0])
    }

    @Test func `a page of several owners is shared out by their bytes, to the last byte`() {
        // 4096 - 96 - 32 = 3968 in no block: a quarter and three quarters.
        #expect(pinned([(0x2100, 32, 2), (0x2000, 96, 0)]) == [2976, 0, 992])
        let thirds = pinned([(0x2000, 1, 0), (0x2100, 1, 1), (0x2200, 1, 2)])
        #expect(thirds.reduce(0, +) == 4093)
        #expect(Set(thirds.dropFirst()) == [1364])
    }

    @Test func `pages that a block covers pin nothing, its first and last page do`() {
        // From the middle of a page over two whole ones to 16 bytes of a fourth.
        #expect(pinned([(0x1800, 2048 + 8192 + 16, 0)]) == [2048 + 4080, 0, 0])
        #expect(pinned([(0x1000, 8192, 0)]) == [0, 0, 0])
        // The end of a large block and a small one behind it.
        #expect(pinned([(0x1000, 4096 + 1024, 0), (0x2400, 1024, 1)]) == [1024, 1024, 0])
    }

    @Test func `blocks that overlap, and one at the end of all addresses, do no harm`() {
        #expect(pinned([(0x1000, 4000, 0), (0x1000, 4000, 1)]) == [0, 0, 0])
        #expect(pinned([(.max - 15, 64, 0)]) == [0, 0, 0])
        #expect(pinned([(.max - 15, 15, 0)]) == [4081, 0, 0])
    }

    @Test func `what a simulated allocator holds is in blocks, pinned by them, or on pages without any`() throws {
        var script = EventScript()
        // Two pages of 64 bytes each, of which every other is freed; then a page's worth is freed whole.
        for block in 0..<192 as Range<UInt64> { script.allocate(block, 64, owner: UInt32(block % 2)) }
        for block in 0..<64 as Range<UInt64> where block % 2 == 0 { script.free(block, 64) }
        for block in 64..<128 as Range<UInt64> { script.free(block, 64, owner: UInt32(block % 2)) }
        let row = try Replay.Row(simulating: .bestFit, plan: script.plan())
        // At the peak nothing is free; at the end the first page is half in blocks of the second owner, the second page is empty, the third full.
        #expect(row.owners.map(\.peakPinnedBytes) == [0, 0])
        #expect(row.owners.first { $0.type == "Type1" }?.endPinnedBytes == 2048)
        #expect(row.owners.first { $0.type == "Type0" }?.endPinnedBytes == 0)
        #expect(row.endHeldBytes == 3 * 4096)
    }
}
