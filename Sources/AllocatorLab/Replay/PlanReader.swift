// A plan's calls in the order of the trace, for whoever performs them without threads: the simulated allocators.

internal import CReplay
internal import Glibc

/// Reads a plan from its first call to its last.
struct PlanReader: ~Copyable {
    /// What happens to a block of the plan.
    enum Step: Equatable {
        /// A block comes into a slot that holds none.
        case allocate(slot: Int, size: UInt64, alignment: UInt64, owner: Int)
        /// The block of a slot goes.
        case free(slot: Int)
        /// A block comes and goes at once and is never live: the trace has its free first.
        case pass(size: UInt64, alignment: UInt64, owner: Int)
    }

    /// Where one stream is read.
    private struct Cursor {
        var blocks: ArraySlice<ht_replay_block>
        var words: [UInt64] = []
        var position = 0
    }

    private let file: PlanFile
    private var cursors: [Cursor] = []

    init(_ plan: ReplayPlan) throws(ReplayError) {
        file = plan.file
        let header = try Self.read(file, ht_replay_plan.self, count: 1, at: 0)[0]
        let streams = try Self.read(
            file, ht_replay_stream.self, count: Int(header.streams) + 1, at: header.stream_table)
        let count = streams.reduce(0) { $0 + Int($1.blocks) }
        let blocks = try Self.read(file, ht_replay_block.self, count: count, at: header.block_table)
        for stream in streams {
            let first = Int(stream.first_block)
            cursors.append(Cursor(blocks: blocks[first..<first + Int(stream.blocks)]))
        }
    }

    /// Tells every call. A reallocation is a free and an allocation in the same slot.
    mutating func forEachStep(_ body: (Step) -> Void) throws(ReplayError) {
        let turns = cursors.count - 1
        if turns == 1 {
            while try perform(0, body) {}
            return
        }
        while let turn = try next(turns) {
            for _ in 0..<turn >> 32 { _ = try perform(Int((turn >> 4) & 0xfff_ffff), body) }
        }
    }

    private mutating func perform(_ stream: Int, _ body: (Step) -> Void) throws(ReplayError) -> Bool {
        guard let word = try next(stream) else { return false }
        let slot = Int((word >> 4) & 0xfff_ffff)
        let low = word >> 32
        let op = ht_replay_op(UInt32(word & 15))
        switch op {
        case HT_REPLAY_MALLOC, HT_REPLAY_MALLOC_WIDE, HT_REPLAY_FLEETING:
            let owner = Int((try next(stream) ?? 0) >> 32)
            let wide = op == HT_REPLAY_MALLOC ? 0 : try next(stream) ?? 0
            let size = low | (wide >> 40) << 32
            let log = (wide >> 32) & 0xff
            let alignment: UInt64 = log == 0 ? 0 : 1 << log
            body(
                op == HT_REPLAY_FLEETING
                    ? .pass(size: size, alignment: alignment, owner: owner)
                    : .allocate(slot: slot, size: size, alignment: alignment, owner: owner))
        case HT_REPLAY_REALLOC, HT_REPLAY_REALLOC_WIDE, HT_REPLAY_REALLOC_LATE:
            let owner = Int((try next(stream) ?? 0) >> 32)
            _ = try next(stream)
            let wide = op == HT_REPLAY_REALLOC ? 0 : try next(stream) ?? 0
            if op != HT_REPLAY_REALLOC_LATE { body(.free(slot: slot)) }
            body(.allocate(slot: slot, size: low | (wide >> 40) << 32, alignment: 0, owner: owner))
        case HT_REPLAY_FREE, HT_REPLAY_LAPSE: body(.free(slot: slot))
        default: break
        }
        return true
    }

    /// The next word of a stream; nil behind the last.
    private mutating func next(_ stream: Int) throws(ReplayError) -> UInt64? {
        if cursors[stream].position == cursors[stream].words.count {
            guard let block = cursors[stream].blocks.popFirst() else { return nil }
            cursors[stream].words = try Self.read(file, UInt64.self, count: Int(block.words), at: block.offset)
            cursors[stream].position = 0
        }
        defer { cursors[stream].position += 1 }
        return cursors[stream].words[cursors[stream].position]
    }

    private static func read<Row>(
        _ file: PlanFile, _ type: Row.Type, count: Int, at offset: UInt64
    ) throws(ReplayError) -> [Row] {
        var failure: Int32?
        let rows = [Row](unsafeUninitializedCapacity: count) { buffer, filled in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var read = 0
            while read < bytes.count {
                let part = pread(
                    file.descriptor, bytes.baseAddress! + read, bytes.count - read, off_t(offset) + off_t(read))
                if part < 0, errno == EINTR { continue }
                if part <= 0 {
                    failure = part == 0 ? EIO : errno
                    break
                }
                read += part
            }
            filled = failure == nil ? count : 0
        }
        if let failure { throw .system(action: "cannot read the plan of the replay", code: failure) }
        return rows
    }
}
