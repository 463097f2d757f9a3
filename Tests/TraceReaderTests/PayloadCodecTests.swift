// The codecs of FORMAT.md §8: every record comes back word for word, whatever it holds; columns written by hand from the document unpack to the
// records it promises; and no stored bytes make unpacking trap, run on, or write outside its buffer.

import TestSupport
import Testing

@testable import TraceReader

/// Numbers that look random and are the same in every run.
struct Dice {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }
}

@Suite struct PayloadCodecTests {
    /// Packs words, unpacks them again and gives the stored bytes; nil where the codec declines.
    private func roundTrip(
        _ words: [UInt64], kind: PayloadCodec.Kind = .columns, level: Int = 3, firstTime: UInt64 = 1000
    ) -> [UInt8]? {
        let codec = PayloadCodec()
        var stored = [UInt8](repeating: 0, count: PayloadCodec.bound(words.count * 8))
        let count = words.withUnsafeBytes { raw in
            stored.withUnsafeMutableBytes { codec.pack(kind, level: level, firstTime: firstTime, raw, into: $0) }
        }
        guard let count else { return nil }
        stored.removeLast(stored.count - count)
        #expect(unpack(stored, kind: kind, words: words.count, firstTime: firstTime) == words)
        return stored
    }

    /// Unpacks into a buffer with a guard behind it; nil where the codec refuses.
    private func unpack(
        _ stored: [UInt8], kind: PayloadCodec.Kind = .columns, words: Int, firstTime: UInt64 = 1000
    ) -> [UInt64]? {
        let codec = PayloadCodec()
        let fence: UInt64 = 0xFE4C_E5FE_4CE5_FE4C
        var raw = [UInt64](repeating: fence, count: words + 4)
        let isSound = stored.withUnsafeBytes { stored in
            raw.withUnsafeMutableBytes { raw in
                codec.unpack(
                    codec: kind.rawValue, firstTime: firstTime, stored,
                    into: UnsafeMutableRawBufferPointer(rebasing: raw[..<(words * 8)]))
            }
        }
        #expect(raw[words...].allSatisfy { $0 == fence })
        return isSound ? Array(raw[..<words]) : nil
    }

    private func words(from firstTime: UInt64 = 1000, _ write: (inout RecordWriter) -> Void) -> [UInt64] {
        var records = RecordWriter(time: firstTime)
        write(&records)
        return records.payload.withUnsafeBytes { bytes in
            (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
    }

    /// A stream as programs make them: a few call sites, blocks freed in several orders, now and then every other record.
    private func program(_ count: Int, seed: UInt64, step: UInt64 = 26) -> [UInt64] {
        var dice = Dice(state: seed)
        var live: [UInt64] = []
        var time: UInt64 = 1000
        return words { records in
            for number in 0..<count {
                time += step * (1 + dice.below(40))
                if dice.below(400) == 0 { time += dice.below(1 << 30) }
                let address = 0x5000_0000 + dice.below(4096) * 16
                switch dice.below(24) {
                case 0..<10:
                    records.allocate(
                        address, size: 16 << dice.below(6), stack: UInt32(dice.below(5)),
                        alignment: dice.below(40) / 39,
                        at: time)
                    live.append(address)
                case 10..<20 where !live.isEmpty:
                    let order = dice.below(3)
                    let index = order == 0 ? live.count - 1 : order == 1 ? 0 : Int(dice.below(UInt64(live.count)))
                    records.free(live.remove(at: index), at: time)
                case 20:
                    records.reallocate(
                        live.popLast() ?? address, to: address, size: dice.below(1 << 32), freed: time, at: time + 52)
                    time += 52
                    live.append(address)
                case 21: records.allocate(address, size: 24, stack: 9, type: dice.below(3), at: time)
                case 22: records.sample(address, size: 4096, weight: Double(1 + dice.below(2)), at: time)
                default:
                    records.free(dice.next() & 0x7FFF_FFFF_FFF8, at: time)
                    switch dice.below(12) {
                    case 0:
                        records.stack(UInt32(number), frames: [dice.next(), 0x401000, 0], base: 1, kept: 2, flags: 3)
                    case 1: records.stack(UInt32.max, frames: [])
                    case 2: records.usable(size: dice.next(), usable: dice.next())
                    case 3: records.module(3, path: "/lib/\(number).so", from: dice.next(), to: dice.next())
                    case 4: records.extended(dice.below(32), argument: dice.below(1 << 40), [dice.next()])
                    case 5: records.wideAllocate(dice.next(), size: dice.next(), stack: 4, alignment: 9, weight: 0.5)
                    case 6: records.wideFree(dice.next())
                    case 7: records.wideReallocate(dice.next(), to: dice.next(), size: dice.next(), at: records.time)
                    case 8: records.raw(0)
                    case 9: records.setTime(dice.next())
                    case 10: records.extended(5, argument: (1 << 40) - 1, [dice.next(), dice.next(), dice.next()])
                    default: records.totals(allocations: dice.next(), frees: 1, bytes: 2)
                    }
                    time = records.time
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func `a program's records come back word for word`(seed: UInt64) throws {
        let words = program(20_000, seed: seed &* 0x9E37_79B9, step: seed.isMultiple(of: 2) ? 26 : 1)
        let stored = try #require(roundTrip(words))
        #expect(stored.count < words.count * 8 / 2)
        #expect(roundTrip(words, kind: .zstd) != nil)
    }

    @Test func `one record of each kind comes back`() {
        let records: [(inout RecordWriter) -> Void] = [
            { $0.free(0x7FFF_FFFF_FFF8, at: 1000 + (1 << 17) - 1) }, { $0.free(0, at: 1000) },
            { $0.allocate(0, size: 0, at: 1000) },
            {
                $0.allocate(
                    0x7FFF_FFFF_FFF8, size: 0xFFFF_FFFF, stack: 0xFFF_FFFF, alignment: 15, at: 1000 + (1 << 17) - 1)
            },
            { $0.reallocate(0x10, to: 0x10, size: 1 << 24, freed: 1001, at: 1002) },
            { $0.allocate(0x10, size: 7, type: .max, at: 1001) }, { $0.sample(0x10, size: 7, weight: 0, at: 1001) },
            { $0.extended(31, argument: (1 << 40) - 1, (0..<65535).map { UInt64($0) &* 0x1234_5678_9ABC_DEF1 }) },
            { $0.extended(1, argument: 7, [1, 2]) }, { $0.extended(5, []) }, { $0.extended(5, [.max, .max]) },
            { $0.setTime(0) }, { $0.setTime(.max) }, { $0.raw(0, 0, 0) },
        ]
        for record in records { #expect(roundTrip(words { record(&$0) }, firstTime: .max) != nil) }
    }

    @Test func `what is no record is declined, not changed`() {
        let free: UInt64 = 1
        #expect(roundTrip([6]) == nil)
        #expect(roundTrip([8]) == nil)
        #expect(roundTrip([2]) == nil)
        #expect(roundTrip([free, 3, 2]) == nil)
        #expect(roundTrip([3, 1, 0]) == nil)
        #expect(roundTrip([4, 0]) == nil)
        #expect(roundTrip([7 | 2 << 8, 0]) == nil)
        #expect(roundTrip([]) == nil)
    }

    @Test func `random words either come back or are declined`() {
        var dice = Dice(state: 77)
        for _ in 0..<300 {
            var words: [UInt64] = []
            for _ in 0..<dice.below(200) {
                let first = dice.next()
                words.append(dice.below(3) == 0 ? first : first & ~7 | [1, 2, 3, 4, 5][Int(dice.below(5))])
                if words.last! & 7 == 3 { words.append(dice.next() & ~7 | 2) }
                if [2, 3].contains(words.last! & 7) { words.append(dice.next()) }
                if [4, 5].contains(words.last! & 7) { words += [dice.next(), dice.next()] }
            }
            _ = roundTrip(words)
        }
    }

    /// Records, and the columns that the document gives for them.
    @Test func `columns written by hand unpack to the records they stand for`() {
        let granularity: UInt8 = 26
        var columns = [[UInt8]](repeating: [], count: 23)
        // ALLOC by address 0x100 (A 0x20, z 0x40), site and size read: place 15, no guess right.
        columns[0] += [22 + (15 * 3 + 2) * 3 + 2]
        columns[2] += [10]
        for (plane, byte) in zip(13..., [7, 0, 0, 0x10] as [UInt8]) { columns[plane] += [byte] }
        columns[17] += [32]
        columns[18] += [0]
        columns[12] += [0x40]
        // FREE of the newest live block; its time is no multiple of the granularity.
        columns[0] += [0]
        columns[1] += [255]
        columns[4] += [5, 0, 0]
        // ALLOC at the newest vacancy of the class, a size of the same class. 192 + 300 steps after: 192 + 1, then 300 & 255.
        columns[0] += [22 + (0 * 3 + 2) * 3 + 2]
        columns[2] += [193]
        columns[3] += [44]
        for (plane, byte) in zip(13..., [7, 0, 0, 0x10] as [UInt8]) { columns[plane] += [byte] }
        columns[17] += [30]
        columns[18] += [0]
        // FREE of a stranger, A 0x30 (z 0x60), and of the block in slot 1.
        columns[0] += [21, 19]
        columns[1] += [1, 2]
        columns[11] += [0x60]
        for (plane, byte) in zip(5..., [1, 0, 0] as [UInt8]) { columns[plane] += [byte] }
        // TIME: three ticks back (z 5). STACK 9: one frame, base 8, kept 2, tag 1. PAD.
        columns[0] += [171, 172, 174]
        columns[20] += [5, 1, 18, 2, 2, 1]
        columns[21] += [0x90, 0x02]

        var stored: [UInt8] = [granularity]
        for column in columns {
            stored.append(UInt8(column.count))
            if !column.isEmpty { stored.append(UInt8(column.count)) }
        }
        stored += columns.joined()
        let site: UInt64 = 0x1000_0007
        let time: UInt64 = 1000 + 260 + 5 + 492 * 26 + 26 + 52 - 3
        let expected: [UInt64] = [
            0x20 << 20 | 260 << 3 | 2, site << 32 | 32,
            0x20 << 20 | 5 << 3 | 1,
            0x20 << 20 | 492 * 26 << 3 | 2, site << 32 | 30,
            0x30 << 20 | 26 << 3 | 1,
            0x20 << 20 | 52 << 3 | 1,
            7 | 1 << 3 | 1 << 8, time,
            7 | 5 << 3 | 3 << 8 | 9 << 24, 2 << 32 | 8, 1, 0x88,
            0,
        ]
        #expect(unpack(stored, words: expected.count) == expected)
        // One word more or less than the columns hold.
        #expect(unpack(stored, words: expected.count + 1) == nil)
        #expect(unpack(stored, words: expected.count - 1) == nil)
    }

    @Test func `no truncation and no flipped bit of stored bytes traps or writes outside`() throws {
        let words = program(300, seed: 5)
        for kind in [PayloadCodec.Kind.columns, .zstd] {
            let stored = try #require(roundTrip(words, kind: kind))
            for length in 0..<stored.count {
                #expect(unpack(Array(stored[..<length]), kind: kind, words: words.count) == nil)
            }
            var bytes = stored
            for position in bytes.indices {
                for mask: UInt8 in [0xFF, 0x01, 0x80, 0x10] {
                    bytes[position] ^= mask
                    _ = unpack(bytes, kind: kind, words: words.count)
                    bytes[position] ^= mask
                }
            }
        }
    }

    /// Stored columns are left uncompressed, so that flips reach the codes, slots and numbers behind zstd.
    @Test func `hostile columns are refused or unpacked, within bounds`() throws {
        var dice = Dice(state: 99)
        for _ in 0..<4000 {
            var stored: [UInt8] = [UInt8(1 + dice.below(60))]
            var columns: [[UInt8]] = []
            for column in 0..<23 {
                let count = column == 0 ? 40 : Int(dice.below(60))
                columns.append((0..<count).map { _ in UInt8(truncatingIfNeeded: dice.next() >> (8 * dice.below(8))) })
                stored.append(UInt8(count))
                if count > 0 { stored.append(UInt8(count)) }
            }
            stored += columns.joined()
            _ = unpack(stored, words: Int(1 + dice.below(120)))
        }
    }

    @Test func `columns that claim more than their chunk may hold are refused before any is unpacked`() {
        // One column of 2^40 bytes, and 23 columns of 2^63 whose sum overflows.
        let huge: [UInt8] = [1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1] + [UInt8](repeating: 0, count: 22) + [0]
        #expect(unpack(huge, words: 16) == nil)
        let half: [UInt8] = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
        #expect(unpack([1] + (0..<23).flatMap { _ in half + [1] } + [UInt8](repeating: 0, count: 23), words: 16) == nil)
        #expect(unpack([0] + [UInt8](repeating: 0, count: 23), words: 1) == nil)
    }
}
