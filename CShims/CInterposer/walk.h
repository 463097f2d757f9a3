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

enum { HT_CACHED_FRAMES_MAX = 1024, HT_CACHED_WORDS_MAX = 3 * HT_CACHED_FRAMES_MAX };

// A word that the previous walk read, and what it was.
typedef struct ht_read_word {
    const uintptr_t *at;
    uintptr_t was;
} ht_read_word;

// A frame of the thread's previous walk.
typedef struct ht_cached_frame {
    uint64_t pc, sp, fp;
    uint64_t hash;    // of this frame and all further out
    uint32_t words;   // how many of the cache's words the walk read from this frame outwards
    uint16_t shown;   // frames that count, this one and further out (our own do not)
    bool hidden;      // ours
    bool fp_matters;  // the walk from here outwards depends on the incoming fp
} ht_cached_frame;

// A frame that the walk at hand has stepped out of, and what the step read.
typedef struct ht_fresh_frame {
    uint64_t pc, sp, fp;
    ht_step_reads reads;
    bool hidden;
} ht_fresh_frame;

// The thread's previous walk, outermost frame first, the words it read in the same order, and room for the inner frames
// of the next.
typedef struct ht_walk_cache {
    uint32_t count;
    uint32_t generation;  // of the rules it was made with
    // The id that the whole walk's stack got, 0 none, and what that depends on beside the frames.
    uint32_t id;
    uint32_t id_tag;
    const void *id_via;
    uint64_t id_type;
    ht_cached_frame frames[HT_CACHED_FRAMES_MAX];
    ht_read_word words[HT_CACHED_WORDS_MAX];
    uint16_t word_frame[HT_CACHED_WORDS_MAX];  // index of the frame whose step outwards read the word
    ht_fresh_frame fresh[HT_CACHED_FRAMES_MAX];
} ht_walk_cache;

// Grows with each flush of the rules.
extern _Atomic uint32_t ht_rules_generation __attribute__((visibility("hidden")));

// The caller of the function whose frame address (__builtin_frame_address(0), built with frame pointers) is given.
static inline ht_registers ht_caller_of(const void *frame) {
    const uintptr_t *words = frame;
    return (ht_registers){.pc = words[1], .sp = (uintptr_t)(words + 2), .fp = words[0]};
}

// Compares the first `count` of the words that the previous walk read with memory, innermost first. 0 when all are as
// they were, else the number of words up to the first that differs. Cost: three loads a word, a branch every four.
static inline uint32_t ht_words_changed(const ht_read_word *words, uint32_t count) {
    while (count >= 4) {
        const ht_read_word *four = &words[count - 4];
        if (((*four[0].at ^ four[0].was) | (*four[1].at ^ four[1].was) | (*four[2].at ^ four[2].was) |
             (*four[3].at ^ four[3].was)) != 0)
            break;
        count -= 4;
    }
    while (count > 0 && *words[count - 1].at == words[count - 1].was) count--;
    return count;
}

// Whether a walk from the caller of `frame` would find what the previous one found: the same innermost frame, and every
// word unchanged that was read further out. Cost: see ht_words_changed.
static inline bool ht_walk_same(const ht_walk_cache *cache, const void *frame) {
    if (cache->count == 0) return false;
    const uintptr_t *caller = frame;
    const ht_cached_frame *innermost = &cache->frames[cache->count - 1];
    if (innermost->pc != caller[1] || innermost->sp != (uintptr_t)(caller + 2) ||
        (innermost->fp_matters && innermost->fp != caller[0]))
        return false;
    return cache->generation == atomic_load_explicit(&ht_rules_generation, memory_order_acquire) &&
           ht_words_changed(cache->words, innermost->words) == 0;
}

// Walks from `start` outwards into frames[0..<limit], innermost first. Cost: one cached rule and two loads a frame.
// Defines modules met for the first time in `writer`. Registers are handed over by address here: by value they are
// copied in 16-byte pieces out of 8-byte stores still under way, which stalled each event for 60 cycles.
ht_walked ht_walk(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames, uint32_t limit);

// The same frames, reusing the outer part of the thread's previous walk: at a frame that has the same pc, sp and (where
// it matters) fp as one of that walk, every word that walk read further out is compared with memory; where all are
// unchanged the rest of the walk is what it was. Cost: a rule a new frame, a word or two compared a reused one. Falls
// back to ht_walk where reuse would not be sound: other stacks, signal frames, frames without unwind tables,
// truncation.
ht_walked ht_walk_again(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames,
                        uint32_t limit);
// The frames of a walk that is in the cache, innermost first.
void ht_walk_copy(const ht_walk_cache *cache, uint64_t *frames);
