// Walking the calling thread's stack, from a hook outwards, by rules.
#pragma once

#include "rule.h"

// The registers of a frame: where it will return to, and its caller's stack and frame pointer after the return.
typedef struct ht_registers {
    uintptr_t pc, sp, fp;
} ht_registers;

// A walk's result: `count` return addresses, innermost first, in `frames`; a running hash of them; HT_STACK_TRUNCATED or HT_STACK_ENDED_EARLY.
typedef struct ht_walked {
    uint32_t count;
    uint32_t flags;
    uint64_t hash;
} ht_walked;

// The caller of the function whose frame address (__builtin_frame_address(0), built with frame pointers) is given.
static inline ht_registers ht_caller_of(const void *frame) {
    const uintptr_t *words = frame;
    return (ht_registers){.pc = words[1], .sp = (uintptr_t)(words + 2), .fp = words[0]};
}

// Walks from `start` outwards into frames[0..<limit]. Cost: one cached rule and two loads a frame. Defines modules met for the first time in `writer`.
// (A walk that reuses the thread's previous one, after verifying every word that one read, fits behind this same call.)
ht_walked ht_walk(ht_thread *self, ht_writer *writer, ht_registers start, uint64_t *frames, uint32_t limit);
