// Recording one event. Called by the hooks after (ALLOC) or before (FREE) the real call, with the frame address of the
// hook. Nothing here touches errno.
#pragma once

#include "life.h"
#include "thread.h"

#include <stddef.h>

// Alignment codes of FORMAT.md §4: 0 what malloc gives, c = log2(alignment) - 2 up to 15, beyond that 16 + log2.
static inline uint32_t ht_alignment_code(size_t alignment) {
    uint32_t log = alignment == 0 ? 0 : (uint32_t)__builtin_ctzll(alignment);
    if (log < 3) return 0;
    return log <= 17 ? log - 2 : 16 + log;
}

// ALLOC of `size` bytes at `block`. `via` is the real function to show as the innermost frame when it made the block
// without calling malloc (operator new), else NULL.
void ht_record_allocation(const void *block, size_t size, uint32_t alignment_code, const void *frame, const void *via);
// The same where the Swift runtime has announced a type (swift_types.h): its stack tells it when it is this
// allocation's.
void ht_record_typed_allocation(const void *block, size_t size, uint32_t alignment_code, const void *frame,
                                const void *via);
// FREE of `block`, not NULL, stamped `now` (before the real call).
void ht_record_free(const void *block, uint64_t now);
// A realloc that succeeded: FREE of `old` at `before`, ALLOC of `block` now, as one record.
void ht_record_reallocation(const void *old, uint64_t before, const void *block, size_t size, uint32_t alignment_code,
                            const void *frame);
// ALLOC_SAMPLE: an allocation that stands for `weight` of its like. False when it is lost, and was counted so.
bool ht_record_sample(const void *block, size_t size, uint32_t alignment_code, const void *frame, const void *via,
                      double weight);
// FREE of a sampled block as the next event of the thread that allocated it.
void ht_record_free_next(const void *block, uint64_t now);
// FREE of a block that is alive still and may tell its type (swift_freed.c); `is_next` as in ht_record_free_next.
void ht_record_free_looking(const void *block, uint64_t now, bool is_next);
// Counts events that are lost. The reason is kept unless it is HT_LOSS_NONE.
void ht_record_loss(uint32_t allocations, uint32_t frees, size_t bytes, uint32_t reason);
// For a followed child: forgets whose usable size its parent's trace has.
void ht_sizes_reset(void);
