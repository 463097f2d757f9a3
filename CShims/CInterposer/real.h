// The functions behind the hooks: whatever the program would have reached without us, looked up once by
// dlsym(RTLD_NEXT), and the small arena that serves allocations made while they are being looked up.
#pragma once

#include "hooked.h"

#include <stdbool.h>
#include <stdint.h>

#define HT_FIELD(type, name, parameters) type(*name) parameters;
typedef struct ht_real_functions {
    HT_HOOKED(HT_FIELD)
    size_t (*malloc_usable_size)(void *);
    // Where something in front of us (the executable, an earlier preload) defines these names: what the program's other
    // calls reach. libc's functions that we stand for (reallocarray, cfree) call them by name. NULL: nothing does.
    void *(*front_realloc)(void *, size_t);
    void (*front_free)(void *);
} ht_real_functions;
#undef HT_FIELD

extern ht_real_functions ht_real __attribute__((visibility("hidden")));

enum ht_boot_state { HT_BOOT_UNBORN = 0, HT_BOOT_RUNNING = 1, HT_BOOT_DONE = 2 };
extern int ht_boot_state __attribute__((visibility("hidden")));

// Looks everything up and starts recording, on the first call of all. False while that is under way: the caller is
// nested in it and must use the boot arena.
bool ht_boot(void) __attribute__((cold, visibility("hidden")));

static inline bool ht_ready(void) { return __builtin_expect(ht_boot_state == HT_BOOT_DONE, 1) || ht_boot(); }

// The boot arena: 64 KiB, bumped, zeroed, never given back. NULL when it is spent.
void *ht_boot_take(size_t count, size_t alignment);
enum { HT_BOOT_ARENA_BYTES = 64 << 10 };
extern char ht_boot_arena[HT_BOOT_ARENA_BYTES] __attribute__((visibility("hidden")));
static inline bool ht_boot_owns(const void *block) {
    return __builtin_expect((uintptr_t)block - (uintptr_t)ht_boot_arena < HT_BOOT_ARENA_BYTES, 0);
}
// Bytes that may be copied out of a boot block: up to the arena's end.
size_t ht_boot_span(const void *block);

// The hooks of names that are redirected in a process attached to, by names of their own: the plain ones may be libc's.
extern int ht_hook_dlclose(void *handle) __attribute__((visibility("hidden")));
extern pid_t ht_hook_fork(void) __attribute__((visibility("hidden")));

// The first definition among the loaded modules, in the loader's order, ours left out: what the program's name leads
// to. (dlsym may return an executable's jump to it instead, where that takes the function's address.) NULL for none.
void *ht_real_defined(const char *name);

// What the real allocator gives for a block; 0 when it cannot be asked.
size_t ht_real_usable_size(const void *block);
// A real function that was not there at the start (a C program that loads a C++ plugin): looked up in libstdc++ when it
// is loaded by now, else NULL.
void *ht_real_late(const char *name) __attribute__((cold));

struct link_map;
// Where a module defines the name; NULL when it does not, or cannot be asked.
void *ht_module_symbol(const struct link_map *module, const char *name);
// Whether a module defines the name for others to find, or cannot be asked.
bool ht_module_may_define(const struct link_map *module, const char *name);
