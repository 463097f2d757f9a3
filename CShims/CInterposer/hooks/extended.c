// jemalloc's extended interface, for programs that link it dynamically. Without jemalloc behind us (a program that only
// looks whether the names exist) the calls are served by the plain functions.
#include "event.h"

#include "real.h"

#include <string.h>
#include <system.h>

#define EXPORT __attribute__((visibility("default")))
#define FRAME __builtin_frame_address(0)

enum { FLAG_ALIGN_MASK = 63, FLAG_ZERO = 64 };

static size_t alignment_of(int flags) { return (size_t)1 << (flags & FLAG_ALIGN_MASK); }

static void *plain(size_t size, int flags) {
    void *block = NULL;
    size_t alignment = alignment_of(flags);
    if (alignment <= 16) block = ht_real.malloc(size);
    else if (ht_real.posix_memalign(&block, alignment, size) != 0) block = NULL;
    if (block != NULL && (flags & FLAG_ZERO)) memset(block, 0, size);
    return block;
}

EXPORT void *mallocx(size_t size, int flags);
EXPORT void *rallocx(void *block, size_t size, int flags);
EXPORT size_t xallocx(void *block, size_t size, size_t extra, int flags);
EXPORT void sdallocx(void *block, size_t size, int flags);
EXPORT void dallocx(void *block, int flags);

EXPORT void *mallocx(size_t size, int flags) {
    if (!ht_ready()) return NULL;
    void *block = ht_real.mallocx != NULL ? ht_real.mallocx(size, flags) : plain(size, flags);
    if (block != NULL && ht_recording()) ht_allocated(block, size, ht_alignment_code(alignment_of(flags)), FRAME, NULL);
    return block;
}

EXPORT void *rallocx(void *block, size_t size, int flags) {
    if (!ht_ready()) return NULL;
    uint64_t before = ht_resizing(block);
    void *moved = ht_real.rallocx != NULL ? ht_real.rallocx(block, size, flags) : ht_real.realloc(block, size);
    if (moved == NULL) ht_resize_failed(block, before);
    else if (ht_recording()) ht_resized(block, before, moved, size, ht_alignment_code(alignment_of(flags)), FRAME);
    return moved;
}

EXPORT size_t xallocx(void *block, size_t size, size_t extra, int flags) {
    if (!ht_ready()) return 0;
    size_t old = ht_real_usable_size(block);
    if (ht_real.xallocx == NULL) return old;
    uint64_t before = ht_resizing(block);
    size_t now = ht_real.xallocx(block, size, extra, flags);
    if (now == old) ht_resize_failed(block, before);
    else if (ht_recording()) ht_resized(block, before, block, size, ht_alignment_code(alignment_of(flags)), FRAME);
    return now;
}

// jemalloc's operator delete with size and alignment calls sdallocx: that free is recorded.
static void release(void *block) {
    if (block == NULL || !ht_recording()) return;
    if (ht_self.deleting == block) ht_self.deleting = NULL;
    else ht_freeing(block);
}

EXPORT void sdallocx(void *block, size_t size, int flags) {
    if (!ht_ready()) return;
    release(block);
    if (ht_real.sdallocx != NULL) ht_real.sdallocx(block, size, flags);
    else ht_real.free(block);
}

EXPORT void dallocx(void *block, int flags) {
    if (!ht_ready()) return;
    release(block);
    if (ht_real.dallocx != NULL) ht_real.dallocx(block, flags);
    else ht_real.free(block);
}
