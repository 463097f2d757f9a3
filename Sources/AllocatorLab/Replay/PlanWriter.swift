// A plan's way into its file: operations as they come, then the tables that say where they lie.

internal import CReplay

/// Appends words to the plan's file. The first failure counts; what comes after it is not written.
final class PlanWriter {
    private let file: PlanFile
    private(set) var offset: UInt64
    private(set) var failure: ReplayError?

    init(file: PlanFile) {
        self.file = file
        offset = UInt64(HT_REPLAY_HEADER_BYTES)
    }

    /// Writes words and says where.
    func write(_ words: UnsafePointer<UInt64>, _ count: Int) -> UInt64 {
        write(UnsafeRawBufferPointer(start: words, count: count * 8))
    }

    /// Writes bytes and says where.
    func write(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        defer { offset += UInt64(bytes.count) }
        if failure == nil {
            do {
                try file.write(bytes, at: offset)
            } catch { failure = error }
        }
        return offset
    }

    /// Writes the tables behind the operations, and the header before them.
    /// - Parameters:
    ///   - header: what is known of the plan; the tables' places are filled in.
    ///   - streams: all of them, the turns last.
    func finish(_ header: inout ht_replay_plan, _ streams: [PlanStream]) throws(ReplayError) {
        header.magic = UInt32(HT_REPLAY_PLAN_MAGIC)
        header.streams = UInt32(streams.count - 1)
        var blocks: [ht_replay_block] = []
        let table = streams.map { stream in
            defer { blocks += stream.blocks }
            return ht_replay_stream(
                first_block: UInt64(blocks.count), blocks: UInt64(stream.blocks.count),
                longest_words: UInt64(stream.longestWords))
        }
        header.block_table = blocks.withUnsafeBytes { write($0) }
        header.stream_table = table.withUnsafeBytes { write($0) }
        if failure == nil {
            withUnsafeBytes(of: header) { bytes in
                do throws(ReplayError) { try file.write(bytes, at: 0) } catch { failure = error }
            }
        }
        if let failure { throw failure }
    }
}
