// A plugin for loading.c. The build may set:
//   TLS_BYTES  thread-local memory of that size, initialised      CONSTRUCTED  a block of 22003 for as long as it is
//   loaded OWN_MALLOC an allocator of its own                             NEEDED  a library that only its own RPATH
//   finds
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#ifdef OWN_MALLOC
static char memory[1 << 20];
static size_t used;
void *malloc(size_t size) {
    used += (size + 15) & ~(size_t)15;
    return memory + used;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *block, size_t size) {
    void *moved = malloc(size);
    if (block) memmove(moved, block, size);
    return moved;
}
#else
#include <stdlib.h>
#endif

#ifdef TLS_BYTES
static __thread char local[TLS_BYTES] = {1};
#endif

#ifdef CONSTRUCTED
static void *kept;
__attribute__((constructor)) static void construct(void) { kept = memset(malloc(22003), 1, 22003); }
__attribute__((destructor)) static void destruct(void) { free(kept); }
#endif

void *plugin_make(void) {
#ifdef TLS_BYTES
    if (++local[0] != 2) local[0] = 1;
#endif
#ifdef NEEDED
    void *needed = dlopen(NEEDED, RTLD_NOW);
    if (needed == NULL) return NULL;
    dlclose(needed);
#endif
    return memset(malloc(22013), 1, 22013);
}

void plugin_release(void *block) { free(block); }
