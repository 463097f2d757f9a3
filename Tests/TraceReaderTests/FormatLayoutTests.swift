// The format's numbers in Swift against the C header that the recorder is built from: sizes and offsets of the structures, and every constant.

import CTraceFormat
import Testing

@testable import TraceReader

@Suite struct FormatLayoutTests {
    @Test func `the file header has the layout that the reader decodes`() {
        #expect(MemoryLayout<ht_file_header>.size == Format.fileHeaderBytes)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.major) == 8)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.minor) == 10)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.architecture) == 12)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.byte_order) == 13)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.pointer_bits) == 14)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.clock) == 15)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.page_size) == 16)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.mode) == 20)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.flags) == 24)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.pid) == 28)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.sample_bytes) == 32)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.start_ticks) == 40)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.start_ns) == 48)
        #expect(MemoryLayout<ht_file_header>.offset(of: \.checksum) == 60)
    }

    @Test func `the chunk header has the layout that the reader decodes`() {
        #expect(MemoryLayout<ht_chunk_header>.size == Format.chunkHeaderBytes)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.magic) == 0)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.kind) == 4)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.flags) == 6)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.codec) == 7)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.stored_bytes) == 8)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.raw_bytes) == 12)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.thread) == 16)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.lane) == 20)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.image) == 22)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.first_time) == 24)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.last_time) == 32)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.allocations) == 40)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.frees) == 44)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.records) == 48)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.payload_checksum) == 52)
        #expect(MemoryLayout<ht_chunk_header>.offset(of: \.header_checksum) == 60)
        #expect(HT_CHUNK_MAGIC == 0x3143_5448)
        #expect(HT_CHUNK_SKIPPABLE == 1)
    }

    @Test func `chunk kinds and information keys are the header's`() {
        let kinds: [(ChunkKind, ht_chunk_kind)] = [
            (.info, HT_CHUNK_INFO), (.events, HT_CHUNK_EVENTS), (.definitions, HT_CHUNK_DEFINITIONS),
            (.round, HT_CHUNK_ROUND), (.clock, HT_CHUNK_CLOCK), (.losses, HT_CHUNK_LOSSES), (.end, HT_CHUNK_END),
            (.index, HT_CHUNK_INDEX), (.checkpoint, HT_CHUNK_CHECKPOINT),
        ]
        for (swift, c) in kinds { #expect(UInt32(swift.rawValue) == c.rawValue) }
        let keys: [(InfoEntries.Key, ht_info_key)] = [
            (.host, HT_INFO_HOST), (.program, HT_INFO_PROGRAM), (.arguments, HT_INFO_ARGUMENTS),
            (.allocator, HT_INFO_ALLOCATOR), (.allocatorPath, HT_INFO_ALLOCATOR_PATH), (.recorder, HT_INFO_RECORDER),
            (.directory, HT_INFO_DIRECTORY), (.kernel, HT_INFO_KERNEL), (.warning, HT_INFO_WARNING),
            (.executable, HT_INFO_EXECUTABLE), (.options, HT_INFO_OPTIONS),
        ]
        for (swift, c) in keys { #expect(UInt32(swift.rawValue) == c.rawValue) }
        let reasons: [(TraceLosses.Reason, ht_loss_reason)] = [
            (.none, HT_LOSS_NONE), (.ringFull, HT_LOSS_RING_FULL), (.noRing, HT_LOSS_NO_RING),
            (.nested, HT_LOSS_NESTED), (.collectorGone, HT_LOSS_COLLECTOR_GONE), (.writeFailed, HT_LOSS_WRITE_FAILED),
        ]
        for (swift, c) in reasons { #expect(swift.rawValue == c.rawValue) }
        let ends: [(TraceEnd.How, ht_end_how)] = [
            (.unknown, HT_END_UNKNOWN), (.exited, HT_END_EXITED), (.signalled, HT_END_SIGNALLED),
            (.turnedOff, HT_END_TURNED_OFF), (.detached, HT_END_DETACHED),
        ]
        for (swift, c) in ends { #expect(swift.rawValue == c.rawValue) }
    }

    @Test func `codecs are the header's`() {
        #expect(UInt32(PayloadCodec.Kind.zstd.rawValue) == HT_CODEC_ZSTD.rawValue)
        #expect(UInt32(PayloadCodec.Kind.columns.rawValue) == HT_CODEC_COLUMNS.rawValue)
        #expect(UInt32(Format.lastCodec) == HT_CODEC_COLUMNS.rawValue)
        #expect(HT_CODEC_RAW.rawValue == 0)
    }

    @Test func `record kinds are the header's`() {
        let kinds: [(UInt64, ht_record_kind)] = [
            (0, HT_RECORD_PAD), (RecordWord.free, HT_RECORD_FREE), (RecordWord.allocation, HT_RECORD_ALLOC),
            (RecordWord.reallocation, HT_RECORD_REALLOC), (RecordWord.typedAllocation, HT_RECORD_ALLOC_TYPED),
            (RecordWord.sampledAllocation, HT_RECORD_ALLOC_SAMPLE), (RecordWord.extended, HT_RECORD_EXTENDED),
        ]
        for (swift, c) in kinds { #expect(swift == UInt64(c.rawValue)) }
        let subs: [(UInt64, ht_extended_kind)] = [
            (ExtendedSub.time, HT_EXTENDED_TIME), (ExtendedSub.wideFree, HT_EXTENDED_WIDE_FREE),
            (ExtendedSub.wideAllocation, HT_EXTENDED_WIDE_ALLOC),
            (ExtendedSub.wideReallocation, HT_EXTENDED_WIDE_REALLOC), (ExtendedSub.stack, HT_EXTENDED_STACK),
            (ExtendedSub.module, HT_EXTENDED_MODULE), (ExtendedSub.moduleGone, HT_EXTENDED_MODULE_GONE),
            (ExtendedSub.usable, HT_EXTENDED_USABLE), (ExtendedSub.tag, HT_EXTENDED_TAG),
            (ExtendedSub.counter, HT_EXTENDED_COUNTER), (ExtendedSub.count, HT_EXTENDED_COUNT),
            (ExtendedSub.thread, HT_EXTENDED_THREAD), (ExtendedSub.type, HT_EXTENDED_TYPE),
            (ExtendedSub.loss, HT_EXTENDED_LOSS), (ExtendedSub.totals, HT_EXTENDED_TOTALS),
            (ExtendedSub.task, HT_EXTENDED_TASK), (ExtendedSub.image, HT_EXTENDED_IMAGE),
            (ExtendedSub.metadata, HT_EXTENDED_METADATA), (ExtendedSub.freedType, HT_EXTENDED_FREED_TYPE),
            (ExtendedSub.stackType, HT_EXTENDED_STACK_TYPE),
        ]
        for (swift, c) in subs { #expect(swift == UInt64(c.rawValue)) }
        #expect(ExtendedSub.freedNext == UInt64(HT_FREED_NEXT))
    }

    @Test func `bit fields of a word are where the header puts them`() {
        for bit in 0..<64 {
            let word = UInt64(1) << UInt64(bit)
            func field(_ shift: Int, _ bits: Int) -> UInt64 { word >> UInt64(shift) & ((1 << UInt64(bits)) - 1) }
            #expect(word & RecordWord.kindMask == field(0, Int(HT_KIND_BITS)))
            #expect(RecordWord.delta(word) == field(Int(HT_DELTA_SHIFT), Int(HT_DELTA_BITS)))
            #expect(RecordWord.address(word) == field(Int(HT_ADDRESS_SHIFT), Int(HT_ADDRESS_BITS)) << 3)
            #expect(RecordWord.size(word) == field(0, Int(HT_SIZE_BITS)))
            #expect(UInt64(RecordWord.stack(word)) == field(Int(HT_STACK_SHIFT), Int(HT_STACK_BITS)))
            #expect(UInt64(RecordWord.alignment(word)) == field(Int(HT_ALIGNMENT_SHIFT), Int(HT_ALIGNMENT_BITS)))
            #expect(RecordWord.sub(word) == field(Int(HT_EXTENDED_SUB_SHIFT), Int(HT_EXTENDED_SUB_BITS)))
            #expect(
                UInt64(RecordWord.followers(word)) == field(Int(HT_EXTENDED_WORDS_SHIFT), Int(HT_EXTENDED_WORDS_BITS)))
            #expect(RecordWord.argument(word) == word >> UInt64(HT_EXTENDED_ARGUMENT_SHIFT))
        }
    }

    @Test func `both ways of writing an alignment become one code`() {
        #expect(RecordWord.alignmentCode(wide: 0) == 0)
        for log2 in UInt64(0)...63 {
            let code = RecordWord.alignmentCode(wide: log2 + 1)
            let event = HeapEvent(
                kind: .allocation, time: 0, thread: ThreadSerial(1), address: 0, alignmentCode: code)
            #expect(event.alignmentBytes == 1 << log2)
            #expect((1...15).contains(code) == (3...17).contains(log2))
        }
    }
}
