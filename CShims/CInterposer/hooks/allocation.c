// libc's allocation names, and no logic: each hook calls the real function and hands the event over. FREE is recorded
// before the real call, ALLOC after it, so that another thread which gets the address next sorts behind us. The real
// call runs outside the recorder's guard: what it calls in turn is seen, too.
#include "event.h"

#include "real.h"

#include <stdint.h>
#include <string.h>
#include <system.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAME __builtin_frame_address(0)

// ht_recording, or a followed child's first event.
static inline bool recording(void) {
    if (ht_recording()) return true;
    if (__builtin_expect(atomic_load_explicit(&ht_follow_forks, memory_order_relaxed) == 0, 1)) return false;
    return ht_life_follow();
}

static void *__attribute__((noinline, cold))
made_unrecorded(void *block, size_t size, size_t alignment, const void *frame) {
    if (recording()) ht_allocated(block, size, ht_alignment_code(alignment), frame, NULL);
    return block;
}

// Every way out of it is a tail call or a return, so that a block that is no sample costs no saved register.
static inline __attribute__((always_inline)) void *made(void *block, size_t size, size_t alignment, const void *frame) {
    if (__builtin_expect(block == NULL, 0)) return NULL;
    if (!ht_recording()) return made_unrecorded(block, size, alignment, frame);
    return (void *)(uintptr_t)ht_allocated(block, size, ht_alignment_code(alignment), frame, NULL);
}

// Whether the FREE of `block` is still to be recorded; operator delete records its own before it calls free.
static inline __attribute__((always_inline)) void released(void *block) {
    if (block == NULL || !recording()) return;
    if (__builtin_expect(ht_self.deleting == block, 0)) {
        ht_self.deleting = NULL;
        return;
    }
    ht_freeing(block);
}

EXPORT void *malloc(size_t size) {
    if (!ht_ready()) return ht_boot_take(size, 16);
    return made(ht_real.malloc(size), size, 0, FRAME);
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (!ht_ready()) return __builtin_mul_overflow(count, size, &bytes) ? NULL : ht_boot_take(bytes, 16);
    return made(ht_real.calloc(count, size), count * size, 0, FRAME);
}

static void __attribute__((noinline)) release(void *block) {
    if (!ht_ready() || ht_boot_owns(block)) return;
    released(block);
    ht_real.free(block);
}

EXPORT void free(void *block) {
    // Of a block that is no sample nothing is left to do: no saved register, and a jump to the real function.
    if (ht_sampling() && !ht_boot_owns(block) && ht_sample_passes(block)) ht_real.free(block);
    else release(block);
}

// The functions that libc writes in terms of realloc and free, called by name: where the executable defines those, a
// block is its own.
#define PASS_TO_FRONT_FREE(block)                              \
    do {                                                       \
        if (__builtin_expect(ht_real.front_free != NULL, 0)) { \
            ht_real.front_free(block);                         \
            return;                                            \
        }                                                      \
    } while (0)

EXPORT void cfree(void *block) {
    if (!ht_ready() || ht_boot_owns(block)) return;
    PASS_TO_FRONT_FREE(block);
    released(block);
    ht_real.free(block);
}

EXPORT void free_sized(void *block, size_t size) {
    if (!ht_ready() || ht_boot_owns(block)) return;
    PASS_TO_FRONT_FREE(block);
    released(block);
    if (ht_real.free_sized != NULL) ht_real.free_sized(block, size);
    else ht_real.free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size) {
    if (!ht_ready() || ht_boot_owns(block)) return;
    PASS_TO_FRONT_FREE(block);
    released(block);
    if (ht_real.free_aligned_sized != NULL) ht_real.free_aligned_sized(block, alignment, size);
    else ht_real.free(block);
}

// A block of the boot arena that grows moves to the real heap.
static void *leave_boot_arena(void *block, size_t size, const void *frame) {
    void *moved = ht_ready() ? made(ht_real.malloc(size), size, 0, frame) : ht_boot_take(size, 16);
    size_t span = ht_boot_span(block);
    if (moved != NULL) memmove(moved, block, size < span ? size : span);
    return moved;
}

static inline void *resize(void *block, size_t size, const void *frame) {
    if (__builtin_expect(ht_boot_owns(block), 0)) return leave_boot_arena(block, size, frame);
    if (!ht_ready()) return block == NULL ? ht_boot_take(size, 16) : NULL;
    // Beneath a realloc of the program's own, which records the block.
    if (__builtin_expect(block != NULL && ht_self.deleting == block, 0)) return ht_real.realloc(block, size);
    if (block == NULL) return made(ht_real.realloc(NULL, size), size, 0, frame);
    uint64_t before = ht_resizing(block);
    void *moved = ht_real.realloc(block, size);
    if (moved != NULL) {
        if (recording()) ht_resized(block, before, moved, size, 0, frame);
    } else if (size != 0) {
        ht_resize_failed(block, before);
    } else if (recording()) {
        ht_resize_freed(block, before);
    }
    return moved;
}

EXPORT void *realloc(void *block, size_t size) { return resize(block, size, FRAME); }

EXPORT void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    // glibc's own calls realloc through the PLT, which would be recorded there; overflow alone is left to it, for
    // errno.
    if (__builtin_mul_overflow(count, size, &bytes))
        return ht_ready() ? ht_real.reallocarray(block, count, size) : NULL;
    if (ht_ready() && ht_real.front_realloc != NULL && !ht_boot_owns(block)) return ht_real.front_realloc(block, bytes);
    return resize(block, bytes, FRAME);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    if (!ht_ready()) return (*out = ht_boot_take(size, alignment)) == NULL ? 12 /* ENOMEM */ : 0;
    int status = ht_real.posix_memalign(out, alignment, size);
    if (status == 0) made(*out, size, alignment, FRAME);
    return status;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    if (!ht_ready()) return ht_boot_take(size, alignment);
    return made(ht_real.aligned_alloc(alignment, size), size, alignment, FRAME);
}

EXPORT void *memalign(size_t alignment, size_t size) {
    if (!ht_ready()) return ht_boot_take(size, alignment);
    return made(ht_real.memalign(alignment, size), size, alignment, FRAME);
}

EXPORT void *valloc(size_t size) {
    if (!ht_ready()) return ht_boot_take(size, 4096);
    return made(ht_real.valloc(size), size, (size_t)sysconf(_SC_PAGESIZE), FRAME);
}

EXPORT void *pvalloc(size_t size) {
    if (!ht_ready()) return ht_boot_take((size + 4095) & ~(size_t)4095, 4096);
    return made(ht_real.pvalloc(size), size, (size_t)sysconf(_SC_PAGESIZE), FRAME);
}
