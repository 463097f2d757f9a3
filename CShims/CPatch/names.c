// The table of names, filled once from families.h.
#include "names.h"

#include "families.h"

#include <CPatch.h>
#include <pthread.h>
#include <string.h>

enum { SLOTS = 2048 };

static ht_patch_name slots[SLOTS];
static pthread_once_t filled = PTHREAD_ONCE_INIT;

enum { HASH_START = 5381 };

static uint32_t hash_on(uint32_t hash, const char *text, size_t count) {
    for (size_t i = 0; i < count; i++) hash = hash * 33 ^ (uint8_t)text[i];
    return hash;
}

// First two characters of all names, a bit each: most symbols are turned away by one look.
static uint32_t beginnings[256][8];

static uint32_t slot_of(uint32_t hash) { return (hash ^ hash >> 15) % SLOTS; }

static void add(ht_patch_name name) {
    uint32_t hash = hash_on(HASH_START, name.prefix, strlen(name.prefix));
    uint32_t slot = slot_of(hash_on(hash, name.base, strlen(name.base)));
    while (slots[slot].base != NULL) slot = (slot + 1) % SLOTS;
    slots[slot] = name;
    const char *whole = name.prefix[0] != 0 ? name.prefix : name.base;
    uint8_t first = (uint8_t)whole[0], second = (uint8_t)whole[1];
    beginnings[first][second / 32] |= 1u << second % 32;
}

static void fill(void) {
    uint32_t family = 0;
#define ADD(text, function) \
    add((ht_patch_name){    \
        .prefix = prefix, .base = text, .allocator = allocator, .kind = HT_PATCH_##function, .family = family});
#define ADD_FAMILY(prefix_text, entries, allocator_name)               \
    {                                                                  \
        const char *prefix = prefix_text, *allocator = allocator_name; \
        entries(ADD) family++;                                         \
    }
    HT_FAMILIES(ADD_FAMILY)
#undef ADD_FAMILY
#undef ADD
}

bool ht_patch_name_may_be(const char *text) {
    pthread_once(&filled, fill);
    uint8_t first = (uint8_t)text[0], second = (uint8_t)text[1];
    if ((beginnings[first][second / 32] >> second % 32 & 1) == 0) return false;
    // C++: operator new and delete, not the tens of thousands of others.
    return first != '_' || second != 'Z' || text[2] == 'n' || text[2] == 'd';
}

const ht_patch_name *ht_patch_name_find(const char *text, size_t count) {
    pthread_once(&filled, fill);
    for (uint32_t slot = slot_of(hash_on(HASH_START, text, count)); slots[slot].base != NULL;
         slot = (slot + 1) % SLOTS) {
        size_t prefix = strlen(slots[slot].prefix), base = strlen(slots[slot].base);
        if (prefix + base == count && memcmp(text, slots[slot].prefix, prefix) == 0 &&
            memcmp(text + prefix, slots[slot].base, base) == 0)
            return &slots[slot];
    }
    return NULL;
}

bool ht_patch_name_is_first(const ht_patch_name *name) {
    static const char *const first[] = {"malloc", "mallocx", "malloc_aligned", "rust_alloc", "zalloc"};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        if (strcmp(name->base, first[i]) == 0) return true;
    }
    return false;
}

bool ht_patch_name_is_operator(const ht_patch_name *name) { return strncmp(name->base, "_Z", 2) == 0; }

uint32_t ht_patch_kind_of(const char *text) {
    const ht_patch_name *name = ht_patch_name_find(text, strlen(text));
    return name == NULL ? HT_PATCH_KIND_COUNT : name->kind;
}
