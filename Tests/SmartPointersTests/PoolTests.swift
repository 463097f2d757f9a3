// `Pool`: bounded, reusing, and giving back on every way out.

import SmartPointers
import Testing

private struct Failure: Error {}

/// An item that knows which one it is.
private final class Item: Sendable {
    let number: Int

    init(_ number: Int) { self.number = number }
}

@Suite struct PoolTests {
    private func pool(of capacity: Int) -> Pool<Item> {
        let made = Mutex(0)
        return Pool(capacity: capacity) {
            var count = made.lock()
            count.value += 1
            return Item(count.value)
        }
    }

    @Test func `an item is made when first needed and reused after that`() throws {
        let pool = pool(of: 3)
        #expect(pool.itemsMade == 0)
        for _ in 0..<10 { #expect(try pool.acquire(timeout: .zero).item.number == 1) }
        #expect(pool.itemsMade == 1)
    }

    @Test func `an empty pool times out`() throws {
        let pool = pool(of: 1)
        let held = try pool.acquire(timeout: .zero)
        #expect(throws: PoolError.timedOut) { _ = try pool.acquire(timeout: .zero) }
        #expect(throws: PoolError.timedOut) { _ = try pool.acquire(timeout: .milliseconds(5)) }
        #expect(held.item.number == 1)
    }

    @Test func `a throw gives the item back`() throws {
        let pool = pool(of: 1)
        func work() throws {
            let held = try pool.acquire(timeout: .zero)
            #expect(held.item.number == 1)
            throw Failure()
        }
        #expect(throws: Failure.self) { try work() }
        #expect(try pool.acquire(timeout: .zero).item.number == 1)
    }

    @Test func `whoever waits gets the item that comes back`() async throws {
        let pool = pool(of: 2)
        let served = Mutex(0)
        try await withThrowingTaskGroup { group in
            for _ in 0..<16 {
                group.addTask { @Sendable in
                    for _ in 0..<50 {
                        let held = try pool.acquire(timeout: .seconds(60))
                        var count = served.lock()
                        count.value += held.item.number > 0 ? 1 : 0
                    }
                }
            }
            try await group.waitForAll()
        }
        let total = served.lock().value
        #expect(total == 800)
        #expect(pool.itemsMade <= 2)
    }

    @Test func `the longest wait there is does not overflow`() throws {
        let pool = pool(of: 1)
        #expect(try pool.acquire(timeout: .seconds(Int64.max)).item.number == 1)
    }
}
