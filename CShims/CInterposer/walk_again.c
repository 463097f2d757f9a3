// The incremental walk. Runs inside hooks. Stopping at the first frame that looks the same is unsound without the check
// of every word: a callee that returned and was called again leaves the same frame above other ones (it merged 5,300 of
// 68,685 stacks of a python run). A build with HT_CHECK_WALKS walks fully after each incremental walk and stops the
// program at the first difference.
#include "walk.h"

#include <heaptrail_trace.h>

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
    uint32_t changed = ht_words_changed(cache->words, frame->words);
    if (changed == 0) return next;
    // That frame's step reads something else now: from its caller outwards frames may still be the same.
    *candidate = cache->word_frame[changed - 1];
    return 0;
}

// A word of a frame that was stored a moment ago, loaded as it was stored: a compiler copies two at once where it may,
// and a load that spans two stores still under way waits for both.
static inline uint64_t lone(const uint64_t *word) { return *(const volatile uint64_t *)word; }

static inline uint32_t put_word(ht_walk_cache *cache, uint32_t words, uint32_t frame, uintptr_t at, uintptr_t was) {
    cache->words[words] = (ht_read_word){(const uintptr_t *)at, was};
    cache->word_frame[words] = (uint16_t)frame;
    return words + 1;
}

// Puts the fresh frames, gathered innermost first, inside the kept ones. A saved frame pointer that no frame further
// out starts from is not compared later: what it was has no bearing on the walk.
static inline void join(ht_walk_cache *cache, uint32_t keep, uint32_t fresh) {
    static const ht_cached_frame none = {.hash = ht_hash_start};
    const ht_cached_frame *outer = keep > 0 ? &cache->frames[keep - 1] : &none;
    uint64_t hash = outer->hash;
    uint32_t words = outer->words;
    uint16_t shown = outer->shown;
    for (uint32_t i = fresh; i > 0; i--) {
        const ht_fresh_frame *from = &cache->fresh[i - 1];
        const ht_step_reads *reads = &from->reads;
        if (keep > 0) {
            words = put_word(cache, words, keep, outer->sp - 8, outer->pc);
            if (reads->saved_at != 0 && outer->fp_matters)
                words = put_word(cache, words, keep, reads->saved_at, outer->fp);
            if (__builtin_expect(reads->cfa_at != 0, 0)) words = put_word(cache, words, keep, reads->cfa_at, outer->sp);
        }
        if (__builtin_expect(!from->hidden, 1)) {
            hash = ht_hash_frame(hash, from->pc);
            shown++;
        }
        ht_cached_frame *frame = &cache->frames[keep++];
        *frame = (ht_cached_frame){
            .pc = from->pc,
            .sp = lone(&from->sp),
            .fp = lone(&from->fp),
            .hash = hash,
            .words = words,
            .shown = shown,
            .hidden = from->hidden,
            .fp_matters = reads->uses_fp || (reads->saved_at == 0 && outer->fp_matters),
        };
        outer = frame;
    }
    cache->count = keep;
}

static ht_walked __attribute__((noinline))
fully(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames, uint32_t limit) {
    if (writer->cache != NULL) writer->cache->count = 0;
    return ht_walk(self, writer, start, frames, limit);
}

ht_walked ht_walk_again(ht_thread *self, ht_writer *writer, const ht_registers *start, uint64_t *frames,
                        uint32_t limit) {
    ht_walk_cache *cache = writer->cache;
    uintptr_t top = self->stack_top;
    uint32_t generation = atomic_load_explicit(&ht_rules_generation, memory_order_acquire);
    if (cache == NULL || !ht_on_own_stack(self, start->sp)) return fully(self, writer, start, frames, limit);
    if (cache->generation != generation) cache->count = 0;
    cache->generation = generation;
    ht_registers at = *start;
    uint32_t candidate = cache->count, fresh = 0, keep = 0;
    while (at.pc > 4095) {
        keep = kept(cache, &candidate, &at);
        if (keep != 0) break;
        ht_rule rule = ht_rule_for(self, writer, at.pc - 1);
        uint32_t kind = ht_rule_kind_of(rule);
        if (kind == HT_RULE_FRAME || kind == HT_RULE_SIGNAL || fresh == HT_CACHED_FRAMES_MAX)
            return fully(self, writer, start, frames, limit);
        ht_fresh_frame *frame = &cache->fresh[fresh++];
        frame->pc = at.pc;
        frame->sp = at.sp;
        frame->fp = at.fp;
        frame->hidden = kind == HT_RULE_SELF;
        ht_step step = ht_step_out(&at, rule, top, &frame->reads);
        if (__builtin_expect(step != HT_STEP_ON, 0)) {
            if (step == HT_STEP_EARLY) return fully(self, writer, start, frames, limit);
            break;
        }
    }
    // A walk that ended at a return address of 0 has read a word for which there is no frame.
    if (keep + fresh > HT_CACHED_FRAMES_MAX || at.pc <= 4095) return fully(self, writer, start, frames, limit);
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
