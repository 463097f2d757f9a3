// Interning of call stacks. Runs inside hooks: one walk and one probe for a stack seen before; a STACK record and an
// insert for a new one.
#include "stack.h"

#include "definitions.h"
#include "life.h"
#include "swift_types.h"
#include "table.h"

static ht_table stacks = {.first_lines = 1024};
static _Atomic uint32_t last_stack_id;
static _Atomic uint64_t generation;

static uint64_t finish(uint64_t hash, uint64_t more) {
    hash ^= more * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebull;
    return hash ^ hash >> 31;
}

static uint32_t __attribute__((noinline, cold))
define(ht_thread *self, ht_writer *writer, const ht_walked *walked, const void *via, uint64_t type, uint64_t hash) {
    if (type != 0) ht_type_define(self, writer, type);
    // The walk did not pass through it: its module may be one that no stack has met.
    const uint8_t *tables;
    if (via != NULL) ht_module_at(self, writer, (uintptr_t)via, &tables);
    uint32_t id = atomic_fetch_add_explicit(&last_stack_id, 1, memory_order_relaxed) + 1;
    if (id >> HT_STACK_BITS) return 0;
    ht_home *home = writer->home;
    if (walked->in_cache) ht_walk_copy(writer->cache, home->frames + (via != NULL));
    uint32_t keep = 0;
    while (writer->last_stack != 0 && keep < walked->count && keep < writer->last_depth &&
           home->frames[walked->count - 1 - keep] == home->last_frames[writer->last_depth - 1 - keep]) {
        keep++;
    }
    uint32_t fresh = walked->count - keep;
    if (!ht_writer_reserve(self, writer, 3 + fresh + 2 + HT_RECORD_WORDS)) return 0;
    ht_put(writer, ht_extended(HT_EXTENDED_STACK, 2 + fresh, id));
    ht_put(writer, (keep != 0 ? writer->last_stack : 0) | (uint64_t)keep << 32 | (uint64_t)walked->flags << 48);
    ht_put(writer, self->tag);
    memcpy(writer->at, home->frames, fresh * sizeof home->frames[0]);
    writer->at += fresh;
    if (type != 0) {
        ht_put(writer, ht_extended(HT_EXTENDED_STACK_TYPE, 1, id));
        ht_put(writer, type);
    }
    ht_writer_publish(writer);
    // The kept frames are the last ones of both; only the inner ones differ, and they move when the depth does.
    memcpy(home->last_frames, home->frames, walked->count * sizeof home->frames[0]);
    writer->last_stack = id;
    writer->last_depth = walked->count;
    ht_table_insert(&stacks, hash, id);
    return id;
}

uint32_t ht_stack_find(ht_thread *self, ht_writer *writer, const void *frame, const void *via, uint64_t type) {
    ht_walked walked = {0};
    if (!(ht_options & HT_OPTION_NO_STACKS)) {
        uint64_t *frames = writer->home->frames;
        uint32_t extra = 0;
        if (via != NULL) frames[extra++] = (uint64_t)(uintptr_t)via + 1;
        ht_registers caller = ht_caller_of(frame);
        walked = ht_walk_again(self, writer, &caller, frames + extra, ht_max_depth - extra);
        walked.count += extra;
        if (via != NULL) walked.hash = ht_hash_frame(walked.hash, frames[0]);
    } else if (self->tag == 0 && type == 0) {
        return 0;
    }
    uint64_t more = (uint64_t)self->tag << 32 ^ atomic_load_explicit(&generation, memory_order_relaxed);
    uint64_t hash = finish(walked.hash, more ^ ht_type_hash(type));
    uint32_t id = ht_table_find(&stacks, hash);
    if (__builtin_expect(id == 0, 0)) id = define(self, writer, &walked, via, type, hash);
    if (walked.in_cache) {
        writer->cache->id = id;
        writer->cache->id_tag = self->tag;
        writer->cache->id_via = via;
        writer->cache->id_type = type;
    }
    return id;
}

void ht_stacks_new_generation(void) { atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed); }

void ht_stacks_reset(void) {
    ht_table_reset(&stacks);
    atomic_store_explicit(&last_stack_id, 0, memory_order_relaxed);
}
