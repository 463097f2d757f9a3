// `Mutex`: one thread at a time, and unlocked on every way out.

import SmartPointers
import Testing

private struct Failure: Error {}

@Suite struct MutexTests {
    private let mutex = Mutex(0)

    private var isFree: Bool { mutex.withLockIfAvailable { _ in true } ?? false }

    @Test func `a guard holds the lock for its scope and no longer`() {
        do {
            var held = mutex.lock()
            held.value = 5
            #expect(!isFree)
            #expect(held.value == 5)
        }
        #expect(isFree)
    }

    @Test(arguments: [true, false])
    func `an early return unlocks`(isEarly: Bool) {
        func work() -> Int {
            var held = mutex.lock()
            if isEarly { return held.value }
            held.value = 1
            return held.value
        }
        #expect(work() == (isEarly ? 0 : 1))
        #expect(isFree)
    }

    @Test func `a throw unlocks`() {
        func work() throws {
            var held = mutex.lock()
            held.value = 1
            throw Failure()
        }
        #expect(throws: Failure.self) { try work() }
        #expect(isFree)
        #expect(mutex.lock().value == 1)
    }

    @Test func `a throw out of withLockIfAvailable unlocks`() {
        #expect(throws: Failure.self) { try mutex.withLockIfAvailable { _ in throw Failure() } }
        #expect(isFree)
    }

    @Test func `a lock that is held is not available`() {
        let held = mutex.lock()
        #expect(mutex.withLockIfAvailable { $0 += 1 } == nil)
        #expect(held.value == 0)
    }

    @Test func `copies of a mutex share one value, and no count is lost between tasks`() async {
        let counts = Mutex([String: Int]())
        await withTaskGroup { group in
            for _ in 0..<32 {
                group.addTask { @Sendable in
                    for _ in 0..<100 {
                        var held = counts.lock()
                        held.value["rust", default: 0] += 1
                    }
                }
            }
        }
        let total = counts.lock().value
        #expect(total == ["rust": 3200])
    }

    @Test func `the value dies with the last handle`() {
        final class Probe: Sendable {}
        weak var probe: Probe?
        do {
            let object = Probe()
            probe = object
            let first = Mutex(object)
            let second = first
            #expect(second.lock().value === object)
        }
        #expect(probe == nil)
    }
}
