// The rare half of nested.h. Runs inside hooks.
#include "nested.h"

#include "ring.h"
#include "stack.h"

#include <string.h>
#include <system.h>

_Atomic uintptr_t ht_nested_reach;

static uint32_t stack_now(ht_thread *self, const void *frame, const void *via) {
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) return 0;
    uint32_t stack = 0;
    writer->now = ht_now();
    if (ht_writer_reserve(self, writer, HT_RECORD_WORDS)) stack = ht_stack_id(self, writer, frame, via, 0);
    ht_leave(self);
    return stack;
}

void ht_nested_flush(ht_thread *self) {
    ht_pending held = self->pending;
    self->pending.block = NULL;
    if (!ht_recording()) return;
    double weight = 0;
    if (ht_sampling() && (weight = ht_sample_count(self, held.block, held.size)) == 0) {
        ht_note_allocation(self, held.block);
        return;
    }
    uint64_t weight_word;
    memcpy(&weight_word, &weight, sizeof weight_word);
    ht_writer *writer = ht_enter(self);
    // The wide form, whatever the block: it carries the time, which may lie before the stream's last.
    if (writer != NULL && ht_writer_reserve(self, writer, HT_RECORD_WORDS)) {
        if (held.time > writer->time) writer->time = held.time;
        ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
        ht_put(writer, writer->time);
        uint32_t code = held.alignment_code;
        ht_put(writer, ht_extended(HT_EXTENDED_WIDE_ALLOC, 5, code == 0 ? 0 : code <= 15 ? code + 3u : code - 15u));
        ht_put(writer, (uint64_t)(uintptr_t)held.block);
        ht_put(writer, held.size);
        ht_put(writer, held.stack);
        ht_put(writer, 0);
        ht_put(writer, weight_word);
        ht_writer_publish(writer);
    } else if (ht_region_shared != NULL) {  // it is NULL once the recorder was detached
        if (weight != 0) ht_sampled_remove(held.block);
        atomic_fetch_add_explicit(&ht_region_shared->lost_allocations, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&ht_region_shared->lost_bytes, held.size, memory_order_relaxed);
    }
    self->last_allocation = held.block;
    if (self->first_allocation == NULL) self->first_allocation = held.block;
    if (writer != NULL) ht_leave(self);
}

ht_nested *ht_nested_outer(ht_thread *self, const ht_nested *call) {
    ht_nested *outer = self->nested;
    uintptr_t here = (uintptr_t)call, there = (uintptr_t)outer;
    if (there > here || here >= self->stack_top || there >= self->stack_top) return outer;
    if (self->pending.block != NULL) ht_nested_flush(self);
    return NULL;
}

int ht_nested_unwound(int version, int actions, uint64_t class_of, void *exception, void *context) {
    enum { CLEANUP_PHASE = 2, CONTINUE_UNWIND = 8 };  // of the Itanium ABI
    (void)version, (void)class_of, (void)exception, (void)context;
    if ((actions & CLEANUP_PHASE) && ht_self.nested != NULL) ht_nested_leave(ht_self.nested);
    return CONTINUE_UNWIND;
}

void ht_nested_hold(ht_thread *self, const void *block, size_t size, uint32_t code, const void *frame,
                    const void *via) {
    if (self->pending.block != NULL) ht_nested_flush(self);
    uint64_t now = ht_now();
    // A stack for an event that will not be a sample would be walked in vain.
    bool is_wanted = !ht_sampling() || ht_sample_would_take(self, size);
    uint32_t stack = is_wanted ? stack_now(self, frame, via) : 0;
    self->pending = (ht_pending){.block = block, .size = size, .time = now, .alignment_code = code, .stack = stack};
}

bool ht_nested_settle(ht_thread *self, const void *block, size_t size) {
    const ht_pending *held = &self->pending;
    uintptr_t into = (uintptr_t)block - (uintptr_t)held->block;
    if (into != 0 && (into >= held->size || size > held->size - into)) {
        ht_nested_flush(self);
        return false;
    }
    uintptr_t reach = atomic_load_explicit(&ht_nested_reach, memory_order_relaxed);
    while (into > reach && !atomic_compare_exchange_weak_explicit(&ht_nested_reach, &reach, into, memory_order_relaxed,
                                                                  memory_order_relaxed)) {
    }
    self->pending.block = NULL;
    return true;
}
