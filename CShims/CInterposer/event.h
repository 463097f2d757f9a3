// What a hook hands over, whatever kind of recording is on: every event, or samples by bytes. The hook has checked that
// recording is on. A hook that resizes a block calls one function before the real call and one of three after it.
#pragma once

#include "record.h"
#include "sample.h"
#include "swift_types.h"

#include <system.h>

// After the real malloc, with the block it made (not NULL). Parameters as in ht_record_allocation.
// Returns the block.
static inline const void *ht_allocated(const void *block, size_t size, uint32_t alignment_code, const void *frame,
                                       const void *via) {
    if (ht_sampling()) return ht_sample_allocation(block, size, alignment_code, frame, via);
    if (ht_type_is_announced()) ht_record_typed_allocation(block, size, alignment_code, frame, via);
    else ht_record_allocation(block, size, alignment_code, frame, via);
    return block;
}

// Before the real free of a block, not NULL.
static inline void ht_freeing(const void *block) {
    if (ht_sampling()) ht_sample_free(block);
    else if (ht_type_is_looked_at()) ht_record_free_looking(block, ht_now(), false);
    else ht_record_free(block, ht_now());
}

// Before the real realloc of a block, not NULL, also while recording is off. Returns what the functions below are told.
static inline uint64_t ht_resizing(const void *block) {
    if (!ht_sampling()) return ht_now();
    return ht_sampled_maybe(block) ? ht_sample_resizing(block) : 0;
}

// It gave `block`, which may be the old one.
static inline void ht_resized(const void *old, uint64_t before, const void *block, size_t size, uint32_t alignment_code,
                              const void *frame) {
    if (ht_sampling()) ht_sample_resized(old, before, block, size, alignment_code, frame);
    else ht_record_reallocation(old, before, block, size, alignment_code, frame);
}

// It gave none and freed the old block.
static inline void ht_resize_freed(const void *old, uint64_t before) {
    if (ht_sampling()) ht_sample_resize_freed(old, before);
    else ht_record_free(old, before);
}

// It failed, or changed nothing: the old block lives on.
static inline void ht_resize_failed(const void *old, uint64_t before) {
    if (ht_sampling() && before != 0) ht_sampled_insert(old);
}
