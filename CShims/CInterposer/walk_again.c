// The incremental walk. Runs inside hooks. Stopping at the first frame that looks the same is unsound without the check of every word: a callee that returned and
// was called again leaves the same frame above other ones (it merged 5,300 of 68,685 stacks of a python run). A build with HT_CHECK_WALKS walks fully after each
// incremental walk and stops the program at the first difference.
#include "walk.h"

#include <heaptrail_trace.h>

// Whether every word that the previous walk read from frame `index` outwards is as it was.
static bool unchanged(const ht_cached_frame *frames, uint32_t index) {
    for (uint32_t i = index; i > 0; i--) {
        const ht_cached_frame *frame = &frames[i], *caller = &frames[i - 1];
        if (ht_word_at(caller->sp - 8) != caller->pc) return false;
        if (frame->saved_at != 0 && ht_word_at(frame->saved_at) != caller->fp) return false;
        if (__builtin_expect(frame->cfa_at != 0, 0) && ht_word_at(frame->cfa_at) != caller->sp) return false;
    }
    return true;
}

// Frames of the previous walk that can be kept when the next one has come to `at`: 0 none. `*candidate` moves outwards with the walk.
static inline uint32_t kept(const ht_walk_cache *cache, uint32_t *candidate, const ht_registers *at) {
    uint32_t next = *candidate;
    while (next > 0 && cache->frames[next - 1].sp < at->sp) next--;
    *candidate = next;
    if (next == 0) return 0;
    const ht_cached_frame *frame = &cache->frames[next - 1];
    if (frame->sp != at->sp || frame->pc != at->pc || (frame->fp_matters && frame->fp != at->fp)) return 0;
    return unchanged(cache->frames, next - 1) ? next : 0;
}

// Puts the fresh frames, gathered innermost first, inside the kept ones.
static void join(ht_walk_cache *cache, uint32_t keep, uint32_t fresh) {
    const ht_cached_frame none = {.hash = ht_hash_start};
    const ht_cached_frame *outer = keep > 0 ? &cache->frames[keep - 1] : &none;
    for (uint32_t i = fresh; i > 0; i--) {
        ht_cached_frame *frame = &cache->frames[keep++];
        bool uses_fp = cache->fresh[i - 1].fp_matters;
        *frame = cache->fresh[i - 1];
        frame->hash = frame->hidden ? outer->hash : ht_hash_frame(outer->hash, frame->pc);
        frame->shown = outer->shown + !frame->hidden;
        frame->fp_matters = uses_fp || (frame->saved_at == 0 && outer->fp_matters);
        outer = frame;
    }
    cache->count = keep;
}

static ht_walked fully(ht_thread *self, ht_writer *writer, ht_registers start, uint64_t *frames, uint32_t limit) {
    if (writer->cache != NULL) writer->cache->count = 0;
    return ht_walk(self, writer, start, frames, limit);
}

ht_walked ht_walk_again(ht_thread *self, ht_writer *writer, ht_registers start, uint64_t *frames, uint32_t limit) {
    ht_walk_cache *cache = writer->cache;
    uintptr_t top = self->stack_top;
    uint32_t generation = atomic_load_explicit(&ht_rules_generation, memory_order_acquire);
    if (cache == NULL || !ht_on_own_stack(start.sp, top)) return fully(self, writer, start, frames, limit);
    if (cache->generation != generation) cache->count = 0;
    cache->generation = generation;
    ht_registers at = start;
    uint32_t candidate = cache->count, fresh = 0, keep = 0;
    while (at.pc > 4095) {
        keep = kept(cache, &candidate, &at);
        if (keep != 0) break;
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1);
        uint32_t kind = ht_rule_kind_of(rule);
        if (kind == HT_RULE_FRAME || kind == HT_RULE_SIGNAL || fresh == HT_CACHED_FRAMES_MAX) return fully(self, writer, start, frames, limit);
        ht_cached_frame *frame = &cache->fresh[fresh++];
        *frame = (ht_cached_frame){.pc = at.pc, .sp = at.sp, .fp = at.fp, .hidden = kind == HT_RULE_SELF};
        ht_step_reads reads;
        ht_step step = ht_step_out(&at, rule, true, top, &reads);
        if (step == HT_STEP_EARLY) return fully(self, writer, start, frames, limit);
        if (step == HT_STEP_END) break;
        frame->saved_at = reads.saved_at;
        frame->cfa_at = reads.cfa_at;
        frame->fp_matters = reads.uses_fp;
    }
    if (keep + fresh > HT_CACHED_FRAMES_MAX) return fully(self, writer, start, frames, limit);
    join(cache, keep, fresh);
    if (cache->count == 0) return (ht_walked){.hash = ht_hash_start};
    const ht_cached_frame *innermost = &cache->frames[cache->count - 1];
    if (innermost->shown > limit) return fully(self, writer, start, frames, limit);
    ht_walked walked = {.count = innermost->shown, .hash = innermost->hash, .in_cache = true};
#ifdef HT_CHECK_WALKS
    ht_walked whole = ht_walk(self, writer, start, frames, limit);
    if (whole.count != walked.count || whole.hash != walked.hash || whole.flags != walked.flags) __builtin_trap();
#endif
    return walked;
}

void ht_walk_copy(const ht_walk_cache *cache, uint64_t *frames) {
    for (uint32_t i = cache->count; i > 0; i--) {
        if (!cache->frames[i - 1].hidden) *frames++ = cache->frames[i - 1].pc;
    }
}
