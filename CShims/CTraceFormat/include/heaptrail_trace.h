// The trace format's numbers, for C and Swift alike. FORMAT.md is the specification; this header restates its constants
// and fixed structures. Plain data only: fixed-width integers, no pointers, no bit-fields, no atomics (Swift drops
// those silently). Constants are enumerators or `1ull << n`.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    HT_VERSION_MAJOR = 1,
    HT_VERSION_MINOR = 3,
    HT_ARCH_X86_64 = 1,
    HT_ARCH_AARCH64 = 2,
    HT_BYTE_ORDER_LITTLE = 1,
    HT_CLOCK_COUNTER = 1,
    HT_CLOCK_MONOTONIC = 2,
    HT_MODE_COLLECTOR = 1,
    HT_MODE_THREAD = 2,
    HT_MODE_CONVERTED = 3,
    HT_FILE_NO_STACKS = 1,
    HT_FILE_SAMPLED = 2,
    HT_FILE_FORKED = 4,
    HT_FILE_DROPS = 8,
    HT_FILE_ATTACHED = 16,
    HT_FILE_HEADER_BYTES = 64,
    HT_CHUNK_HEADER_BYTES = 64,
    HT_CHUNK_MAGIC = 0x31435448,  // "HTC1"
    HT_CHUNK_SKIPPABLE = 1,
    HT_CHUNK_PAYLOAD_MAX = 16 << 20,
};

enum ht_chunk_kind {
    HT_CHUNK_INFO = 1,
    HT_CHUNK_EVENTS = 2,
    HT_CHUNK_DEFINITIONS = 3,
    HT_CHUNK_ROUND = 4,
    HT_CHUNK_CLOCK = 5,
    HT_CHUNK_LOSSES = 6,
    HT_CHUNK_END = 7,
    HT_CHUNK_INDEX = 8,
    HT_CHUNK_CHECKPOINT = 9,
};

enum ht_chunk_codec {
    HT_CODEC_RAW = 0,
    HT_CODEC_ZSTD = 1,
    HT_CODEC_COLUMNS = 2,
};

enum ht_info_key {
    HT_INFO_HOST = 1,
    HT_INFO_PROGRAM = 2,
    HT_INFO_ARGUMENTS = 3,
    HT_INFO_ALLOCATOR = 4,
    HT_INFO_ALLOCATOR_PATH = 5,
    HT_INFO_RECORDER = 6,
    HT_INFO_DIRECTORY = 7,
    HT_INFO_KERNEL = 8,
    HT_INFO_WARNING = 9,
    HT_INFO_EXECUTABLE = 10,
    HT_INFO_OPTIONS = 11,
};

enum ht_record_kind {
    HT_RECORD_PAD = 0,
    HT_RECORD_FREE = 1,
    HT_RECORD_ALLOC = 2,
    HT_RECORD_REALLOC = 3,
    HT_RECORD_ALLOC_TYPED = 4,
    HT_RECORD_ALLOC_SAMPLE = 5,
    HT_RECORD_EXTENDED = 7,
};

enum ht_extended_kind {
    HT_EXTENDED_TIME = 1,
    HT_EXTENDED_WIDE_FREE = 2,
    HT_EXTENDED_WIDE_ALLOC = 3,
    HT_EXTENDED_WIDE_REALLOC = 4,
    HT_EXTENDED_STACK = 5,
    HT_EXTENDED_MODULE = 6,
    HT_EXTENDED_MODULE_GONE = 7,
    HT_EXTENDED_USABLE = 8,
    HT_EXTENDED_TAG = 9,
    HT_EXTENDED_COUNTER = 10,
    HT_EXTENDED_COUNT = 11,
    HT_EXTENDED_THREAD = 12,
    HT_EXTENDED_TYPE = 13,
    HT_EXTENDED_LOSS = 14,
    HT_EXTENDED_TOTALS = 15,
    HT_EXTENDED_TASK = 16,
    HT_EXTENDED_IMAGE = 17,
    HT_EXTENDED_METADATA = 18,
    HT_EXTENDED_FREED_TYPE = 19,
    HT_EXTENDED_STACK_TYPE = 20,
};

// Fields of a record's words (FORMAT.md §4).
enum {
    HT_KIND_BITS = 3,
    HT_DELTA_SHIFT = 3,
    HT_DELTA_BITS = 17,
    HT_ADDRESS_SHIFT = 20,  // holds address >> 3
    HT_ADDRESS_BITS = 44,
    HT_SIZE_BITS = 32,
    HT_STACK_SHIFT = 32,
    HT_STACK_BITS = 28,
    HT_ALIGNMENT_SHIFT = 60,
    HT_ALIGNMENT_BITS = 4,
    HT_EXTENDED_SUB_SHIFT = 3,
    HT_EXTENDED_SUB_BITS = 5,
    HT_EXTENDED_WORDS_SHIFT = 8,
    HT_EXTENDED_WORDS_BITS = 16,
    HT_EXTENDED_ARGUMENT_SHIFT = 24,
    HT_STACK_TRUNCATED = 1,
    HT_STACK_ENDED_EARLY = 2,
    HT_FREED_NEXT = 1,  // WIDE_FREE's argument in a sampled trace
};

// METADATA's kind class, in bits 16 to 31 of its second word.
enum ht_metadata_class {
    HT_METADATA_OTHER = 0,
    HT_METADATA_CLASS = 1,
    HT_METADATA_STRUCT = 2,
    HT_METADATA_ENUM = 3,
    HT_METADATA_TUPLE = 4,
    HT_METADATA_FUNCTION = 5,
    HT_METADATA_EXISTENTIAL = 6,
    HT_METADATA_METATYPE = 7,
    HT_METADATA_BOX = 8,
    HT_METADATA_ERROR = 9,
    HT_METADATA_CONTEXT = 10,
    HT_METADATA_OPAQUE = 11,
};

enum {
    HT_METADATA_CLASS_SHIFT = 16,
    HT_METADATA_KIND_SHIFT = 32,
    HT_METADATA_WORDS_BITS = 16,
};

enum ht_loss_reason {
    HT_LOSS_NONE = 0,
    HT_LOSS_RING_FULL = 1,
    HT_LOSS_NO_RING = 2,
    HT_LOSS_NESTED = 3,
    HT_LOSS_COLLECTOR_GONE = 4,
    HT_LOSS_WRITE_FAILED = 5,
};

enum ht_end_how {
    HT_END_UNKNOWN = 0,
    HT_END_EXITED = 1,
    HT_END_SIGNALLED = 2,
    HT_END_TURNED_OFF = 3,
    HT_END_DETACHED = 4,
};

typedef struct ht_file_header {
    uint8_t magic[8];
    uint16_t major;
    uint16_t minor;
    uint8_t architecture;
    uint8_t byte_order;
    uint8_t pointer_bits;
    uint8_t clock;
    uint32_t page_size;
    uint32_t mode;
    uint32_t flags;
    uint32_t pid;
    uint64_t sample_bytes;
    uint64_t start_ticks;
    uint64_t start_ns;
    uint32_t reserved;
    uint32_t checksum;
} ht_file_header;

typedef struct ht_chunk_header {
    uint32_t magic;
    uint16_t kind;
    uint8_t flags;
    uint8_t codec;
    uint32_t stored_bytes;
    uint32_t raw_bytes;
    uint32_t thread;
    uint16_t lane;
    uint16_t image;
    uint64_t first_time;
    uint64_t last_time;
    uint32_t allocations;
    uint32_t frees;
    uint32_t records;
    uint32_t payload_checksum;
    uint32_t reserved;
    uint32_t header_checksum;
} ht_chunk_header;

_Static_assert(sizeof(ht_file_header) == HT_FILE_HEADER_BYTES, "file header");
_Static_assert(offsetof(ht_file_header, sample_bytes) == 32, "file header");
_Static_assert(sizeof(ht_chunk_header) == HT_CHUNK_HEADER_BYTES, "chunk header");
_Static_assert(offsetof(ht_chunk_header, first_time) == 24, "chunk header");

// CRC-32C (Castagnoli) of `count` bytes, continued from `seed` (0 to start). Hardware instruction where the processor
// has it. O(count).
uint32_t ht_crc32c(uint32_t seed, const void *bytes, size_t count);
