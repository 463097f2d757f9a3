// Looking up the real functions. Runs on the first thread before main, inside the first hooked call (the loader's own,
// usually). dlsym may allocate; such calls come back through the hooks while ht_boot_state is RUNNING and are served
// from the boot arena.
#include "real.h"

#include "life.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>

enum { ARENA_BYTES = 64 << 10 };

ht_real_functions ht_real;
int ht_boot_state;

static char arena[ARENA_BYTES] __attribute__((aligned(64)));
static size_t arena_used;

void *ht_boot_take(size_t count, size_t alignment) {
    if (alignment < 16) alignment = 16;
    size_t start = (arena_used + alignment - 1) & ~(alignment - 1);
    if (count > ARENA_BYTES || start > ARENA_BYTES - count) return NULL;
    arena_used = start + (count == 0 ? 16 : count);
    return arena + start;
}

bool ht_boot_owns(const void *block) { return (uintptr_t)block - (uintptr_t)arena < ARENA_BYTES; }

size_t ht_boot_span(const void *block) { return (size_t)(arena + ARENA_BYTES - (const char *)block); }

bool ht_boot(void) {
    if (ht_boot_state != HT_BOOT_UNBORN) return ht_boot_state == HT_BOOT_DONE;
    ht_boot_state = HT_BOOT_RUNNING;
    int saved = errno;
#define HT_LOOK_UP(type, name, parameters) *(void **)(void *)&ht_real.name = dlsym(RTLD_NEXT, #name);
    HT_HOOKED(HT_LOOK_UP)
#undef HT_LOOK_UP
    *(void **)(void *)&ht_real.malloc_usable_size = dlsym(RTLD_NEXT, "malloc_usable_size");
    if (ht_real.cfree == NULL) ht_real.cfree = ht_real.free;
    // tcmalloc allocates when it is first asked for a size. The asking is ours, so the block is not the program's: it
    // comes from the boot arena, unrecorded.
    ht_real_usable_size(NULL);
    ht_life_start();
    ht_boot_state = HT_BOOT_DONE;
    errno = saved;
    return true;
}

size_t ht_real_usable_size(const void *block) {
    return ht_real.malloc_usable_size == NULL ? 0 : ht_real.malloc_usable_size((void *)(uintptr_t)block);
}

void *ht_real_late(const char *name) {
    void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) library = dlopen("libc++.so.1", RTLD_LAZY | RTLD_NOLOAD);
    return library == NULL ? NULL : dlsym(library, name);
}
