// The parts of an operation that all loops share: its fields, its events, what is written to a new block, its hash.
#pragma once

#include "session.h"

#include <string.h>

enum { HT_PAGE = 4096 };

static inline uint64_t ht_word_slot(uint64_t word) { return (word >> 4) & ((1u << HT_REPLAY_SLOT_BITS) - 1); }

static inline uint64_t ht_wide_size(uint64_t word, uint64_t third) { return (word >> 32) | (third >> 40) << 32; }

// 0 for malloc's own.
static inline size_t ht_wide_alignment(uint64_t third) {
    uint64_t log = (third >> 32) & 0xff;
    return log ? (size_t)1 << log : 0;
}

// Writes to a block from byte `from` on. The program whose trace this is wrote at least somewhere on each page.
static inline __attribute__((always_inline)) void ht_touch(const ht_session *session, char *block, uint64_t from,
                                                           uint64_t size) {
    uint32_t how = session->request->touch;
    if (how == HT_REPLAY_TOUCH_NONE || from >= size) return;
    uint64_t mask = session->touch_mask;
    if (how == HT_REPLAY_TOUCH_FIRST) {
        if (from == 0) *(volatile char *)block = 1;
        uint64_t offset = HT_PAGE - ((uintptr_t)block & (HT_PAGE - 1));
        if (offset < from) offset += (from - offset + HT_PAGE - 1) & ~(uint64_t)(HT_PAGE - 1);
        for (; offset < size; offset += HT_PAGE) *(volatile char *)(block + (offset & mask)) = 1;
        return;
    }
    for (uint64_t offset = from; offset < size; offset += HT_PAGE) {
        uint64_t left = size - offset;
        memset(block + (offset & mask), 1, left < HT_PAGE ? left : HT_PAGE);
    }
}

// How many events an operation is.
static inline uint64_t ht_op_events(uint32_t op) {
    switch (op) {
        case HT_REPLAY_REALLOC:
        case HT_REPLAY_REALLOC_WIDE:
        case HT_REPLAY_FLEETING: return 2;
        case HT_REPLAY_WAIT:
        case HT_REPLAY_START:
        case HT_REPLAY_FREE_LATE: return 0;
        default: return 1;
    }
}

// How many words.
static inline uint32_t ht_op_words(uint32_t op) {
    switch (op) {
        case HT_REPLAY_MALLOC: return 2;
        case HT_REPLAY_MALLOC_WIDE:
        case HT_REPLAY_REALLOC:
        case HT_REPLAY_FLEETING: return 3;
        case HT_REPLAY_REALLOC_WIDE:
        case HT_REPLAY_REALLOC_LATE: return 4;
        default: return 1;
    }
}

// The hash of a stream after one more operation: the whole size and alignment of wide ones included.
static inline uint64_t ht_op_hash(uint64_t hash, const uint64_t *at, uint32_t op) {
    hash = ht_replay_hash(hash, at[0]);
    if (op == HT_REPLAY_MALLOC_WIDE || op == HT_REPLAY_FLEETING) return ht_replay_hash(hash, at[2]);
    if (op == HT_REPLAY_REALLOC_WIDE || op == HT_REPLAY_REALLOC_LATE) return ht_replay_hash(hash, at[3]);
    return hash;
}
