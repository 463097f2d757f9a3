// Call stacks as ids. Equal stacks under equal tags that allocate one runtime type have one id; a new one is defined in
// the stream, sharing the outer frames of the stream's previous definition. A type is as good as told by its stack, so
// that it costs a definition, where a word in each of its events made Swift's traces a third larger.
#pragma once

#include "walk.h"

// ht_stack_id for a stack that is not the lane's last one.
uint32_t ht_stack_find(ht_thread *self, ht_writer *writer, const void *frame, const void *via, uint64_t type)
    __attribute__((noinline, visibility("hidden")));

// The id of the caller's stack, or 0 when it cannot be defined. `via`, when not NULL, goes in front as the innermost
// frame; `type`, when not 0, is that of the block allocated. Cost where the stack is the lane's last one: a few
// compares, and one for each word that walk had read.
static inline __attribute__((always_inline)) uint32_t ht_stack_id(ht_thread *self, ht_writer *writer, const void *frame,
                                                                  const void *via, uint64_t type) {
    const ht_walk_cache *cache = writer->cache;
    if (cache != NULL && cache->id != 0 && cache->id_tag == self->tag && cache->id_via == via &&
        cache->id_type == type && ht_walk_same(cache, frame)) {
#ifdef HT_CHECK_WALKS
        uint64_t hash = cache->frames[cache->count - 1].hash;
        ht_stack_find(self, writer, frame, via, type);
        if (cache->count == 0 || cache->frames[cache->count - 1].hash != hash) __builtin_trap();
#endif
        return cache->id;
    }
    return ht_stack_find(self, writer, frame, via, type);
}

// After modules went away: equal addresses mean other code from now on.
void ht_stacks_new_generation(void);
// For a followed child.
void ht_stacks_reset(void);
