// `Box`: one block, one owner, one end.

import SmartPointers
import Synchronization
import Testing

/// Noncopyable, and tells when it dies.
private struct Probe: ~Copyable {
    let deaths: SmartPointers.Mutex<Int>
    var number = 0

    deinit { deaths.withLock { $0 += 1 } }
}

/// An allocator without any state of its own: with it, a box of numbers holds no reference at all.
private struct StatelessCounter: SmartPointers.Allocator {
    static let live = Atomic<Int>(0)

    func allocate(_ layout: AllocationLayout) throws(AllocationError) -> UnsafeMutableRawPointer {
        Self.live.add(1, ordering: .relaxed)
        return try SystemAllocator().allocate(layout)
    }

    func deallocate(_ pointer: UnsafeMutableRawPointer, _ layout: AllocationLayout) {
        Self.live.subtract(1, ordering: .relaxed)
        SystemAllocator().deallocate(pointer, layout)
    }

    func grow(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer { try SystemAllocator().grow(pointer, from: old, to: new) }

    func shrink(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer { try SystemAllocator().shrink(pointer, from: old, to: new) }
}

private struct Refusing: SmartPointers.Allocator {
    func allocate(_ layout: AllocationLayout) throws(AllocationError) -> UnsafeMutableRawPointer {
        throw .outOfMemory(layout)
    }

    func deallocate(_ pointer: UnsafeMutableRawPointer, _ layout: AllocationLayout) {}

    func grow(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer { throw .outOfMemory(new) }

    func shrink(
        _ pointer: UnsafeMutableRawPointer, from old: AllocationLayout, to new: AllocationLayout
    ) throws(AllocationError) -> UnsafeMutableRawPointer { throw .outOfMemory(new) }
}

@Suite struct BoxTests {
    @Test func `a box takes one block of the value's own size and frees it at the end of the scope`() throws {
        let log = AllocatorLog()
        do {
            let box = try AllocatorBox((UInt64(1), UInt8(2)), in: log.allocator)
            #expect(box.value.1 == 2)
            #expect(log.words == ["ALLOC 9"])
        }
        #expect(log.words == ["ALLOC 9", "FREE 9"])
        #expect(Set(log.events.map(\.address)).count == 1)
    }

    // Swift 6.3.1 skips such a deinit in unoptimised clients unless the box holds something to count.
    @Test func `a box of a plain number in an allocator without state is freed too`() throws {
        do {
            let box = try AllocatorBox(5, in: StatelessCounter())
            #expect(box.value == 5)
            #expect(StatelessCounter.live.load(ordering: .relaxed) == 1)
        }
        #expect(StatelessCounter.live.load(ordering: .relaxed) == 0)
    }

    @Test func `the value dies with its box, once`() {
        let deaths = SmartPointers.Mutex(0)
        do {
            var box = Box(Probe(deaths: deaths))
            box.value.number = 3
            #expect(box.value.number == 3)
            #expect(deaths.lock().value == 0)
        }
        #expect(deaths.lock().value == 1)
    }

    @Test func `a value taken out outlives its block`() throws {
        let log = AllocatorLog()
        let deaths = SmartPointers.Mutex(0)
        do {
            let box = try AllocatorBox(Probe(deaths: deaths, number: 4), in: log.allocator)
            let probe = box.intoValue()
            #expect(log.words.count == 2)
            #expect(probe.number == 4)
            #expect(deaths.lock().value == 0)
        }
        #expect(deaths.lock().value == 1)
        #expect(log.words.count == 2)
    }

    @Test func `replacing a box frees the one before`() throws {
        let log = AllocatorLog()
        var box = try AllocatorBox(UInt16(1), in: log.allocator)
        box = try AllocatorBox(UInt16(2), in: log.allocator)
        #expect(box.value == 2)
        #expect(log.words == ["ALLOC 2", "ALLOC 2", "FREE 2"])
        #expect(log.events[0].address == log.events[2].address)
    }

    @Test func `a value is built in place`() throws {
        let log = AllocatorLog()
        var address: UnsafeMutablePointer<InlineArray<4096, UInt8>>?
        let box = try AllocatorBox<InlineArray<4096, UInt8>, _>(in: log.allocator) { pointer in
            address = pointer
            pointer.initialize(to: InlineArray(repeating: 9))
        }
        #expect(box.value[4095] == 9)
        let expected = address.map { "0x" + String(UInt(bitPattern: $0), radix: 16) }
        #expect(log.events.first?.address == expected)
    }

    @Test func `an allocator that refuses is an error, and the value is not leaked`() {
        let deaths = SmartPointers.Mutex(0)
        var thrown: AllocationError?
        do throws(AllocationError) {
            _ = try AllocatorBox(Probe(deaths: deaths), in: Refusing())
        } catch {
            thrown = error
        }
        #expect(thrown != nil)
        #expect(deaths.lock().value == 1)
    }
}
