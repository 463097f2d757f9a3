// `AdaptiveSet`: an array while small, a table when grown, a set all the while.

import SmartPointers
import Testing

@Suite struct AdaptiveSetTests {
    private func elements(of set: borrowing AdaptiveSet<Int>) -> [Int] {
        var elements: [Int] = []
        set.forEach { elements.append($0) }
        return elements
    }

    @Test func `an empty set takes no memory`() {
        let set = AdaptiveSet<Int>()
        #expect(set.bytesAllocated == 0)
        #expect(set.isEmpty && !set.contains(1))
    }

    @Test func `the shape changes with the ninth element, visibly by size`() {
        var set = AdaptiveSet<Int>()
        var sizes: [Int: Int] = [:]
        for number in 1...30 {
            set.insert(number)
            sizes[number] = set.bytesAllocated
            #expect(set.isHashTable == (number > AdaptiveSet<Int>.arrayLimit))
        }
        #expect(sizes[1] == 32 && sizes[4] == 32)
        #expect(sizes[5] == 64 && sizes[8] == 64)
        #expect(sizes[9] == 32 * 9 && sizes[24] == 32 * 9)
        #expect(sizes[25] == 64 * 9 && sizes[30] == 64 * 9)
    }

    @Test func `an array keeps the order of insertion`() {
        var set = AdaptiveSet<Int>()
        for number in [5, 3, 9, 3, 5, 1] { set.insert(number) }
        #expect(elements(of: set) == [5, 3, 9, 1])
    }

    @Test(arguments: [1, 2, 3, 4])
    func `it holds what a Set holds, through random insertions and removals`(seed: UInt64) {
        var generator = Generator(state: seed)
        var set = AdaptiveSet<Int>()
        var reference: Set<Int> = []
        for _ in 0..<3000 {
            let number = Int.random(in: 0..<200, using: &generator)
            if Bool.random(using: &generator) {
                #expect(set.insert(number) == reference.insert(number).inserted)
            } else {
                #expect(set.remove(number) == (reference.remove(number) != nil))
            }
        }
        #expect(set.count == reference.count)
        #expect(Set(elements(of: set)) == reference)
        #expect((0..<200).allSatisfy { set.contains($0) == reference.contains($0) })
    }

    @Test func `a clone is its own set`() {
        var set = AdaptiveSet<String>()
        for number in 0..<20 { set.insert("element number \(number)") }
        var clone = set.clone()
        clone.remove("element number 3")
        #expect(set.count == 20 && clone.count == 19)
        #expect(set.contains("element number 3") && !clone.contains("element number 3"))
        #expect(clone.bytesAllocated == set.bytesAllocated)
    }

    @Test(arguments: [5, 20])
    func `elements die with their set, once each`(count: Int) {
        final class Probe: Hashable, Sendable {
            let deaths: Mutex<Int>
            init(_ deaths: Mutex<Int>) { self.deaths = deaths }
            deinit { deaths.withLock { $0 += 1 } }
            static func == (left: Probe, right: Probe) -> Bool { left === right }
            func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
        }
        let deaths = Mutex(0)
        do {
            var set = AdaptiveSet<Probe>()
            for _ in 0..<count { set.insert(Probe(deaths)) }
            #expect(deaths.lock().value == 0)
        }
        #expect(deaths.lock().value == count)
    }
}

/// A generator whose sequence is the same on every run (SplitMix64, Steele, Lea and Flood 2014).
private struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
