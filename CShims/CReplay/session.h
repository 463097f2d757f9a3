// A replay in progress: the plan, the blocks by slot, the threads, and where the figures go.
//
// Everything here lies in shared mappings, and nothing of it is ever taken from malloc: the measured heap is the traced
// program's alone, and the process's anonymous memory is that heap, its allocator's own data, and thread stacks.
#pragma once

#include "heaptrail_replay.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

// The calls that are measured: the allocator's, or those of the null allocator.
typedef struct ht_calls {
    void *(*allocate)(size_t);
    int (*allocate_aligned)(void **, size_t, size_t);
    void *(*reallocate)(void *, size_t);
    void (*release)(void *);
    size_t (*usable)(void *);  // NULL where it is not this allocator's
} ht_calls;

// The words of a stream that were read last, and where the next ones lie. Read by one thread at a time.
typedef struct ht_cursor {
    uint64_t *words;  // room for the longest block and HT_AHEAD zeros behind it
    size_t bytes;     // of that mapping
    const uint64_t *at, *end;
    uint64_t next_block, blocks_left;
} ht_cursor;

// Words that the loop looks ahead.
enum { HT_AHEAD = 24 };

// A block as the memory run knows it.
typedef struct ht_block {
    uint64_t size, usable;
    uint32_t owner;
    bool is_counted;
} ht_block;

// What a thread of a memory run does, which the first thread acts for (ordered.c):
//
//     HT_THREAD_NEW ──► HT_THREAD_READY ──► HT_THREAD_LEAVES
//            the thread           the first thread
enum { HT_THREAD_NEW, HT_THREAD_READY, HT_THREAD_LEAVES };

// One thread of the traced program. Each line of 64 bytes has one writer.
typedef struct ht_worker {
    _Alignas(64) _Atomic uint64_t done;  // operations that are over; the thread writes, others wait for it

    _Alignas(64) _Atomic uint32_t state;  // memory runs: HT_THREAD_…
    void *identity;                       // memory runs: the thread's own pointer; written before HT_THREAD_READY

    _Alignas(64) ht_cursor cursor;  // from here on the thread alone; in memory runs the first thread
    struct ht_session *session;
    pthread_t thread;
    uint64_t hash, events, calls, cpu_ns;
    uint64_t (*latency)[HT_REPLAY_LATENCY_BINS];  // HT_REPLAY_CALLS rows
    uint64_t worst_ticks[HT_REPLAY_CALLS], worst_size[HT_REPLAY_CALLS];
} ht_worker;

typedef struct ht_session {
    const struct ht_replay_request *request;
    struct ht_replay_plan plan;
    const struct ht_replay_stream *streams;
    const struct ht_replay_block *blocks;
    const uint64_t *curve;

    ht_calls calls;
    uint64_t touch_mask;  // all ones; under the null allocator, of the region that stands for every block
    void **slots;
    ht_worker *workers;
    pthread_attr_t attributes;
    _Atomic uint32_t running;  // threads that are not over, the first one included
    _Atomic uint32_t merging;  // held while a thread adds its figures to the result
    uint64_t clock_ns;         // what a reading of a thread's processor time takes
    uint64_t events;           // of threads that are over; in memory runs the result itself is kept up to date

    struct ht_replay_result *result;
    size_t result_bytes;  // of its file so far
    struct ht_replay_point *points;
    struct ht_replay_part *owners, *classes;
    uint64_t (*latency)[HT_REPLAY_LATENCY_BINS];

    // Memory runs, all of the first thread.
    ht_block *details;
    ht_cursor turns;
    uint64_t live, usable, blocks_live, next_sample;
    struct ht_replay_part *peak_owners, *peak_classes;
    uint64_t points_written;
} ht_session;

// Ends the process, with the reason in the result. Only the first one's counts.
_Noreturn void ht_session_fail(ht_session *session, enum ht_replay_failure failure, int code, uint32_t op,
                               uint64_t size);

// Zeroed memory that is neither anonymous nor any allocator's; ends the session where there is none.
void *ht_session_map(ht_session *session, size_t bytes);

// Stands before the first word of a stream.
void ht_cursor_open(ht_session *session, ht_cursor *cursor, uint64_t stream);
// Reads the next block; false behind the last.
bool ht_cursor_load(ht_session *session, ht_cursor *cursor);
void ht_cursor_close(ht_cursor *cursor);

// The operations of a thread, from its first to its last.
void ht_worker_run_timed(ht_worker *self);
void ht_worker_run_latency(ht_worker *self);
void ht_worker_run_ordered(ht_worker *self);
// Starts the thread of a stream, once there are fewer than the program had at once.
void ht_worker_start(ht_session *session, uint64_t stream);
// Fails unless a live block still holds what was written to it.
void ht_ordered_check(ht_session *session, uint64_t slot, const void *block, uint32_t op);
// A point of the curve, and the comparison with the trace's.
void ht_ordered_sample(ht_session *session);
// Appends the places of the live blocks to the result, and says how many.
uint64_t ht_places_tell(ht_session *session);

// Processor time of the calling thread, and time.
uint64_t ht_clock_cpu_ns(void);
uint64_t ht_clock_wall_ns(void);
// What the first of them takes.
uint64_t ht_clock_cost_ns(void);
// Resident bytes that are neither shared nor a file's.
uint64_t ht_resident_anonymous(void);

// The allocator of the process, or the null allocator; ends the session when it is another library's than asked for.
void ht_calls_find(ht_session *session);
// Makes the calling thread's part of the null allocator ready.
void ht_calls_enter_thread(ht_session *session, uint64_t stream);
