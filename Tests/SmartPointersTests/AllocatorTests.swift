// The allocators: alignment, contents across a resize, and a log that cannot trace itself.

import SmartPointers
import Testing

@Suite struct AllocatorTests {
    @Test(arguments: [1, 8, 16, 64, 4096])
    func `a block has the alignment that was asked for`(alignment: Int) throws {
        let allocator = SystemAllocator()
        let layout = AllocationLayout(size: 3, alignment: alignment)
        let pointer = try allocator.allocate(layout)
        defer { allocator.deallocate(pointer, layout) }
        #expect(Int(bitPattern: pointer) % alignment == 0)
    }

    @Test(arguments: [16, 64])
    func `growing and shrinking keep the bytes and the alignment`(alignment: Int) throws {
        let allocator = SystemAllocator()
        let small = AllocationLayout(size: 100, alignment: alignment)
        let large = AllocationLayout(size: 100_000, alignment: alignment)
        var pointer = try allocator.allocate(small)
        for offset in 0..<100 { pointer.storeBytes(of: UInt8(offset), toByteOffset: offset, as: UInt8.self) }
        pointer = try allocator.grow(pointer, from: small, to: large)
        #expect(Int(bitPattern: pointer) % alignment == 0)
        pointer = try allocator.shrink(pointer, from: large, to: small)
        #expect((0..<100).allSatisfy { pointer.load(fromByteOffset: $0, as: UInt8.self) == UInt8($0) })
        allocator.deallocate(pointer, small)
    }

    @Test func `a layout without bytes takes no memory and can grow and shrink back`() throws {
        let allocator = SystemAllocator()
        let empty = AllocationLayout(size: 0, alignment: 8)
        let some = AllocationLayout(size: 8, alignment: 8)
        let nothing = try allocator.allocate(empty)
        #expect(Int(bitPattern: nothing) == 8)
        let block = try allocator.grow(nothing, from: empty, to: some)
        block.storeBytes(of: 7, as: Int.self)
        let again = try allocator.shrink(block, from: some, to: empty)
        #expect(again == nothing)
        allocator.deallocate(again, empty)
    }

    @Test func `a block that no machine has is an error that names the layout`() {
        let layout = AllocationLayout(size: Int.max / 2, alignment: 16)
        #expect(throws: AllocationError.outOfMemory(layout)) { try SystemAllocator().allocate(layout) }
    }

    @Test func `a failed growth leaves the block alive and unlogged`() throws {
        let log = AllocatorLog()
        let allocator = log.allocator
        let small = AllocationLayout(size: 32, alignment: 16)
        let pointer = try allocator.allocate(small)
        pointer.storeBytes(of: 42, as: Int.self)
        #expect(throws: AllocationError.self) {
            try allocator.grow(pointer, from: small, to: AllocationLayout(size: Int.max / 2, alignment: 16))
        }
        #expect(pointer.load(as: Int.self) == 42)
        allocator.deallocate(pointer, small)
        #expect(log.words == ["ALLOC 32", "FREE 32"])
    }

    @Test func `the log has a line for each event, with the block's own address and size`() throws {
        let log = AllocatorLog()
        let allocator = log.allocator
        let small = AllocationLayout(size: 505, alignment: 1)
        let large = AllocationLayout(size: 1_000_000, alignment: 1)
        let first = try allocator.allocate(small)
        let second = try allocator.grow(first, from: small, to: large)
        allocator.deallocate(second, large)
        let firstAddress = "0x" + String(UInt(bitPattern: first), radix: 16)
        let secondAddress = "0x" + String(UInt(bitPattern: second), radix: 16)
        #expect(
            log.text == """
                ALLOC: \(firstAddress), size 505
                FREE: \(firstAddress), size 505
                ALLOC: \(secondAddress), size 1000000
                FREE: \(secondAddress), size 1000000

                """)
    }

    @Test func `a sink that allocates through its own allocator is served and not logged`() throws {
        let lines = Mutex(0)
        let inner = AllocatorLog()
        let allocator = TracingAllocator(SystemAllocator()) { _ in
            lines.withLock { $0 += 1 }
            let layout = AllocationLayout(size: 64, alignment: 8)
            if let pointer = try? inner.allocator.allocate(layout) { inner.allocator.deallocate(pointer, layout) }
        }
        let layout = AllocationLayout(size: 8, alignment: 8)
        allocator.deallocate(try allocator.allocate(layout), layout)
        let count = lines.lock().value
        #expect(count == 2)
        #expect(inner.text.isEmpty)
    }
}
