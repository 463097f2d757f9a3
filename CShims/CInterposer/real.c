// Looking up the real functions. Runs on the first thread before main, inside the first hooked call (the loader's own,
// usually). dlsym may allocate; such calls come back through the hooks while ht_boot_state is RUNNING and are served
// from the boot arena.
#include "real.h"

#include "life.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

ht_real_functions ht_real;
int ht_boot_state;

char ht_boot_arena[HT_BOOT_ARENA_BYTES] __attribute__((aligned(64)));
static size_t arena_used;

void *ht_boot_take(size_t count, size_t alignment) {
    if (alignment < 16) alignment = 16;
    size_t start = (arena_used + alignment - 1) & ~(alignment - 1);
    if (count > HT_BOOT_ARENA_BYTES || start > HT_BOOT_ARENA_BYTES - count) return NULL;
    arena_used = start + (count == 0 ? 16 : count);
    return ht_boot_arena + start;
}

size_t ht_boot_span(const void *block) { return (size_t)(ht_boot_arena + HT_BOOT_ARENA_BYTES - (const char *)block); }

// The hash of a name in a module's DT_GNU_HASH.
static uint32_t gnu_hash(const char *name) {
    uint32_t hash = 5381;
    for (; *name != 0; name++) hash = hash * 33 + (uint8_t)*name;
    return hash;
}

// Whether a module defines the name, or cannot be asked; `*address` is then 0.
static bool defines(const struct link_map *module, const char *name, uint32_t hash, uintptr_t *address) {
    *address = 0;
    const uint32_t *table = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *texts = NULL;
    const uint16_t *versions = NULL;
    for (const ElfW(Dyn) *entry = module->l_ld; entry != NULL && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_GNU_HASH) table = (const uint32_t *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_SYMTAB) symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_VERSYM) versions = (const uint16_t *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_STRTAB) texts = (const char *)entry->d_un.d_ptr;
    }
    if (table == NULL || symbols == NULL || texts == NULL) return true;
    uint32_t buckets = table[0], first = table[1], words = table[2];
    const uint64_t *bloom = (const uint64_t *)(const void *)(table + 4);
    const uint32_t *bucket = (const uint32_t *)(const void *)(bloom + words), *chain = bucket + buckets;
    if (buckets == 0 || words == 0) return false;
    uint64_t word = bloom[hash / 64 % words];
    if ((word >> (hash & 63) & word >> (hash >> table[3] & 63) & 1) == 0) return false;
    uint32_t index = bucket[hash % buckets];
    if (index < first) return false;
    for (;; index++) {
        uint32_t other = chain[index - first];
        // Only old programs, linked against an earlier version, find a hidden one (cfree).
        bool hidden = versions != NULL && (versions[index] & 0x8000) != 0;
        if ((other | 1) == (hash | 1) && !hidden && symbols[index].st_shndx != SHN_UNDEF &&
            strcmp(texts + symbols[index].st_name, name) == 0) {
            *address = module->l_addr + symbols[index].st_value;
            return true;
        }
        if (other & 1) return false;
    }
}

bool ht_module_may_define(const struct link_map *module, const char *name) {
    uintptr_t address;
    return defines(module, name, gnu_hash(name), &address);
}

void *ht_module_symbol(const struct link_map *module, const char *name) {
    uintptr_t address;
    return defines(module, name, gnu_hash(name), &address) ? (void *)address : NULL;
}

// dlsym(RTLD_NEXT), for names that are there: one that is not would leave the program an error to be found by dlerror,
// in memory that the next call of dlsym gives to the program's own free.
static void *next(const char *name) {
    struct dl_find_object ours;
    if (_dl_find_object(ht_boot_arena, &ours) != 0) return dlsym(RTLD_NEXT, name);
    for (const struct link_map *module = ours.dlfo_link_map->l_next; module != NULL; module = module->l_next) {
        // The kernel's own library has none of these, and its addresses are not relocated.
        if (strncmp(module->l_name, "linux-vdso", 10) == 0 || strncmp(module->l_name, "linux-gate", 10) == 0) continue;
        if (ht_module_may_define(module, name)) return dlsym(RTLD_NEXT, name);
    }
    return NULL;
}

// What a name means to the program, unless that is ours.
static void *in_front(const char *name) {
    struct dl_find_object ours, its;
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL || _dl_find_object(ht_boot_arena, &ours) != 0 || _dl_find_object(found, &its) != 0) return NULL;
    return its.dlfo_link_map == ours.dlfo_link_map || found == next(name) ? NULL : found;
}

void *ht_real_defined(const char *name) {
    struct dl_find_object ours;
    if (_dl_find_object(ht_boot_arena, &ours) != 0) return NULL;
    uint32_t hash = gnu_hash(name);
    struct link_map *module = ours.dlfo_link_map;
    while (module->l_prev != NULL) module = module->l_prev;
    for (; module != NULL; module = module->l_next) {
        uintptr_t address;
        if (module == ours.dlfo_link_map || strncmp(module->l_name, "linux-vdso", 10) == 0 ||
            strncmp(module->l_name, "linux-gate", 10) == 0)
            continue;
        if (defines(module, name, hash, &address) && address != 0) return (void *)address;
    }
    return NULL;
}

bool ht_boot(void) {
    if (ht_boot_state != HT_BOOT_UNBORN) return ht_boot_state == HT_BOOT_DONE;
    ht_boot_state = HT_BOOT_RUNNING;
    int saved = errno;
#define HT_LOOK_UP(type, name, parameters) *(void **)(void *)&ht_real.name = next(#name);
    HT_HOOKED(HT_LOOK_UP)
#undef HT_LOOK_UP
    *(void **)(void *)&ht_real.malloc_usable_size = next("malloc_usable_size");
    *(void **)(void *)&ht_real.front_realloc = in_front("realloc");
    *(void **)(void *)&ht_real.front_free = in_front("free");
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
