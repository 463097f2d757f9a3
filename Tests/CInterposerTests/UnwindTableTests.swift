// Rules from unwind tables written by hand: instructions and encodings that no binary at hand uses, or none of those that the other tests
// read.

import CInterposerTestSupport
import Testing

/// An image of one .eh_frame_hdr, one CIE and one FDE, all at fixed places.
private struct UnwindTable {
    static let (cie, fde, code, range) = (64, 128, 4096, 1 << 17)
    /// Where the FDE's program begins: length, CIE, start, range, no augmentation data.
    static let program = fde + 17
    var version: UInt8 = 1
    var returnRegister: [UInt8] = [16]
    var instructions: [UInt8]

    private static func word(_ value: Int) -> [UInt8] {
        let bits = UInt32(bitPattern: Int32(value))
        return (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }

    /// A distance from the byte at `place` to the code.
    static func toCode(_ offset: Int, from place: Int) -> [UInt8] { word(code + offset - place) }

    private var image: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1024)
        func put(_ part: [UInt8], at place: Int) { bytes.replaceSubrange(place..<place + part.count, with: part) }
        put([1, 0x1b, 0x03, 0x3b] + Self.word(Self.cie - 4) + Self.word(1), at: 0)
        put(Self.word(Self.code) + Self.word(Self.fde), at: 12)
        // zR, pc-relative 4 bytes; CFA = rsp + 8, return address below it.
        let head: [UInt8] = [version, 0x7a, 0x52, 0, 1, 0x78] + returnRegister + [1, 0x1b, 0x0c, 7, 8, 0x90, 1]
        put(Self.word(Self.fde - Self.cie - 4) + Self.word(0) + head, at: Self.cie)
        put(
            Self.word(17 - 4 + instructions.count) + Self.word(Self.fde + 4 - Self.cie)
                + Self.toCode(0, from: Self.fde + 8) + Self.word(Self.range) + [0] + instructions, at: Self.fde)
        return bytes
    }

    /// The rule for an address in the function: kind, offset, where rbp was saved.
    func rule(at offset: Int) -> [Int64] {
        let rule = image.withUnsafeBufferPointer {
            ht_test_image_rule($0.baseAddress, $0.count, UInt64(Self.code + offset))
        }
        return [Int64(rule.kind), rule.offset, Int64(rule.saved)]
    }
}

private let (fromStack, throughWord, guessed, outermost): (Int64, Int64, Int64, Int64) = (1, 3, 5, 7)

extension RecorderCore {
    @Suite("An unwind table") struct UnwindTableTests {
        @Test("holds for its range, to the byte")
        func range() {
            let table = UnwindTable(instructions: [])
            #expect(table.rule(at: 0) == [fromStack, 8, 0])
            #expect(table.rule(at: UnwindTable.range - 1) == [fromStack, 8, 0])
            #expect(table.rule(at: UnwindTable.range)[0] == guessed)
            #expect(table.rule(at: -1)[0] == guessed)
        }

        @Test("advances by distances of every width, and to a place")
        func advances() {
            let widths: [([UInt8], Int)] = [
                ([0x40 | 9], 9), ([0x02, 200], 200), ([0x03, 0x34, 0x12], 0x1234), ([0x04, 0x34, 0x12, 1, 0], 0x11234),
                ([0x01] + UnwindTable.toCode(777, from: UnwindTable.program + 1), 777),
            ]
            for (advance, distance) in widths {
                let table = UnwindTable(instructions: advance + [0x0e, 24])
                #expect(table.rule(at: distance - 1) == [fromStack, 8, 0])
                #expect(table.rule(at: distance) == [fromStack, 24, 0])
            }
        }

        @Test("gives factored offsets of the CFA and of rbp")
        func factored() {
            #expect(UnwindTable(instructions: [0x13, 0x7d]).rule(at: 5) == [fromStack, 24, 0])
            #expect(UnwindTable(instructions: [0x12, 7, 0x7b]).rule(at: 5) == [fromStack, 40, 0])
            #expect(UnwindTable(instructions: [0x0e, 32, 0x86, 2]).rule(at: 5) == [fromStack, 32, 16])
            #expect(UnwindTable(instructions: [0x0e, 32, 0x11, 6, 3]).rule(at: 5) == [fromStack, 32, 24])
            #expect(UnwindTable(instructions: [0x0e, 32, 0x05, 6, 2]).rule(at: 5) == [fromStack, 32, 16])
        }

        @Test("finds a realigned frame's caller through the word below rbp, where rbp's own is at rbp")
        func realigned() {
            let cfa: [UInt8] = [0x0f, 3, 0x76, 0x78, 0x06]
            #expect(UnwindTable(instructions: cfa + [0x10, 6, 2, 0x76, 0]).rule(at: 5) == [throughWord, -8, 0])
            #expect(UnwindTable(instructions: cfa + [0x10, 6, 2, 0x76, 8]).rule(at: 5) == [outermost, 8, 0])
            #expect(UnwindTable(instructions: cfa).rule(at: 5) == [outermost, 8, 0])
        }

        @Test("knows the expression of the linker's PLT entries: 8 bytes more after the push")
        func plt() {
            let table = UnwindTable(instructions: [
                0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22,
            ])
            #expect(table.rule(at: 10) == [fromStack, 8, 0])
            #expect(table.rule(at: 11) == [fromStack, 16, 0])
            #expect(table.rule(at: 16) == [fromStack, 8, 0])
            #expect(table.rule(at: 31) == [fromStack, 16, 0])
        }

        @Test("is not followed by a guess where its CFA lies in another register or its caller is undefined")
        func lost() {
            #expect(UnwindTable(instructions: [0x0c, 3, 32]).rule(at: 5) == [outermost, 8, 0])
            #expect(UnwindTable(instructions: [0x07, 16]).rule(at: 5) == [outermost, 0, 0])
            #expect(UnwindTable(instructions: [0x09, 6, 3]).rule(at: 5) == [outermost, 8, 0])
        }

        @Test("names the return address's register in a byte in version 1, in a LEB128 in version 3")
        func versions() {
            #expect(
                UnwindTable(version: 3, returnRegister: [0x90, 0], instructions: []).rule(at: 5) == [fromStack, 8, 0])
            #expect(UnwindTable(version: 3, returnRegister: [16], instructions: []).rule(at: 5) == [fromStack, 8, 0])
            #expect(UnwindTable(version: 2, instructions: []).rule(at: 5)[0] == guessed)
        }

        @Test("gets back what it remembered, the CFA too")
        func remembered() {
            let table = UnwindTable(instructions: [0x0a, 0x0e, 48, 0x86, 2, 0x44, 0x0b, 0x44, 0x0e, 16])
            #expect(table.rule(at: 3) == [fromStack, 48, 16])
            #expect(table.rule(at: 4) == [fromStack, 8, 0])
            #expect(table.rule(at: 8) == [fromStack, 16, 0])
        }
    }
}
