// Calls of redirected functions within each other: calloc that calls malloc, operator new that does, realloc that
// allocates, copies and frees. The program asked for one block; one event is recorded, the outermost call's.
//
// - An ALLOC beneath another redirected function is held back, with its stack and time. When that function returns the
//   same block, or one inside it (an aligned block cut out of a larger one), the held one was its own doing and is
//   forgotten. Otherwise (an exception object made by operator new, a thread's first allocation that sets libc up) it
//   is recorded as what it is.
// - A FREE is recorded by the outermost function and its block noted in `deleting`; the same beneath it is passed over.
// - Nothing is held for longer than the outermost call.
#pragma once

#include "event.h"

#include <heaptrail_patch.h>

// A redirected function at work; lies on its hook's stack.
typedef struct ht_nested {
    struct ht_nested *outer;  // the redirected function around it, NULL none
    const void *outer_first;  // what operator new's hook around it had seen
} ht_nested;

// How far into its block a program's own wrapper was seen to return a pointer, at most. Frees beneath it are matched by
// the same distance.
extern _Atomic uintptr_t ht_nested_reach __attribute__((visibility("hidden")));

// The redirected function around the one at `call`, unless a signal handler jumped out of it: what it held back is
// recorded then.
ht_nested *ht_nested_outer(ht_thread *self, const ht_nested *call)
    __attribute__((cold, noinline, visibility("hidden")));
// Records the ALLOC that was held back.
void ht_nested_flush(ht_thread *self) __attribute__((cold, noinline, visibility("hidden")));
// Holds an ALLOC back, after recording the one held before.
void ht_nested_hold(ht_thread *self, const void *block, size_t size, uint32_t code, const void *frame, const void *via)
    __attribute__((cold, noinline, visibility("hidden")));
// What is held when a function returns `block`: true when it was the same and has been forgotten.
bool ht_nested_settle(ht_thread *self, const void *block, size_t size)
    __attribute__((cold, noinline, visibility("hidden")));

static inline void ht_nested_enter(ht_nested *call) {
    ht_thread *self = &ht_self;
    call->outer = __builtin_expect(self->nested != NULL, 0) ? ht_nested_outer(self, call) : NULL;
    call->outer_first = self->first_allocation;
    self->nested = call;
    self->first_allocation = self->last_allocation = NULL;
}

static inline void ht_nested_leave(const ht_nested *call) {
    ht_thread *self = &ht_self;
    self->nested = call->outer;
    if (__builtin_expect(self->pending.block != NULL && call->outer == NULL, 0)) ht_nested_flush(self);
    if (call->outer_first != NULL) self->first_allocation = call->outer_first;
}

// What the unwinder calls for a hook's frame when an exception, or the end of the thread, passes through: leaves the
// function. (A cleanup of the compiler's own would make the library need libgcc.)
int ht_nested_unwound(int version, int actions, uint64_t class_of, void *exception, void *context)
    __attribute__((visibility("hidden")));
#define HT_NESTED_UNWINDS __asm__ volatile(".cfi_personality 0x1b, ht_nested_unwound")

// Whether the FREE of `block` is recorded already, by a redirected function around this one.
static inline bool ht_nested_is_released(const ht_thread *self, const void *block) {
    return __builtin_expect(self->deleting != NULL, 0) &&
           (uintptr_t)self->deleting - (uintptr_t)block <= atomic_load_explicit(&ht_nested_reach, memory_order_relaxed);
}

// The block that a redirected function made. `via` as in ht_record_allocation.
static inline void ht_nested_made(const ht_nested *call, const ht_patch_slot *slot, const void *block, size_t size,
                                  uint32_t code, const void *frame, const void *via) {
    ht_thread *self = &ht_self;
    if (__builtin_expect(self->deleting == block, 0)) self->deleting = NULL;  // released beneath, and given out again
    if (__builtin_expect(self->pending.block != NULL, 0)) ht_nested_settle(self, block, size);
    // A function of a library beneath, which records at once.
    if (__builtin_expect(self->last_allocation == block || self->first_allocation == block, 0)) return;
    self->slot = slot;
    if (__builtin_expect(call->outer != NULL, 0)) ht_nested_hold(self, block, size, code, frame, via);
    else ht_allocated(block, size, code, frame, via);
    self->slot = NULL;
}
