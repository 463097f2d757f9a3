// Walking the calling thread's stack, from a hook outwards, by rules.
#pragma once

#include "step.h"

// A walk's result: `count` return addresses, a hash of them; HT_STACK_TRUNCATED or HT_STACK_ENDED_EARLY.
typedef struct ht_walked {
    uint32_t count;
    uint32_t flags;
    uint64_t hash;
    bool
        in_cache;  // the frames are in the walk cache, to be copied out when they are wanted; else they are in `frames`
} ht_walked;

enum { HT_CACHED_FRAMES_MAX = 1024 };

// A frame of the thread's previous walk, and what stepping out of it had read.
typedef struct ht_cached_frame {
    uint64_t pc, sp, fp;
    uint64_t saved_at;  // address its caller's fp was loaded from, 0 none
    uint64_t cfa_at;    // address its caller's sp was loaded from, 0 none
    uint64_t hash;      // of this frame and all further out
    uint32_t shown;     // frames that count, this one and further out (our own do not)
    bool hidden;        // ours
    bool fp_matters;    // the walk from here outwards depends on the incoming fp
} ht_cached_frame;

// The thread's previous walk, outermost frame first, and room for the inner frames of the next.
typedef struct ht_walk_cache {
    uint32_t count;
    uint32_t generation;  // of the rules it was made with
    ht_cached_frame frames[HT_CACHED_FRAMES_MAX];
    ht_cached_frame fresh[HT_CACHED_FRAMES_MAX];
} ht_walk_cache;

// Grows with each flush of the rules.
extern _Atomic uint32_t ht_rules_generation __attribute__((visibility("hidden")));

// The caller of the function whose frame address (__builtin_frame_address(0), built with frame pointers) is given.
static inline ht_registers ht_caller_of(const void *frame) {
    const uintptr_t *words = frame;
    return (ht_registers){.pc = words[1], .sp = (uintptr_t)(words + 2), .fp = words[0]};
}

// Walks from `start` outwards into frames[0..<limit], innermost first. Cost: one cached rule and two loads a frame.
// Defines modules met for the first time in `writer`.
ht_walked ht_walk(ht_thread *self, ht_writer *writer, ht_registers start, uint64_t *frames, uint32_t limit);

// The same frames, reusing the outer part of the thread's previous walk: at a frame that has the same pc, sp and (where
// it matters) fp as one of that walk, every word that walk read further out is compared with memory; where all are
// unchanged the rest of the walk is what it was. Cost: a rule a new frame, two loads and compares a reused one. Falls
// back to ht_walk where reuse would not be sound: other stacks, signal frames, frames without unwind tables,
// truncation.
ht_walked ht_walk_again(ht_thread *self, ht_writer *writer, ht_registers start, uint64_t *frames, uint32_t limit);
// The frames of a walk that is in the cache, innermost first.
void ht_walk_copy(const ht_walk_cache *cache, uint64_t *frames);
