// The hooks of redirected functions: one for each shape. A thunk jumps here with the function's own arguments and its
// slot as the sixth; the frame is as if the function itself had been called, so call stacks and exceptions pass through
// as they do through the interposed names. The real function runs outside the recorder's guard: what it calls in turn
// is seen, too (nested.h says what of it is recorded).
#include "nested.h"

#include "life.h"
#include "patch.h"
#include "real.h"

#include <string.h>
#include <system.h>

#define FRAME __builtin_frame_address(0)

// The arguments of every function that is redirected; those it has not are whatever the registers held.
#define ARGUMENTS uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, const ht_patch_slot *slot
#define REAL \
    (((uintptr_t(*)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t))(uintptr_t)slot->real)(a, b, c, d, e))

// Which argument says what, by kind.
typedef struct signature {
    uint8_t shape, block, count, size, alignment, flags;
} signature;

#define SIGNATURE(name, shape, ...) {HT_PATCH_##shape, __VA_ARGS__},
static const signature signatures[] = {HT_PATCH_KINDS(SIGNATURE)};
#undef SIGNATURE

enum { FLAG_ALIGN_MASK = 63, PAGE_BYTES = 4096 };

static inline bool recording(void) {
    if (ht_recording()) return true;
    if (__builtin_expect(atomic_load_explicit(&ht_follow_forks, memory_order_relaxed) == 0, 1)) return false;
    return ht_life_follow();
}

static inline size_t size_of(const signature *of, const uintptr_t *arguments) {
    size_t size = arguments[of->size];
    return of->count != 0 ? size * arguments[of->count] : size;
}

static inline uint32_t code_of(const signature *of, const uintptr_t *arguments) {
    size_t alignment = 0;
    if (of->alignment == HT_PATCH_PAGE) alignment = PAGE_BYTES;
    else if (of->alignment != 0) alignment = arguments[of->alignment];
    else if (of->flags != 0 && (arguments[of->flags] & FLAG_ALIGN_MASK) != 0)
        alignment = (size_t)1 << (arguments[of->flags] & FLAG_ALIGN_MASK);
    uint32_t code = ht_alignment_code(alignment);
    return code == 0 ? ht_patched_code : code;
}

#define LIST const uintptr_t arguments[] = {0, a, b, c, d, e}
#define ENTER          \
    HT_NESTED_UNWINDS; \
    ht_nested call;    \
    ht_nested_enter(&call)
#define LEAVE(result)           \
    do {                        \
        ht_nested_leave(&call); \
        return result;          \
    } while (0)

// malloc itself, the commonest, without the table.
static uintptr_t patched_malloc(ARGUMENTS) {
    ENTER;
    uintptr_t block = REAL;
    if (block != 0 && recording()) ht_nested_made(&call, slot, (const void *)block, a, ht_patched_code, FRAME, NULL);
    LEAVE(block);
}

static uintptr_t patched_allocates(ARGUMENTS) {
    LIST;
    const signature *of = &signatures[slot->kind];
    ENTER;
    uintptr_t block = REAL;
    if (block != 0 && recording()) {
        size_t size = of->size == 0 ? strlen((const char *)block) + 1 : size_of(of, arguments);
        // C++'s operator new shows in stacks, as it does where it is interposed.
        const void *via = of->shape == HT_PATCH_MAKES ? (const void *)(uintptr_t)slot->entry : NULL;
        ht_nested_made(&call, slot, (const void *)block, size, code_of(of, arguments), FRAME, via);
    }
    LEAVE(block);
}

static uintptr_t patched_stores(ARGUMENTS) {
    LIST;
    const signature *of = &signatures[slot->kind];
    ENTER;
    uintptr_t status = REAL;
    const void *block = (int)status == 0 ? *(void **)arguments[of->block] : NULL;
    if (block != NULL && recording())
        ht_nested_made(&call, slot, block, size_of(of, arguments), code_of(of, arguments), FRAME, NULL);
    LEAVE(status);
}

static uintptr_t patched_releases(ARGUMENTS) {
    const void *block = (const void *)a;
    ht_thread *self = &ht_self;
    if (block == NULL || !recording() || ht_nested_is_released(self, block) || ht_boot_owns(block)) return REAL;
    if (__builtin_expect(self->pending.block == block, 0)) ht_nested_flush(self);
    ht_freeing(block);
    const void *outer = self->deleting;
    self->deleting = block;
    uintptr_t result = REAL;
    self->deleting = outer;
    return result;
}

// A block that moved, or stayed and changed its size: one FREE and one ALLOC.
static void resized(const ht_patch_slot *slot, const void *block, uint64_t before, const void *moved, size_t size,
                    uint32_t code, const void *frame) {
    ht_thread *self = &ht_self;
    if (__builtin_expect(self->pending.block != NULL, 0)) ht_nested_settle(self, moved, size);
    if (__builtin_expect(self->last_allocation == moved || self->first_allocation == moved, 0)) {
        ht_resize_freed(block, before);  // made by a library's function, which recorded it
        return;
    }
    self->slot = slot;
    ht_resized(block, before, moved, size, code, frame);
    self->slot = NULL;
}

static uintptr_t patched_resizes(ARGUMENTS) {
    LIST;
    const signature *of = &signatures[slot->kind];
    const void *block = (const void *)arguments[of->block];
    ht_thread *self = &ht_self;
    bool on = recording() && !ht_boot_owns(block);
    // Beneath another one that resizes the same block, and records it.
    if (block != NULL && on && ht_nested_is_released(self, block)) return REAL;
    size_t size = size_of(of, arguments);
    ENTER;
    if (block == NULL) {
        uintptr_t made = REAL;
        if (made != 0 && recording())
            ht_nested_made(&call, slot, (const void *)made, size, code_of(of, arguments), FRAME, NULL);
        LEAVE(made);
    }
    if (__builtin_expect(self->pending.block == block, 0)) ht_nested_flush(self);
    const void *outer = self->deleting;
    if (on) self->deleting = block;
    uint64_t before = ht_resizing(block);
    uintptr_t moved = REAL;
    self->deleting = outer;
    if (!on || !recording()) LEAVE(moved);
    if (moved != 0) resized(slot, block, before, (const void *)moved, size, code_of(of, arguments), FRAME);
    else if (size == 0 || slot->kind == HT_PATCH_REALLOCF) ht_resize_freed(block, before);
    else ht_resize_failed(block, before);
    LEAVE(moved);
}

// In place, and a pair of events only where the usable size has changed.
static uintptr_t patched_extends(ARGUMENTS) {
    LIST;
    const signature *of = &signatures[slot->kind];
    size_t (*usable)(const void *, int) = (size_t(*)(const void *, int))(uintptr_t)slot->usable;
    const void *block = (const void *)a;
    size_t old = usable == NULL ? 0 : usable(block, 0);
    uint64_t before = ht_resizing(block);
    uintptr_t now = REAL;
    if (usable == NULL || now == old) {
        ht_resize_failed(block, before);
    } else if (recording()) {
        ht_self.slot = slot;
        ht_resized(block, before, block, b, code_of(of, arguments), FRAME);
        ht_self.slot = NULL;
    }
    return now;
}

uint64_t ht_patched_hook(uint32_t kind) {
    static uintptr_t (*const hooks[])(ARGUMENTS) = {
        [HT_PATCH_ALLOCATES] = patched_allocates, [HT_PATCH_MAKES] = patched_allocates,
        [HT_PATCH_RESIZES] = patched_resizes,     [HT_PATCH_RELEASES] = patched_releases,
        [HT_PATCH_STORES] = patched_stores,       [HT_PATCH_EXTENDS] = patched_extends,
    };
    if (kind == HT_PATCH_MALLOC) return (uintptr_t)patched_malloc;
    return (uintptr_t)hooks[signatures[kind].shape];
}
