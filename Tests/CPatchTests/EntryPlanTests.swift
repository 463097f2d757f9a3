// The planner on single functions, given as bytes: what moves, what it becomes, and every refusal.

import CPatch
import Testing

@Suite struct EntryPlanTests {
    /// A plan, or why there is none.
    struct Outcome {
        var refusal: ht_patch_refusal
        var entry: ht_patch_entry

        var moved: [UInt8] {
            withUnsafeBytes(of: entry.moved) { Array($0.prefix(Int(entry.moved_bytes))) }
        }
        var expected: [UInt8] {
            withUnsafeBytes(of: entry.expected) { Array($0.prefix(Int(entry.replaced))) }
        }
        var movedAt: [UInt8] { withUnsafeBytes(of: entry.moved_at) { Array($0.prefix(Int(entry.replaced))) } }
        var fixups: [ht_patch_fixup] {
            withUnsafeBytes(of: entry.fixup) {
                Array($0.bindMemory(to: ht_patch_fixup.self).prefix(Int(entry.fixups)))
            }
        }
    }

    static let address: UInt64 = 0x1000

    static func plan(_ bytes: [UInt8], size: Int? = nil, cold: [UInt8] = [], coldAddress: UInt64 = 0x9000) -> Outcome {
        var entry = ht_patch_entry()
        let refusal = bytes.withUnsafeBufferPointer { code in
            cold.withUnsafeBufferPointer { cold in
                var function = ht_patch_function()
                function.bytes = code.baseAddress
                function.size = size ?? bytes.count
                function.available = bytes.count
                function.address = address
                function.cold = cold.isEmpty ? nil : cold.baseAddress
                function.cold_size = cold.count
                function.cold_address = coldAddress
                return ht_patch_plan_entry(&function, &entry)
            }
        }
        return Outcome(refusal: refusal, entry: entry)
    }

    // push %rbp ; mov %rsp, %rbp ; sub $16, %rsp ; leave ; ret
    static let ordinary: [UInt8] = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0xc9, 0xc3]

    @Test func `whole instructions move, and a jump leads back behind them`() {
        let plan = Self.plan(Self.ordinary)
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.entry.address == 0x1000)
        #expect(plan.expected == Array(Self.ordinary.prefix(8)))
        #expect(plan.moved == Array(Self.ordinary.prefix(8)) + [0xe9, 0, 0, 0, 0])
        #expect(plan.fixups.map(\.target) == [0x1008])
        #expect(plan.fixups.map(\.at) == [9])
        #expect(plan.fixups.map(\.end) == [13])
        let none = UInt8(HT_PATCH_NOT_MOVED)
        #expect(plan.movedAt == [0, 1, none, none, 4, none, none, none])
    }

    @Test func `an endbr64 stays where it is`() {
        let plan = Self.plan([0xf3, 0x0f, 0x1e, 0xfa] + Self.ordinary)
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.entry.address == 0x1004)
        #expect(plan.expected == Array(Self.ordinary.prefix(8)))
        #expect(plan.fixups.map(\.target) == [0x100c])
    }

    @Test func `an address relative to the instruction is put right, with what follows it in the instruction`() {
        // cmpl $7, 0x20(%rip) ; ret
        let plan = Self.plan([0x83, 0x3d, 0x20, 0, 0, 0, 0x07, 0xc3])
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.entry.replaced == 7)
        #expect(plan.fixups.map(\.target) == [0x1027, 0x1007])
        #expect(plan.fixups.map(\.at) == [2, 8])
        #expect(plan.fixups.map(\.end) == [7, 12])
    }

    @Test func `a short branch becomes a long one`() {
        // test %rdi, %rdi ; je +0x20 ; xor %eax, %eax ; ret
        let plan = Self.plan([0x48, 0x85, 0xff, 0x74, 0x20, 0x31, 0xc0, 0xc3])
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.moved == [0x48, 0x85, 0xff, 0x0f, 0x84, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0])
        #expect(plan.fixups.map(\.target) == [0x1025, 0x1005])
    }

    @Test func `a function that is one jump needs no way back`() {
        let plan = Self.plan([0xe9, 0x10, 0, 0, 0])
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.moved == [0xe9, 0, 0, 0, 0])
        #expect(plan.fixups.map(\.target) == [0x1015])
    }

    @Test func `a call that comes last returns to where it was`() {
        // sub $8, %rsp ; call +0x40 ; add $8, %rsp ; ret
        let plan = Self.plan([0x48, 0x83, 0xec, 0x08, 0xe8, 0x40, 0, 0, 0, 0x48, 0x83, 0xc4, 0x08, 0xc3])
        #expect(plan.refusal == HT_PATCH_OK)
        #expect(plan.entry.replaced == 9)
        #expect(plan.fixups.map(\.target) == [0x1009, 0x1049])
    }

    @Test(
        arguments: [
            // call *%rax ; ret, and more
            [0xff, 0xd0, 0x48, 0x83, 0xc4, 0x08, 0xc3],
            // loop +2 ; push %rbp ; mov %rsp, %rbp ; ret
            [0xe2, 0x02, 0x55, 0x48, 0x89, 0xe5, 0xc3],
            // jrcxz +2 ; push %rbp ; mov %rsp, %rbp ; ret
            [0xe3, 0x02, 0x55, 0x48, 0x89, 0xe5, 0xc3],
        ] as [[UInt8]])
    func `what works at its place alone is refused`(bytes: [UInt8]) {
        #expect(Self.plan(bytes).refusal == HT_PATCH_UNMOVABLE)
    }

    @Test func `a function shorter than a jump needs padding behind it`() {
        let nops: [UInt8] = [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]
        #expect(Self.plan([0xc3]).refusal == HT_PATCH_TOO_SHORT)
        #expect(Self.plan([0xc3] + Self.ordinary, size: 1).refusal == HT_PATCH_TOO_SHORT)
        #expect(Self.plan([0xc3] + nops + Self.ordinary, size: 1).refusal == HT_PATCH_OK)
        #expect(Self.plan([0xc3, 0xcc, 0xcc, 0xcc, 0xcc], size: 1).refusal == HT_PATCH_OK)
        #expect(Self.plan([0x31, 0xc0, 0xc3, 0x90, 0x90], size: 3).refusal == HT_PATCH_OK)
        // The same bytes, but the function's own.
        #expect(Self.plan([0xc3] + nops).refusal == HT_PATCH_TOO_SHORT)
    }

    @Test func `a branch back among the instructions that move is refused`() {
        // … dec %rdi ; jne TARGET ; ret, behind the eight bytes that move
        func looping(to target: Int) -> [UInt8] {
            let head = Array(Self.ordinary.prefix(8)) + [0x48, 0xff, 0xcf, 0x75]
            return head + [UInt8(truncatingIfNeeded: target - (head.count + 1)), 0xc3]
        }
        #expect(Self.plan(looping(to: 8)).refusal == HT_PATCH_OK)
        #expect(Self.plan(looping(to: 4)).refusal == HT_PATCH_BRANCH_INTO)
        #expect(Self.plan(looping(to: 1)).refusal == HT_PATCH_BRANCH_INTO)
        // A loop that begins with the function: the registers are no caller's.
        #expect(Self.plan(looping(to: 0)).refusal == HT_PATCH_BRANCH_INTO)
    }

    @Test func `a branch back from the function's cold piece is refused`() {
        func cold(to target: UInt64) -> [UInt8] {
            let distance = UInt32(truncatingIfNeeded: target &- (0x9000 + 5))
            return [0xe9] + (0..<4).map { UInt8(truncatingIfNeeded: distance >> (8 * $0)) }
        }
        #expect(Self.plan(Self.ordinary, cold: cold(to: 0x1004)).refusal == HT_PATCH_BRANCH_INTO)
        #expect(Self.plan(Self.ordinary, cold: cold(to: 0x1008)).refusal == HT_PATCH_OK)
    }

    @Test func `bytes that are no instructions are refused`() {
        #expect(Self.plan([0x06, 0x06, 0x06, 0x06, 0x06, 0x06]).refusal == HT_PATCH_UNDECODABLE)
        #expect(Self.plan([]).refusal == HT_PATCH_TOO_SHORT)
    }

    @Test func `a placed entry jumps to its thunk, which hands the slot to its hook`() {
        var entry = Self.plan(Self.ordinary).entry
        var code = [UInt8](repeating: 0, count: Int(HT_PATCH_CODE_BYTES))
        var jump = [UInt8](repeating: 0, count: Int(HT_PATCH_REPLACED_MAX))
        // The image lies 0x400000 higher than its file says.
        #expect(ht_patch_place(&entry, 0x400000, 0x300000, 0x300800, &code, &jump) == 0)
        func word(_ bytes: [UInt8], _ at: Int) -> Int32 {
            bytes[at..<at + 4].reversed().reduce(0) { $0 << 8 | Int32($1) }
        }
        #expect(jump[0] == 0xe9)
        #expect(0x401000 + 5 + Int(word(jump, 1)) == 0x300800)
        #expect(Array(jump[5..<8]) == [0xcc, 0xcc, 0xcc])
        #expect(Array(code[0..<3]) == [0x4c, 0x8d, 0x0d])  // lea …, %r9
        #expect(0x300807 + Int(word(code, 3)) == 0x300000)
        #expect(Array(code[7..<9]) == [0xff, 0x25])  // jmp *…
        #expect(0x30080d + Int(word(code, 9)) == 0x300000)
        #expect(Array(code[16..<24]) == Array(Self.ordinary.prefix(8)))
        #expect(0x300810 + 13 + Int(word(code, 25)) == 0x401008)
    }

    @Test func `a slot out of a jump's reach is refused`() {
        var entry = Self.plan(Self.ordinary).entry
        var code = [UInt8](repeating: 0, count: Int(HT_PATCH_CODE_BYTES))
        var jump = [UInt8](repeating: 0, count: Int(HT_PATCH_REPLACED_MAX))
        #expect(ht_patch_place(&entry, 0, 0x1_0000_0000, 0x1_0000_1000, &code, &jump) == 1)
        #expect(ht_patch_place(&entry, 0, 0x1_0000_0000, 0x3000, &code, &jump) == 1)
    }

    @Test func `whatever the bytes, a plan stays within its bounds`() {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        func random() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        var planned = 0
        for _ in 0..<20_000 {
            let bytes = (0..<Int(random() % 40)).map { _ in UInt8(truncatingIfNeeded: random()) }
            let plan = Self.plan(bytes, size: Int(random() % 48))
            guard plan.refusal == HT_PATCH_OK else { continue }
            planned += 1
            #expect(plan.entry.replaced >= 5 && plan.entry.replaced <= 24)
            #expect(Int(plan.entry.moved_bytes) + 16 <= Int(HT_PATCH_CODE_BYTES))
            #expect(plan.entry.fixups <= 8)
            for fixup in plan.fixups {
                #expect(fixup.at + 4 <= fixup.end && fixup.end <= plan.entry.moved_bytes)
            }
        }
        #expect(planned > 1000)
    }
}
