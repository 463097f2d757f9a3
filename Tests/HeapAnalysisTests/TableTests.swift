// The pass's tables against slow models: live blocks, lifetimes, cells.
@testable import HeapAnalysis
import Testing

@Suite struct TableTests {
    @Test func theLiveBlockTableAgreesWithADictionary() {
        var table = LiveBlockTable(bits: 3)
        var model: [UInt64: UInt64] = [:]
        var numbers = NumberSequence(seed: 3)
        for _ in 0..<50_000 {
            // Few addresses, so that runs form, wrap around and are broken up again.
            let address = numbers.next(600) * 8
            if numbers.next(2) == 0 {
                let size = numbers.next(1000)
                let block = LiveBlock(address: address, size: size, time: 0, cell: 0, weight: 1)
                let older = table.insert(block)
                #expect((older == nil) == (model[address] == nil))
                if older == nil { model[address] = size }
            } else if let slot = table.slot(of: address) {
                #expect(table[slot].size == model[address])
                table.remove(slot: slot)
                model[address] = nil
            } else {
                #expect(model[address] == nil)
            }
            #expect(table.count == model.count)
        }
        for (address, size) in model {
            let slot = table.slot(of: address)
            #expect(slot.map { table[$0].size } == size)
        }
    }

    @Test func theBlockAtAddressZeroIsOrdinary() {
        var table = LiveBlockTable()
        #expect(table.slot(of: 0) == nil)
        #expect(table.insert(LiveBlock(address: 0, size: 5, time: 0, cell: 0, weight: 1)) == nil)
        #expect(table.slot(of: 0) != nil)
        #expect(table.insert(LiveBlock(address: 0, size: 6, time: 0, cell: 0, weight: 1)) != nil)
    }

    @Test func everyLifetimeIsReadBackWithinASixteenth() {
        var value: UInt64 = 1
        while value < 1 << 62 {
            for lifetime in [value - 1, value, value + value / 3] {
                let bucket = LifetimeBucket.index(of: lifetime)
                #expect(bucket < LifetimeBucket.count)
                let middle = LifetimeBucket.middle(of: bucket)
                #expect(abs(middle - Double(lifetime)) <= Double(lifetime) / 16)
            }
            value *= 2
        }
        #expect(LifetimeBucket.index(of: .max) == LifetimeBucket.count - 1)
    }

    @Test func bucketsFollowEachOtherWithoutAGap() {
        for lifetime in 0..<5000 as Range<UInt64> {
            let step = LifetimeBucket.index(of: lifetime + 1) - LifetimeBucket.index(of: lifetime)
            #expect(step == 0 || step == 1)
        }
    }

    @Test func quantilesAreThoseOfTheCountedValues() {
        var histogram = LifetimeHistogram()
        #expect(histogram.quantile(0.5) == nil)
        for value in 0..<7 as Range<UInt64> { histogram.add(bucket: LifetimeBucket.index(of: value), count: 1) }
        #expect(histogram.quantile(0.5) == 3)
        #expect(histogram.quantile(0.99) == 6)
        histogram.add(bucket: LifetimeBucket.index(of: 0), count: 93)
        #expect(histogram.quantile(0.5) == 0)
        #expect(histogram.total == 100)
    }

    @Test func theLifetimeTableKeepsEveryCountThroughItsGrowth() {
        var table = LifetimeTable(bits: 2)
        var model: [Int: Int] = [:]
        var numbers = NumberSequence(seed: 9)
        for _ in 0..<20_000 {
            let cell = UInt32(numbers.next(200))
            let ticks = numbers.next(1 << 30)
            table.add(cell: cell, ticks: ticks, count: 2)
            model[Int(cell) * 1000 + LifetimeBucket.index(of: ticks), default: 0] += 2
        }
        var found: [Int: Int] = [:]
        table.flush()
        table.forEach { cell, bucket, count in found[cell * 1000 + bucket, default: 0] += count }
        #expect(found == model)
    }

    @Test func `cells of stacks alone are found whatever ids the stacks have`() {
        var table = CellTable()
        var model: [UInt32: UInt32] = [:]
        var numbers = NumberSequence(seed: 5)
        for _ in 0..<30_000 {
            // Dense ids, as a recorder gives them, and wild ones, as a file may hold.
            let stack = numbers.next(3) == 0 ? UInt32(numbers.next(1 << 28)) : UInt32(numbers.next(5000))
            let number = table.cell(for: CellKey(stack: stack, thread: 0, size: 0, type: 0))
            #expect(number == model[stack] ?? UInt32(model.count))
            model[stack] = number
        }
        #expect(table.count == model.count)
    }

    @Test func `blocks whose group is full are found, and not when they are gone`() {
        var table = LiveBlockTable(bits: 6)
        // All of one group: addresses whose hash has the same high bits.
        let crowd = (1..<60_000 as Range<UInt64>).map { $0 * 8 }
            .filter { ($0 >> 3) &* 0x9E37_79B9_7F4A_7C15 >> 58 == 63 }.prefix(300)
        for address in crowd {
            #expect(table.insert(LiveBlock(address: address, size: address, time: 0, cell: 0, weight: 1)) == nil)
        }
        for address in crowd where address % 16 == 0 {
            let slot = table.slot(of: address)
            #expect(slot != nil)
            if let slot { table.remove(slot: slot) }
        }
        for address in crowd {
            #expect(table.slot(of: address).map { table[$0].size } == (address % 16 == 0 ? nil : address))
        }
    }

    @Test func cellsAreNumberedByFirstUseAndFoundAgain() {
        var table = CellTable()
        for round in 0..<2 {
            for number in 0..<5000 as Range<UInt32> {
                let key = CellKey(stack: number / 7, thread: number % 7, size: UInt64(number) * 3, type: 0)
                #expect(table.cell(for: key) == number, "round \(round)")
            }
        }
        #expect(table.count == 5000)
    }
}
