// The state of a recording thread, and the guard through which alone it is reached.
//
// ht_self lies in initial-exec TLS: one instruction to address, never allocated, alive until the thread is gone (so
// frees in TLS destructors count). Its zero value means "not registered". Functions that record take an ht_writer,
// which only ht_enter gives out: re-entrance shows in signatures.
#pragma once

#include <heaptrail_region.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HT_DEPTH_MASK = 15,
    HT_LANES = 4,  // 0 the thread's stream, 1 to 3 signal handlers that interrupt the recorder, one within the other
    HT_TAG_DEPTH = 64,     // owner tags pushed on one thread; deeper ones count but do not show
    HT_RECORD_WORDS = 24,  // words that the longest record of the hot path may take, definitions aside
};

// A stream of records on its way to the collector. Written by its thread alone.
typedef struct ht_writer {
    uint64_t *at;   // next word
    uint64_t *end;  // one past the segment's last word
    ht_segment *segment;
    ht_home *home;                // shared: identity and scratch
    struct ht_walk_cache *cache;  // the lane's previous walk, NULL when there is no memory for it
    uint64_t time;                // ticks of the last event: deltas count from here
    uint32_t last_stack;          // id whose frames are in home->last_frames, 0 none
    uint32_t last_depth;
    uint64_t now;    // ticks of the event at hand, for definitions that it needs
    bool droppable;  // the event at hand may be dropped when the collector is behind (only where the user asked for it)
} ht_writer;

// An ALLOC made beneath another redirected function, which may turn out to be the same block: held until that returns.
typedef struct ht_pending {
    const void *block;  // NULL: none
    size_t size;
    uint64_t time;
    uint32_t alignment_code;
    uint32_t stack;
} ht_pending;

typedef struct ht_thread {
    // Hot: read on every event.
    // How many guards are entered, which is the lane to use, and above those bits the frame that entered the innermost
    // one, 16 bytes aligned: one word, for a signal may strike between two.
    uintptr_t guard;
    uint32_t tag;         // owner tag on top, 0 none
    uintptr_t stack_top;  // end of the stack the thread was started with; 0 when not known
    uintptr_t stack_low;  // an sp from here to the top is on that stack, and all above it can be read
    // Pointers of the last ALLOC recorded and of the first since both were set to NULL: what operator new's hook
    // compares its block with. Two, for a signal handler may allocate before or after the malloc beneath.
    const void *last_allocation;
    const void *first_allocation;
    const void *deleting;  // pointer that operator delete recorded already: the free beneath it is the same event
    int64_t sample_left;   // bytes to the next sample; not positive before the first one is drawn
    ht_totals *totals;     // the thread's exact counts, in its home; NULL before its first event, or without a home
    // What the Swift runtime is about to allocate (swift_types.h): the type's metadata, 0 none; how many bytes; and the
    // frame of its hook, by which malloc's hook knows that it is the allocation beneath.
    uintptr_t type;
    size_t type_size;
    uintptr_t type_frame;
    // Of redirected functions (nested.h): whose usable size to ask for the event at hand (NULL: libc's), and the
    // innermost one at work.
    const struct ht_patch_slot *slot;
    struct ht_nested *nested;
    ht_pending pending;
    uintptr_t outer[HT_LANES];  // the guard in which each was entered
    ht_writer lane[HT_LANES];
    // Cold.
    uint32_t epoch;  // ht_epoch at registration: differs in a followed child
    uint32_t serial;
    uint32_t id;                  // of this thread in the system, where its own block does not say it; else 0
    bool homeless;                // found every home in use: does not wait for one again
    bool forking;                 // in the fork hook, which sees to the counting of the child
    char name[16];                // as it named itself, "" when it did not
    uint64_t sample_random;       // state of the generator
    int64_t sample_next;          // the distance after the one that runs, drawn ahead; 0 before the first
    const void *sample_block;     // the last allocation that was sampled,
    uint64_t sample_block_event;  // and how many events the thread had had then, it included
    uint32_t tag_depth;
    uint32_t tags[HT_TAG_DEPTH];
} ht_thread;

extern __thread ht_thread ht_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline uint32_t ht_depth(const ht_thread *self) { return (uint32_t)(self->guard & HT_DEPTH_MASK); }

// The rare case: a guard is entered already. Leaves those first that nobody will ever leave, because a signal handler
// jumped out of the recorder.
void ht_leave_abandoned(ht_thread *self, const void *frame) __attribute__((cold, noinline, visibility("hidden")));

// Enters the guard. NULL when events of this thread are nested too deep to be recorded. No fence is needed: only this
// thread, its signal handlers included, reads the guard. A handler leaves all as it was, wherever it strikes: what it
// stores in `outer` is what the interrupted call stores there.
static inline ht_writer *ht_enter(ht_thread *self) {
    const void *frame = __builtin_frame_address(0);
    if (__builtin_expect(self->guard != 0, 0)) ht_leave_abandoned(self, frame);
    uint32_t depth = ht_depth(self);
    if (__builtin_expect(depth >= HT_LANES, 0)) return NULL;
    self->outer[depth] = self->guard;
    atomic_signal_fence(memory_order_seq_cst);
    self->guard = ((uintptr_t)frame & ~(uintptr_t)HT_DEPTH_MASK) | (depth + 1);
    atomic_signal_fence(memory_order_seq_cst);
    return &self->lane[depth];
}

// Notes an allocation for operator new's hook above it.
static inline void ht_note_allocation(ht_thread *self, const void *block) {
    self->last_allocation = block;
    if (__builtin_expect(self->first_allocation == NULL, 0)) self->first_allocation = block;
}

static inline void ht_leave(ht_thread *self) {
    atomic_signal_fence(memory_order_seq_cst);
    self->guard = self->outer[ht_depth(self) - 1];
}
