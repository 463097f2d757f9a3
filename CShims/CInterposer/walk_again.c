// The incremental walk. Runs inside hooks. Stopping at the first frame that looks the same is unsound without the check
// of every word: a callee that returned and was called again leaves the same frame above other ones (it merged 5,300 of
// 68,685 stacks of a python run). A build with HT_CHECK_WALKS walks fully after each incremental walk and stops the
// program at the first difference.
#include "walk.h"

#include <heaptrail_trace.h>

// Compares every word that the previous walk read from frame `index` outwards with memory. 0 when all are as they were;
// else the frame whose step outwards reads something else now, which is at least 1: the outermost frame steps nowhere.
static inline uint32_t changed(const ht_cached_frame *frames, uint32_t index) {
    for (uint32_t i = index; i > 0; i--) {
        const ht_cached_frame *frame = &frames[i], *caller = &frames[i - 1];
        if (ht_word_at(caller->sp - 8) != caller->pc) return i;
        if (frame->saved_at != 0 && ht_word_at(frame->saved_at) != caller->fp) return i;
        if (__builtin_expect(frame->cfa_at != 0, 0) && ht_word_at(frame->cfa_at) != caller->sp) return i;
    }
    return 0;
}

// Frames of the previous walk that can be kept when the next one has come to `at`: 0 none. `*candidate` moves outwards
// with the walk, and past a frame that was found changed: whatever lies further in reads the same word. So a walk
// compares each word once at most.
static inline uint32_t kept(const ht_walk_cache *cache, uint32_t *candidate, const ht_registers *at) {
    uint32_t next = *candidate;
    while (next > 0 && cache->frames[next - 1].sp < at->sp) next--;
    *candidate = next;
    if (next == 0) return 0;
    const ht_cached_frame *frame = &cache->frames[next - 1];
    if (frame->sp != at->sp || frame->pc != at->pc || (frame->fp_matters && frame->fp != at->fp)) return 0;
    uint32_t broken = changed(cache->frames, next - 1);
    if (broken == 0) return next;
    *candidate = broken;
    return 0;
}

// Puts the fresh frames, gathered innermost first, inside the kept ones.
static void join(ht_walk_cache *cache, uint32_t keep, uint32_t fresh) {
    const ht_cached_frame none = {.hash = ht_hash_start};
    const ht_cached_frame *outer = keep > 0 ? &cache->frames[keep - 1] : &none;
    uint64_t hash = outer->hash;
    uint32_t shown = outer->shown;
    bool fp_matters = outer->fp_matters;
    for (uint32_t i = fresh; i > 0; i--) {
        const ht_cached_frame *from = &cache->fresh[i - 1];
        ht_cached_frame *frame = &cache->frames[keep++];
        if (__builtin_expect(!from->hidden, 1)) {
            hash = ht_hash_frame(hash, from->pc);
            shown++;
        }
        fp_matters = from->fp_matters || (from->saved_at == 0 && fp_matters);
        *frame = *from;
        frame->hash = hash;
        frame->shown = shown;
        frame->fp_matters = fp_matters;
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
    if (cache == NULL || !ht_on_own_stack(self, start.sp)) return fully(self, writer, start, frames, limit);
    if (cache->generation != generation) cache->count = 0;
    cache->generation = generation;
    ht_registers at = start;
    uint32_t candidate = cache->count, fresh = 0, keep = 0;
    while (at.pc > 4095) {
        keep = kept(cache, &candidate, &at);
        if (keep != 0) break;
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1);
        uint32_t kind = ht_rule_kind_of(rule);
        if (kind == HT_RULE_FRAME || kind == HT_RULE_SIGNAL || fresh == HT_CACHED_FRAMES_MAX)
            return fully(self, writer, start, frames, limit);
        ht_cached_frame *frame = &cache->fresh[fresh++];
        frame->pc = at.pc;
        frame->sp = at.sp;
        frame->fp = at.fp;
        frame->hidden = kind == HT_RULE_SELF;
        ht_step_reads reads;
        ht_step step = ht_step_out(&at, rule, top, &reads);
        frame->saved_at = reads.saved_at;
        frame->cfa_at = reads.cfa_at;
        frame->fp_matters = reads.uses_fp;
        if (__builtin_expect(step != HT_STEP_ON, 0)) {
            if (step == HT_STEP_EARLY) return fully(self, writer, start, frames, limit);
            break;
        }
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
