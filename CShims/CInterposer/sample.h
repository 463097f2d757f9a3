// Sampling by bytes: what an event costs when it is not recorded. Every hook comes through event.h, which calls these
// in a sampled recording; there is no guard, no clock and no stack walk here.
//
// Each thread counts down the bytes to its next sample (poisson.h) and keeps exact totals in its home, where the
// collector reads them however the process ends. Each of these words changes by one instruction, so a signal handler
// that allocates between two of them loses nothing. A handler between a countdown that has run out and its renewal is
// sampled once more: a chance of about one in 10^8 at 1 kHz.
#pragma once

#include "life.h"
#include "sampled.h"
#include "thread.h"

#include <stddef.h>

// The mean distance in bytes; 0 when every event is recorded. Beside the switch, on the page that a forked child finds
// wiped.
static inline bool ht_sampling(void) {
    return __builtin_expect(atomic_load_explicit(&ht_power.sample_bytes, memory_order_relaxed) != 0, 0);
}

// Adds to a word that this thread alone (its signal handlers included) writes: one instruction, not locked.
static inline void ht_sample_add(_Atomic uint64_t *word, uint64_t amount) {
    __asm__("addq %1, %0" : "+m"(*(uint64_t *)(void *)word) : "er"(amount) : "cc");
}

// Whether an allocation would be a sample now.
static inline bool ht_sample_would_take(const ht_thread *self, size_t size) {
    return self->sample_left <= (int64_t)(size + (size == 0));
}

// Counts an allocation down. True when the countdown has run out, and the allocation is a sample.
static inline bool ht_sample_spend(ht_thread *self, size_t size) {
    bool spent;
    __asm__("subq %2, %0" : "+m"(self->sample_left), "=@ccle"(spent) : "er"(size + (size == 0)));
    return spent;
}

// The way of a thread's first event, and of every event without a home.
const void *ht_sample_first_allocation(ht_thread *self, const void *block, size_t size, uint32_t alignment_code,
                                       const void *frame, const void *via) __attribute__((cold, noinline));
void ht_sample_first_free(ht_thread *self) __attribute__((cold, noinline));
// An allocation at which the countdown ran out: starts the next one, and records it with its weight. These two return
// the block, so that a hook can end in a call of them.
const void *ht_sample_take(ht_thread *self, const void *block, size_t size, uint32_t alignment_code, const void *frame,
                           const void *via) __attribute__((cold, noinline));
// For an allocation that was held back and is certain now: counts it. Returns its weight, when it is a sample, and has
// put it in the set; else 0.
double ht_sample_count(ht_thread *self, const void *block, size_t size) __attribute__((cold, noinline));
// A free of a block that may be a sample: takes it out of the set, and records it if it was one.
void ht_sample_freed(ht_thread *self, const void *block) __attribute__((cold, noinline));
// Before a realloc of a block that may be a sample: takes it out of the set. Returns the time, or 0 when it was none.
uint64_t ht_sample_resizing(const void *block) __attribute__((cold, noinline));
// After a realloc; `before` is what was returned before it.
void ht_sample_resized(const void *old, uint64_t before, const void *block, size_t size, uint32_t alignment_code,
                       const void *frame);
// After a realloc to no bytes, which freed the block.
void ht_sample_resize_freed(const void *old, uint64_t before);
// For a thread of a recording that is over: the next one finds it as if it were new.
void ht_sample_clear(ht_thread *thread);
// For a followed child: its thread counts anew, and its trace knows no block of its parent.
void ht_sample_reset(void);

static inline const void *ht_sample_allocation(const void *block, size_t size, uint32_t alignment_code,
                                               const void *frame, const void *via) {
    ht_thread *self = &ht_self;
    ht_totals *totals = self->totals;
    if (__builtin_expect(totals == NULL, 0))
        return ht_sample_first_allocation(self, block, size, alignment_code, frame, via);
    ht_sample_add(&totals->allocations, 1);
    ht_sample_add(&totals->bytes, size);
    ht_note_allocation(self, block);
    if (__builtin_expect(ht_sample_spend(self, size), 0))
        return ht_sample_take(self, block, size, alignment_code, frame, via);
    return block;
}

// Whether a free is of a block that is no sample, on a thread with a home: it is counted then, and all is done. Every
// other free goes the longer way.
static inline bool ht_sample_passes(const void *block) {
    ht_thread *self = &ht_self;
    ht_totals *totals = self->totals;
    if (__builtin_expect(block == NULL || totals == NULL || self->deleting == block || !ht_recording(), 0))
        return false;
    if (ht_sampled_maybe(block)) return false;
    ht_sample_add(&totals->frees, 1);
    return true;
}

static inline void ht_sample_free(const void *block) {
    ht_thread *self = &ht_self;
    ht_totals *totals = self->totals;
    if (__builtin_expect(totals == NULL, 0)) ht_sample_first_free(self);
    else ht_sample_add(&totals->frees, 1);
    if (ht_sampled_maybe(block)) ht_sample_freed(self, block);
}
