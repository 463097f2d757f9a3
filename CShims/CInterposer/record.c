// The record path. Runs inside every hook; see record.h for when. Cost without stacks: the clock (about 12 ns), two
// loads, two or three stores, one publication.
#include "record.h"

#include "real.h"
#include "ring.h"
#include "stack.h"
#include "swift_types.h"
#include "table.h"

#include <heaptrail_patch.h>
#include <system.h>

// Kept whole: a compiler that splits cold parts off moved the common one out, behind a call.
#define HOT __attribute__((noinline))

enum { SMALL_SIZES = 64 << 10 };

// Sizes whose usable size was asked for: a bit each below 64 KiB at malloc's own alignment, the table for the rest.
static _Atomic uint8_t small_known[SMALL_SIZES / 8];
static ht_table sizes_known = {.first_lines = 64};

static void __attribute__((noinline, cold))
lose(ht_region *region, uint32_t allocations, uint32_t frees, size_t bytes, uint32_t reason) {
    if (region == NULL || !ht_recording()) return;
    atomic_fetch_add_explicit(&region->lost_allocations, allocations, memory_order_relaxed);
    atomic_fetch_add_explicit(&region->lost_frees, frees, memory_order_relaxed);
    atomic_fetch_add_explicit(&region->lost_bytes, bytes, memory_order_relaxed);
    if (reason != HT_LOSS_NONE) atomic_store_explicit(&region->lost_reason, reason, memory_order_relaxed);
}

static void __attribute__((noinline, cold))
put_usable(ht_thread *self, ht_writer *writer, size_t usable, size_t size, uint32_t code) {
    if (!ht_writer_reserve(self, writer, 3 + HT_RECORD_WORDS)) return;
    ht_put(writer, ht_extended(HT_EXTENDED_USABLE, 2, code));
    ht_put(writer, size);
    ht_put(writer, usable);
    ht_writer_publish(writer);
}

// Whether this size and alignment are new: the caller, who is told so once, asks for the usable size.
static inline bool is_new_size(size_t size, uint32_t code) {
    if (__builtin_expect(size < SMALL_SIZES && code == 0, 1)) {
        uint8_t bit = (uint8_t)(1u << (size & 7));
        if (__builtin_expect((atomic_load_explicit(&small_known[size >> 3], memory_order_relaxed) & bit) != 0, 1))
            return false;
        return (atomic_fetch_or_explicit(&small_known[size >> 3], bit, memory_order_relaxed) & bit) == 0;
    }
    uint64_t hash = (size ^ (uint64_t)code << 58) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9ull;
    if (ht_table_find(&sizes_known, hash) != 0) return false;
    ht_table_insert(&sizes_known, hash, 1);
    return true;
}

enum { NOT_ASKED = 0 };

// Asked of the allocator that made the block: libc's (or whatever is preloaded), or the program's own.
static size_t __attribute__((noinline, cold)) usable_size(const void *block) {
    const ht_patch_slot *slot = ht_self.slot;
    if (slot == NULL) return ht_real_usable_size(block);
    return slot->usable == 0 ? NOT_ASKED : ((size_t(*)(const void *, int))(uintptr_t)slot->usable)(block, 0);
}

// The usable size where it is to be written, NOT_ASKED otherwise. Asked outside the guard: an allocator may set itself
// up on this call, and allocate (tcmalloc does).
static inline size_t ask_usable(const void *block, size_t size, uint32_t code) {
    return __builtin_expect(is_new_size(size, code), 0) ? usable_size(block) : NOT_ASKED;
}

// What does not fit the narrow words: sizes from 4 GiB, alignments above 128 KiB, addresses that are odd or beyond 47
// bits.
static inline bool fits(const void *block, size_t size, uint32_t code) {
    return ht_narrow_address((uint64_t)(uintptr_t)block) && size >> HT_SIZE_BITS == 0 && code < 1u << HT_ALIGNMENT_BITS;
}

static void put_time(ht_writer *writer, uint64_t now) {
    if (now < writer->time) now = writer->time;
    ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
    ht_put(writer, now);
    writer->time = now;
}

static inline uint64_t size_word(size_t size, uint32_t stack, uint32_t code) {
    return size | (uint64_t)stack << HT_STACK_SHIFT | (uint64_t)code << HT_ALIGNMENT_SHIFT;
}

static uint64_t wide_alignment(uint32_t code) { return code == 0 ? 0 : code <= 15 ? code + 3u : code - 15u; }

// ALLOC; ALLOC_SAMPLE where a weight other than 0 is given, ALLOC_TYPED where a type is that its stack cannot tell.
// Inlined into each, so that none asks.
static inline __attribute__((always_inline)) bool record_allocation(const void *block, size_t size, uint32_t code,
                                                                    const void *frame, const void *via, double weight,
                                                                    uint64_t type) {
    uint64_t weight_word;
    memcpy(&weight_word, &weight, sizeof weight_word);
    bool kept = false;
    uint64_t now = ht_now();
    size_t usable = ask_usable(block, size, code);
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) {
        lose(ht_region_shared, 1, 0, size, HT_LOSS_NESTED);
        return false;
    }
    writer->now = now;
    if (__builtin_expect(ht_options & HT_OPTION_DROP, 0)) writer->droppable = true;
    if (ht_writer_reserve(self, writer, HT_RECORD_WORDS)) {
        uint32_t stack = ht_stack_id(self, writer, frame, via, type);
        if (__builtin_expect(usable != NOT_ASKED, 0)) put_usable(self, writer, usable, size, code);
        if (type != 0) {
            ht_type_note(type);
            // The stack tells its type, unless it could not be defined.
            if (__builtin_expect(stack == 0, 0)) ht_type_define(self, writer, type);
            else type = 0;
        }
        if (ht_writer_reserve(self, writer, HT_RECORD_WORDS)) {
            // A sample that has a type, too, is wide.
            if (__builtin_expect(fits(block, size, code) && (type == 0 || weight_word == 0), 1)) {
                uint64_t delta = ht_put_delta(writer, now);
                uint32_t kind = weight_word != 0 ? HT_RECORD_ALLOC_SAMPLE
                                : type != 0      ? HT_RECORD_ALLOC_TYPED
                                                 : HT_RECORD_ALLOC;
                ht_put(writer, ht_event_word(kind, delta, (uint64_t)(uintptr_t)block));
                ht_put(writer, size_word(size, stack, code));
                if (weight_word != 0) ht_put(writer, weight_word);
                else if (type != 0) ht_put(writer, type);
            } else {
                put_time(writer, now);
                ht_put(writer, ht_extended(HT_EXTENDED_WIDE_ALLOC, 5, wide_alignment(code)));
                ht_put(writer, (uint64_t)(uintptr_t)block);
                ht_put(writer, size);
                ht_put(writer, stack);
                ht_put(writer, type);
                ht_put(writer, weight_word);
            }
            ht_writer_publish(writer);
            kept = true;
        } else {
            lose(ht_region_shared, 1, 0, size, HT_LOSS_NONE);
        }
    } else {
        lose(ht_region_shared, 1, 0, size, HT_LOSS_NONE);
    }
    if (__builtin_expect(ht_options & HT_OPTION_DROP, 0)) writer->droppable = false;
    ht_note_allocation(self, block);
    ht_leave(self);
    return kept;
}

HOT void ht_record_typed_allocation(const void *block, size_t size, uint32_t code, const void *frame, const void *via) {
    uint64_t type = ht_type_take(&ht_self, size, frame);
    if (type != 0) record_allocation(block, size, code, frame, via, 0, type);
    else record_allocation(block, size, code, frame, via, 0, 0);
}

HOT void ht_record_allocation(const void *block, size_t size, uint32_t code, const void *frame, const void *via) {
    record_allocation(block, size, code, frame, via, 0, 0);
}

bool ht_record_sample(const void *block, size_t size, uint32_t code, const void *frame, const void *via,
                      double weight) {
    return record_allocation(block, size, code, frame, via, weight, ht_type_take(&ht_self, size, frame));
}

void ht_record_loss(uint32_t allocations, uint32_t frees, size_t bytes, uint32_t reason) {
    lose(ht_region_shared, allocations, frees, bytes, reason);
}

// The type that a block says it is of, before its FREE. Returns whether there still is room for that.
static bool put_freed_type(ht_thread *self, ht_writer *writer, const void *block, uint64_t now) {
    writer->now = now;
    uint64_t type = ht_type_of_freed(self, writer, block);
    if (!ht_writer_reserve(self, writer, HT_RECORD_WORDS)) return false;
    if (type == 0) return true;
    ht_put(writer, ht_extended(HT_EXTENDED_FREED_TYPE, 2, 0));
    ht_put(writer, (uint64_t)(uintptr_t)block);
    ht_put(writer, type);
    return true;
}

static inline __attribute__((always_inline)) void record_free(const void *block, uint64_t now, bool is_next,
                                                              bool looks) {
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) {
        lose(ht_region_shared, 0, 1, 0, HT_LOSS_NESTED);
        return;
    }
    if (__builtin_expect(ht_writer_reserve(self, writer, HT_RECORD_WORDS), 1) &&
        (!looks || put_freed_type(self, writer, block, now))) {
        if (__builtin_expect(ht_narrow_address((uint64_t)(uintptr_t)block) && !is_next, 1)) {
            uint64_t delta = ht_put_delta(writer, now);
            ht_put(writer, ht_event_word(HT_RECORD_FREE, delta, (uint64_t)(uintptr_t)block));
        } else {
            put_time(writer, now);
            ht_put(writer, ht_extended(HT_EXTENDED_WIDE_FREE, 1, is_next ? HT_FREED_NEXT : 0));
            ht_put(writer, (uint64_t)(uintptr_t)block);
        }
        ht_writer_publish(writer);
    } else {
        lose(ht_region_shared, 0, 1, 0, HT_LOSS_NONE);
    }
    ht_leave(self);
}

HOT void ht_record_free(const void *block, uint64_t now) { record_free(block, now, false, false); }

HOT void ht_record_free_next(const void *block, uint64_t now) { record_free(block, now, true, false); }

void ht_record_free_looking(const void *block, uint64_t now, bool is_next) {
    if (is_next) record_free(block, now, true, true);
    else record_free(block, now, false, true);
}

HOT void ht_record_reallocation(const void *old, uint64_t before, const void *block, size_t size, uint32_t code,
                                const void *frame) {
    uint64_t now = ht_now();
    size_t usable = ask_usable(block, size, code);
    ht_thread *self = &ht_self;
    ht_writer *writer = ht_enter(self);
    if (writer == NULL) {
        lose(ht_region_shared, 1, 1, size, HT_LOSS_NESTED);
        return;
    }
    writer->now = now;
    uint32_t stack = 0;
    bool room = ht_writer_reserve(self, writer, HT_RECORD_WORDS);
    if (room) {
        stack = ht_stack_id(self, writer, frame, NULL, 0);
        if (__builtin_expect(usable != NOT_ASKED, 0)) put_usable(self, writer, usable, size, code);
        room = ht_writer_reserve(self, writer, HT_RECORD_WORDS);
    }
    if (!room) {
        lose(ht_region_shared, 1, 1, size, HT_LOSS_NONE);
    } else {
        // The second stamp's delta has no escape of its own: a call that took longer than 17 bits of ticks is written
        // wide.
        uint64_t first = before < writer->time ? writer->time : before;
        uint64_t second = now < first ? first : now;
        if (__builtin_expect(fits(block, size, code) && ht_narrow_address((uint64_t)(uintptr_t)old) &&
                                 (second - first) >> HT_DELTA_BITS == 0,
                             1)) {
            uint64_t delta = ht_put_delta(writer, first);
            ht_put(writer, ht_event_word(HT_RECORD_REALLOC, delta, (uint64_t)(uintptr_t)old));
            ht_put(writer, ht_event_word(HT_RECORD_ALLOC, second - first, (uint64_t)(uintptr_t)block));
            ht_put(writer, size_word(size, stack, code));
            writer->time = second;
        } else {
            put_time(writer, first);
            ht_put(writer, ht_extended(HT_EXTENDED_WIDE_REALLOC, 5, wide_alignment(code)));
            ht_put(writer, (uint64_t)(uintptr_t)old);
            ht_put(writer, second);
            ht_put(writer, (uint64_t)(uintptr_t)block);
            ht_put(writer, size);
            ht_put(writer, stack);
            writer->time = second;
        }
        ht_writer_publish(writer);
    }
    ht_note_allocation(self, block);
    ht_leave(self);
}

void ht_sizes_reset(void) {
    for (size_t i = 0; i < sizeof small_known; i++) {
        if (atomic_load_explicit(&small_known[i], memory_order_relaxed) != 0)
            atomic_store_explicit(&small_known[i], 0, memory_order_relaxed);
    }
    ht_table_reset(&sizes_known);
}
