// What the replay's two halves share: the plan, which the Swift side writes from a trace, and the result, which the C
// loop writes back. Plain data, one machine, one build: neither file outlives the command, so there is one version.
//
// A plan is a file: this header (one page), then blocks of 64-bit words, then the curve, the index of blocks and the
// table of streams. A stream is the operations of one thread in its own order; the turns, a stream of no thread, say
// how the trace interleaved them. Operations, low bits first:
//
//      63            32 31           4 3   0
//     [ detail 32      ][ slot 28      ][ op ]   [ owner 32 ][ 0 ]   [ size high 24 ][ alignment log2 8 ][ 0 ]
//
//     MALLOC            detail: size; a second word: owner
//     MALLOC_WIDE       as MALLOC, with a third word: alignment (0 for malloc's own) and bits 32 to 55 of the size
//     FREE              detail: owner
//     REALLOC           detail: size; a second word: owner; a third: pages of the old block, already touched, in its
//                       high half
//     REALLOC_WIDE      as REALLOC, with a fourth word as MALLOC_WIDE's third
//     LAPSE             the slot's block is no longer counted as live; its REALLOC_LATE or FREE_LATE follows
//     REALLOC_LATE      as REALLOC_WIDE, of a block that lapsed
//     FREE_LATE         as FREE, of a block that lapsed
//     FLEETING          as MALLOC_WIDE: allocated and freed at once, never counted as live
//     WAIT              slot: index of a stream; detail: until that many of its operations are over
//     START             slot: index of the stream whose thread begins here
//
// Words after the first have zeros below, so that the loop may take any word ahead for an operation to prefetch.
// A turn: detail: operations; slot: index of the stream whose turn it is.
#ifndef HEAPTRAIL_REPLAY_H
#define HEAPTRAIL_REPLAY_H

#include <stdint.h>

enum ht_replay_op {
    HT_REPLAY_NONE = 0,
    HT_REPLAY_MALLOC = 1,
    HT_REPLAY_MALLOC_WIDE = 2,
    HT_REPLAY_FREE = 3,
    HT_REPLAY_REALLOC = 4,
    HT_REPLAY_REALLOC_WIDE = 5,
    HT_REPLAY_LAPSE = 6,
    HT_REPLAY_REALLOC_LATE = 7,
    HT_REPLAY_FREE_LATE = 8,
    HT_REPLAY_FLEETING = 9,
    HT_REPLAY_WAIT = 10,
    HT_REPLAY_START = 11,
};

enum {
    HT_REPLAY_PLAN_MAGIC = 0x31504854,    // "THP1"
    HT_REPLAY_RESULT_MAGIC = 0x31524854,  // "THR1"
    HT_REPLAY_SLOT_BITS = 28,
    HT_REPLAY_BLOCK_WORDS = 8192,  // the longest block
    HT_REPLAY_HEADER_BYTES = 4096,
};

// How a run is made.
enum ht_replay_mode {
    HT_REPLAY_TIME = 0,     // the threads run freely, held only by what must come before what; no clock per call
    HT_REPLAY_LATENCY = 1,  // likewise, with a clock around each call
    HT_REPLAY_MEMORY = 2,   // one call at a time, in the order of the trace, each as the thread that made it; memory
                            // is looked at between calls
};

// What of a new block is written.
enum ht_replay_touch {
    HT_REPLAY_TOUCH_NONE = 0,
    HT_REPLAY_TOUCH_FIRST = 1,  // the first byte of each page
    HT_REPLAY_TOUCH_ALL = 2,
};

struct ht_replay_plan {
    uint32_t magic;
    uint32_t streams;  // of threads; stream 0 runs on the process's first thread
    uint64_t slots;
    uint64_t owners;
    uint64_t events;       // ALLOC and FREE events that the plan performs: a REALLOC is two
    uint64_t sample_step;  // the curve has a point whenever so many events more are over, and one at the end
    uint64_t samples;
    uint64_t peak_event;  // events that are over when the live bytes are at their peak for the first time
    uint64_t peak_bytes;
    uint64_t live_bytes;    // at the end
    uint64_t most_threads;  // that were there at once, from a thread's first call to its last
    uint64_t stream_table;  // offset of `streams` + 1 entries of ht_replay_stream; the last one is the turns'
    uint64_t block_table;   // offset of the blocks of all streams, those of a stream one after the other
    uint64_t curve;         // offset of `samples` numbers: live bytes
};

struct ht_replay_stream {
    uint64_t first_block;
    uint64_t blocks;
    uint64_t longest_words;  // of its blocks
};

struct ht_replay_block {
    uint64_t offset;
    uint64_t words;
};

// Why a run ended early.
enum ht_replay_failure {
    HT_REPLAY_OK = 0,
    HT_REPLAY_NO_MEMORY = 1,      // the allocator returned NULL
    HT_REPLAY_MISALIGNED = 2,     // a pointer that is not aligned as asked
    HT_REPLAY_WRONG_LIBRARY = 3,  // malloc is another library's
    HT_REPLAY_WRONG_CURVE = 4,    // live bytes are not those of the trace
    HT_REPLAY_SYSTEM = 5,         // a system call failed: code is its errno
    HT_REPLAY_BAD_PLAN = 6,
    HT_REPLAY_OVERWRITTEN = 7,  // what was written to a live block is not there any more
};

enum {
    HT_REPLAY_CLASSES = 256,        // classes of sizes, see ht_replay_class
    HT_REPLAY_LATENCY_BINS = 1024,  // see ht_replay_bin
    HT_REPLAY_CALLS = 3,            // kinds of calls: allocations, frees, reallocations
    HT_REPLAY_PLACES = 1 << 21,     // places of blocks that are told at most, at one moment
};

// The result's header. After it: `samples` ht_replay_point, `owners` ht_replay_part, HT_REPLAY_CLASSES ht_replay_part,
// HT_REPLAY_CALLS rows of HT_REPLAY_LATENCY_BINS numbers, filled in latency runs, and in memory runs `peak_places` and
// `end_places` ht_replay_place.
struct ht_replay_result {
    uint32_t magic;
    uint32_t is_over;  // 1 when every operation was performed
    uint32_t failure;
    int32_t code;
    uint64_t failed_size;
    uint64_t failed_event;  // events before it
    uint32_t failed_op;
    uint32_t has_usable;  // whether malloc_usable_size is this allocator's

    uint64_t events;  // performed so far; while it runs, a little behind
    uint64_t calls;
    uint64_t hash;    // of every call of every thread
    uint64_t cpu_ns;  // processor time of the threads in the loop, without reading the plan and waiting for each other
    uint64_t wall_ns;
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t start_anonymous;  // resident bytes before the first call
    uint64_t peak_anonymous;   // when the live bytes are at the trace's peak
    uint64_t end_anonymous;    // after the last one
    uint64_t freed_anonymous;  // after every block that was left has been freed, too
    uint64_t peak_live;
    uint64_t end_live;
    uint64_t
        peak_places;  // blocks that live at the trace's peak and whose places are told: none where they are too many
    uint64_t end_places;  // likewise, after the last call
    double ticks_per_ns;
    double clock_ticks;   // what the clock itself takes, on average, in latency runs
    uint64_t clock_step;  // the least difference that it shows
    uint64_t worst_ticks[HT_REPLAY_CALLS];
    uint64_t worst_size[HT_REPLAY_CALLS];
};

struct ht_replay_point {
    uint64_t events;
    uint64_t live;
    uint64_t usable;     // of the live blocks
    uint64_t anonymous;  // resident bytes of the process that are no file's and not shared
};

// Where a live block lies.
struct ht_replay_place {
    uint64_t address;
    uint64_t usable;
    uint64_t owner;
};

// Sums of one owner, or one class of sizes.
struct ht_replay_part {
    uint64_t peak_live;   // bytes live at the trace's peak of live bytes
    uint64_t peak_slack;  // usable bytes beyond those, at that moment
    uint64_t bytes;       // asked for by all allocations
    uint64_t slack;       // given beyond them, over all allocations
    uint64_t allocations;
    uint64_t calls;  // that were timed, frees too
    uint64_t ticks;  // of them, the clock's own included
};

// The class of a size: steps of 16 bytes up to 1024, then four to each doubling. Sizes of a class lie in
// ]ht_replay_class_end(class - 1), ht_replay_class_end(class)].
static inline uint32_t ht_replay_class(uint64_t size) {
    if (size <= 1024) return size == 0 ? 0 : (uint32_t)((size - 1) >> 4);
    uint32_t log = 63 - (uint32_t)__builtin_clzll(size - 1);  // 10 for 1025 to 2048
    uint32_t quarter = (uint32_t)(((size - 1) >> (log - 2)) & 3);
    uint32_t class = 64 + (log - 10) * 4 + quarter;
    return class < HT_REPLAY_CLASSES ? class : HT_REPLAY_CLASSES - 1;
}

// The largest size of a class.
static inline uint64_t ht_replay_class_end(uint32_t class) {
    if (class < 64) return (class + 1ull) << 4;
    uint32_t log = 10 + (class - 64) / 4;
    return (1ull << log) + ((class - 64) % 4 + 1ull) * (1ull << (log - 2));
}

// The bin of a number of ticks: exact below 64, then 16 to each doubling, so within 6 %.
static inline uint32_t ht_replay_bin(uint64_t ticks) {
    if (ticks < 64) return (uint32_t)ticks;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(ticks);
    uint32_t bin = 64 + (log - 6) * 16 + (uint32_t)((ticks >> (log - 4)) & 15);
    return bin < HT_REPLAY_LATENCY_BINS ? bin : HT_REPLAY_LATENCY_BINS - 1;
}

// The middle of a bin.
static inline uint64_t ht_replay_bin_middle(uint32_t bin) {
    if (bin < 64) return bin;
    uint32_t log = 6 + (bin - 64) / 16;
    uint64_t width = 1ull << (log - 4);
    return (1ull << log) + ((bin - 64) % 16) * width + width / 2;
}

// One operation's part of its stream's hash (the multiplier of FNV-1a).
static inline uint64_t ht_replay_hash(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x100000001b3ull;
    return hash ^ (hash >> 29);
}

// A stream's part of the hash of a run: the sum over streams does not depend on how the threads ran.
static inline uint64_t ht_replay_stream_hash(uint64_t hash, uint64_t stream) {
    hash = (hash ^ (stream + 0x9e3779b97f4a7c15ull)) * 0xbf58476d1ce4e5b9ull;
    return hash ^ (hash >> 31);
}

// Starts a replay: the program heaptrail-replay and tests. `plan` and `result` are open files, and `library` is the
// path that malloc must come from, NULL for the C library; `null_allocator` replaces the allocator by one that does
// nothing. Returns the exit status.
struct ht_replay_request {
    int32_t plan;
    int32_t result;
    uint32_t mode;
    uint32_t touch;
    uint32_t null_allocator;
    const char *library;
};
int32_t ht_replay_run(const struct ht_replay_request *request);

#endif
