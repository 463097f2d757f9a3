// The memory that the traced program and its collector share: one mapping, made before main, that holds a control
// block, a home for each thread's stream and the segments that carry the records. Never read by Swift (it has atomics);
// the trace is the only thing Swift sees.
//
//   0        control block (ht_region), 64 KiB
//   64 KiB   homes, 4096 of 16 KiB: a stream's identity, the reader's position, the producer's scratch for call stacks
//   then     segments of 32 KiB: records, chained per stream
//   256 MiB  the extension, mapped on both sides, each at an address of its own, once more streams are alive than there
//            are homes for: 28,672 more homes, then more segments
//
// How a record gets across:
// - the producer writes whole records into its segment, then stores `used` (release); the collector loads `used`
// (acquire) and reads up to it;
// - a full segment gets a successor: the producer stores `next` (release) after its last store to `used`. The collector
// loads `next` (acquire) and
//   then `used` once more, so it never leaves words behind, and gives the drained segment back to `free_segments`;
// - free lists are stacks of indices with a tag in the upper half that changes with each pop, so that a stale head
// never wins (ABA);
// - `room` counts freed segments: a producer without one sleeps on it. `alive` is a robust mutex that the collector
// holds for its whole life; the kernel
//   marks it when the collector dies, however it dies. `bell` wakes a sleeping collector.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_REGION_MAGIC 0x6e6f696765525448ull  // "HTRegion"

enum {
    HT_REGION_VERSION = 2,  // grows with each release that changes what follows
    HT_CONTROL_BYTES = 64 << 10,
    HT_HOME_BYTES = 16 << 10,
    HT_HOME_COUNT = 4096,
    HT_SEGMENT_BYTES = 32 << 10,
    HT_REGION_BYTES = 256 << 20,
    HT_SEGMENT_COUNT = (HT_REGION_BYTES - HT_CONTROL_BYTES - HT_HOME_COUNT * HT_HOME_BYTES) / HT_SEGMENT_BYTES,
    HT_MORE_HOMES = 28 << 10,
    HT_MORE_SEGMENTS = 32 << 10,
    HT_SEGMENT_WORDS = (HT_SEGMENT_BYTES - 64) / 8,
    HT_SEGMENTS_BEYOND_THREADS =
        256,  // backlog of 8 MiB beside one segment a stream; never given to new streams, or all would stand still
    HT_SEGMENTS_BEFORE_BELL = 32,  // backlog that wakes a collector which naps
    HT_STACK_DEPTH_MAX = 952,      // what the scratch of a home holds, twice
    HT_GRANT_COUNT = 64,
    HT_IMAGES_TOLD = 4,  // as many images may be executed between two rounds of the collector
    HT_PATH_MAX = 4096,
};

// Larger than an enumerator may be.
#define HT_EXTENSION_BYTES ((size_t)HT_MORE_HOMES * HT_HOME_BYTES + (size_t)HT_MORE_SEGMENTS * HT_SEGMENT_BYTES)
#define HT_REGION_FILE_BYTES (HT_REGION_BYTES + HT_EXTENSION_BYTES)

// Who looks at the region: the two may have its extension at different addresses.
enum ht_region_side { HT_SIDE_PROGRAM = 0, HT_SIDE_COLLECTOR = 1 };

// How far the extension is. WANTED by a thread without a home -> READY or REFUSED by the drain.
enum ht_extension_state {
    HT_EXTENSION_NONE = 0,
    HT_EXTENSION_WANTED = 1,
    HT_EXTENSION_READY = 2,
    HT_EXTENSION_REFUSED = 3,
};

enum ht_region_option {
    HT_OPTION_NO_STACKS = 1,
    HT_OPTION_DROP = 2,
    HT_OPTION_FOLLOW = 4,
    HT_OPTION_NO_SWIFT_TYPES = 8,
};

// The life of a recording. READY -> RUNNING when the program's hooks attach; either -> OFF, once, by whoever sees the
// trouble. OFF is final.
enum ht_region_state {
    HT_STATE_READY = 0,
    HT_STATE_RUNNING = 1,
    HT_STATE_OFF = 2,
};

// Whether the collector has its output: a program that preloads the library itself waits for this before its first
// event.
enum ht_region_ready {
    HT_READY_NOT_YET = 0,
    HT_READY_YES = 1,
    HT_READY_FAILED = 2,
};

enum ht_home_state {
    HT_HOME_FREE = 0,
    HT_HOME_LIVE = 1,
};

// Exact counts of a sampled recording: of a thread in its home, of the threads without one in the control block.
typedef struct ht_totals {
    _Atomic uint64_t allocations, frees, bytes, reallocations;
} ht_totals;

// The answer to "does this executable carry its own allocator?".
enum ht_plan_state {
    HT_PLAN_NONE = 0,        // not asked yet
    HT_PLAN_NOT_NEEDED = 1,  // no allocator of its own
    HT_PLAN_READY = 2,       // a plan lies behind plan_fd
    HT_PLAN_REFUSED = 3,     // it does, and its functions cannot be redirected
};

// What became of a plan in the program.
enum ht_plan_result {
    HT_PLAN_UNTRIED = 0,
    HT_PLAN_APPLIED = 1,
    HT_PLAN_UNANSWERED = 2,      // the collector did not answer in time
    HT_PLAN_MISMATCH = 3,        // the image in memory is not what was planned for
    HT_PLAN_NO_ROOM = 4,         // no free address within reach of the image
    HT_PLAN_FORBIDDEN = 5,       // its code may not be written to
    HT_PLAN_APPLIED_BESIDE = 6,  // applied, and libc's allocator serves the libraries
};

typedef struct ht_segment {
    _Atomic uint32_t used;  // words published; producer writes, collector reads
    _Atomic uint32_t next;  // index + 1 of the successor; 0 while this is the last
    uint32_t reserved[14];
    uint64_t words[HT_SEGMENT_WORDS];
} ht_segment;

typedef struct ht_home {
    _Atomic uint32_t
        state;  // ht_home_state: LIVE by the thread, FREE by the collector once the thread is gone and all is read
    uint32_t thread;             // the thread's id in the system
    uint32_t serial;             // never reused
    uint16_t lane;               // 0 ordinary, 1 signal handlers inside the recorder
    uint16_t image;              // executed image the stream belongs to
    _Atomic uint32_t next_free;  // index + 1, on the free list
    uint32_t first_segment;      // index + 1; set before state
    uint32_t last_segment;       // index + 1; the producer's own note of where it writes
    uint32_t pad;
    ht_totals totals;  // sampled recordings: counted by the thread (lane 0 alone), read by the collector
    // The collector's own, on its own cache line.
    uint32_t read_segment;  // index + 1; 0 before the first read
    uint32_t read_words;
    uint64_t time;            // running time of the stream at read_words
    uint64_t flushed_at_ns;   // when words of it were last written
    uint64_t named;           // how often the thread's name was written
    uint64_t totals_written;  // events in the totals that were last written
    uint64_t pad2[3];
    // The producer's scratch. A home keeps its walk cache (private memory of the process that runs as `cache_image`)
    // from one thread to the next.
    uint64_t walk_cache;
    uint32_t cache_image;
    uint32_t pad3;
    uint64_t frames[HT_STACK_DEPTH_MAX];
    uint64_t last_frames[HT_STACK_DEPTH_MAX];
} ht_home;

typedef struct ht_grant {
    _Atomic uint32_t sequence;  // request number + 1 once granted
    _Atomic uint32_t taken;     // the same, once the child has mapped it
    uint32_t fd;                // the collector's descriptor of the child's region
    uint32_t pad;
} ht_grant;

typedef struct ht_region {
    uint64_t magic;
    uint32_t version;
    uint32_t options;  // ht_region_option
    uint32_t max_depth;
    uint32_t collector_pid;  // 0: a thread of the program drains
    uint32_t collector_fd;   // the collector's descriptor of this region: reopened as /proc/PID/fd/N after exec
    uint32_t root_fd;        // the same, of the region that takes requests of followed children
    _Atomic uint32_t state;
    _Atomic uint32_t off_reason;  // ht_loss_reason
    _Atomic uint32_t pid;         // the process that records here; 0 until it attaches
    _Atomic uint32_t image;       // number of the image that runs now
    _Atomic uint32_t serials;     // last thread serial given
    _Atomic uint32_t
        forked;  // 1 when the process was forked from a recorded one and did not exec before its first event
    _Atomic uint32_t exec_pending;  // 1 between an exec and the new image's attach
    _Atomic uint32_t unfollowed;    // children that ran and were not recorded
    _Atomic uint32_t ready;         // ht_region_ready: whether the output exists; set once by the collector, woken
    // 1 when the process sees itself under another number than the collector does (a pid namespace of its own): `pid`
    // is the collector's, the ids of threads are the namespace's.
    _Atomic uint32_t foreign;
    // Images that were executed to be recorded in traces of their own, and those that came to ask for one (in the root
    // region alone): the difference was not recorded.
    _Atomic uint32_t announced;
    _Atomic uint32_t arrived;
    _Atomic uint32_t other_heaps;    // namespaces the program made with a libc, and so a heap, of their own
    _Atomic uint32_t no_swift_hook;  // 1 where a Swift runtime's allocation hook could not be used
    uint64_t sample_bytes;           // mean of the sampling interval; 0: every event is recorded
    uint64_t sample_seed;
    ht_totals unplaced;  // of threads that have no home

    _Alignas(64) _Atomic uint32_t bell;
    _Atomic uint32_t collector_sleeping;
    _Atomic uint64_t heartbeat;  // grows with every round of the collector

    _Alignas(64) _Atomic uint32_t room;
    _Atomic uint32_t room_waiters;

    _Alignas(64) _Atomic uint64_t free_segments;  // tag << 32 | index + 1
    _Atomic uint32_t fresh_segments;
    _Atomic uint32_t used_segments;
    _Atomic uint64_t free_homes;
    _Atomic uint32_t fresh_homes;
    _Atomic uint32_t live_homes;
    _Atomic uint32_t segment_limit;
    _Atomic uint32_t home_limit;
    _Atomic uint32_t extension_state;
    _Atomic uint32_t homes_wanted;  // set by a thread that found no home: the collector looks for ended threads at once
    _Atomic uint32_t reaps;         // how often it has looked through all homes; threads without a home sleep on it
    _Atomic uint64_t extension[2];  // address on each side, 0 while it is not mapped there

    _Alignas(64) _Atomic uint64_t lost_allocations;
    _Atomic uint64_t lost_frees;
    _Atomic uint64_t lost_bytes;
    _Atomic uint32_t lost_reason;
    _Atomic uint32_t requests;  // of followed children, so far
    uint32_t pad4[8];

    pthread_mutex_t alive;

    // The plan for the executable of the file that device, inode and time name: written by the collector before it
    // stores plan_answered (release), and before the start for the program itself. A process whose executable is
    // another grows plan_asked (release), rings the bell and sleeps on plan_answered until it is the same number.
    _Atomic uint32_t plan_asked;
    _Atomic uint32_t plan_answered;
    uint32_t plan_state;  // ht_plan_state
    uint32_t plan_fd;     // the collector's descriptor of it
    uint64_t plan_bytes;
    uint64_t plan_device;
    uint64_t plan_inode;
    uint64_t plan_changed_ns;
    _Atomic uint32_t plan_result;  // ht_plan_result of the image
    _Atomic uint32_t plan_image;   // that this number is of; set after it (release)

    ht_grant grants[HT_GRANT_COUNT];
    char allocator_path[HT_PATH_MAX];  // library preloaded after ours, "" for none
    char exec_path[HT_PATH_MAX];       // what was executed last

    // The library that each image's calls of malloc go to, at its number modulo HT_IMAGES_TOLD: written before
    // malloc_image (release) becomes that number.
    _Atomic uint32_t malloc_image;
    char malloc_paths[HT_IMAGES_TOLD][HT_PATH_MAX];
} ht_region;

_Static_assert(sizeof(ht_region) <= HT_CONTROL_BYTES, "control block");
_Static_assert(sizeof(ht_home) <= HT_HOME_BYTES, "home");
_Static_assert(sizeof(ht_segment) == HT_SEGMENT_BYTES, "segment");

// Set once in a process that drains for others; the program's own side where it is not.
extern uint32_t ht_region_side;

static inline char *ht_region_extension(ht_region *region) {
    return (char *)(uintptr_t)atomic_load_explicit(&region->extension[ht_region_side], memory_order_acquire);
}

static inline ht_home *ht_region_home(ht_region *region, uint32_t index) {
    if (__builtin_expect(index >= HT_HOME_COUNT, 0))
        return (ht_home *)(ht_region_extension(region) + (size_t)(index - HT_HOME_COUNT) * HT_HOME_BYTES);
    return (ht_home *)((char *)region + HT_CONTROL_BYTES + (size_t)index * HT_HOME_BYTES);
}

static inline ht_segment *ht_region_segment(ht_region *region, uint32_t index) {
    if (__builtin_expect(index >= HT_SEGMENT_COUNT, 0))
        return (ht_segment *)(ht_region_extension(region) + (size_t)HT_MORE_HOMES * HT_HOME_BYTES +
                              (size_t)(index - HT_SEGMENT_COUNT) * HT_SEGMENT_BYTES);
    return (ht_segment *)((char *)region + HT_CONTROL_BYTES + (size_t)HT_HOME_COUNT * HT_HOME_BYTES +
                          (size_t)index * HT_SEGMENT_BYTES);
}

// Homes that may be looked at on this side: those ever taken.
static inline uint32_t ht_region_homes(ht_region *region) {
    uint32_t homes = atomic_load_explicit(&region->fresh_homes, memory_order_acquire);
    uint32_t mapped = ht_region_extension(region) == NULL ? HT_HOME_COUNT : HT_HOME_COUNT + HT_MORE_HOMES;
    return homes < mapped ? homes : mapped;
}

// Maps the extension on this side, from the mapping of all of the region that is there: no descriptor is needed. False
// when there is no address space for it, or the file is not that large.
bool ht_region_extend(ht_region *region);
// Unmaps it in this process, which is about to unmap the region. The address stays noted: a forked child shares it with
// its parent.
void ht_region_withdraw(ht_region *region);
// In the drain: answers a thread that wants the extension.
void ht_region_serve_extension(ht_region *region);

// Fills the control block of a zeroed mapping. The caller sets collector_pid and the descriptors. O(1).
void ht_region_init(ht_region *region, uint32_t options, uint32_t max_depth);

// Takes a segment, emptied: from the free list, else a fresh one, while at most one a stream and `backlog` more are in
// use. Returns index + 1, or 0 when there is none now. Lock-free.
uint32_t ht_region_take_segment(ht_region *region, uint32_t backlog);
// Gives a segment back. Does not wake waiters.
void ht_region_give_segment(ht_region *region, uint32_t index_plus_one);
// Takes a home, as long as each stream can have a segment and the backlog stays whole. Returns index + 1 or 0.
// Lock-free.
uint32_t ht_region_take_home(ht_region *region);
void ht_region_give_home(ht_region *region, uint32_t index_plus_one);
// Whether the collector that held `alive` has died.
bool ht_region_collector_died(ht_region *region);
