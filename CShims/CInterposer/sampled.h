// The live blocks that were sampled, shared by all threads without a lock: whether the block that is freed now is one
// of them.
//
// In front lies a filter of small counters, one for each value of the address's hash: a block whose counter is 0 was
// not sampled, which is the answer for nearly every free (a multiplication, two loads that stay in the first-level
// cache, a branch: about 1 ns). Counters, not bits: removing a block must not hide another one of the same hash. There
// are three filters, of 8 KiB, 64 KiB and 512 KiB, each always complete; the smallest that is sparse enough for the
// number of sampled blocks is asked.
//
// Behind it lies the set itself: levels of lines of eight addresses. An address may lie in either of two lines of any
// level; when both are full in the newest level, a thread makes the next, four times as large. Levels are never moved
// and stay until the process ends; one that holds nothing is skipped.
//
// An address is inserted after the real malloc and removed before the real free, by threads that own the block at that
// time, so no two threads ever work on the same address, and whoever is given the block later sees the insertion
// through whatever handed it over.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A filter as the fast path sees it.
typedef struct ht_sampled_filter {
    const _Atomic uint8_t *counters;
    uint32_t shift;  // of the hash, so that the counter's number is left
} ht_sampled_filter;

// The filter to ask now.
extern _Atomic(const ht_sampled_filter *) ht_sampled_front __attribute__((visibility("hidden")));

static inline uint64_t ht_sampled_hash(const void *block) {
    return ((uint64_t)(uintptr_t)block >> 3) * 0x9e3779b97f4a7c15ull;
}

// Whether `block` may be in the set; false is certain. Relaxed: what handed the block to this thread ordered the
// insertion before.
static inline bool ht_sampled_maybe(const void *block) {
    const ht_sampled_filter *filter = atomic_load_explicit(&ht_sampled_front, memory_order_relaxed);
    uint64_t number = ht_sampled_hash(block) >> filter->shift;
    return __builtin_expect(atomic_load_explicit(&filter->counters[number], memory_order_relaxed) != 0, 0);
}

// Makes the set's first level, where there is none: threads whose first samples come at the same time would lose all
// but one of them while it is made.
void ht_sampled_prepare(void);
// Adds a block. True also when it was there (its free was never seen). False when there is no memory for it.
bool ht_sampled_insert(const void *block);
// Takes a block out. False when it was not in the set.
bool ht_sampled_remove(const void *block);
// Blocks in the set.
uint32_t ht_sampled_count(void);
// Forgets everything, for a followed child; no other thread exists. Memory is given back.
void ht_sampled_reset(void);
// Forgets everything, for a new recording of the same process, whose threads may be anywhere in here. Memory is kept.
void ht_sampled_forget(void);
