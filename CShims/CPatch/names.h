// The names of allocation functions, as a hash table: an executable may have a hundred thousand symbols to compare.
#pragma once

#include <heaptrail_patch.h>

#include <stdbool.h>
#include <stddef.h>

// A known name.
typedef struct ht_patch_name {
    const char *prefix, *base;
    const char *allocator;  // NULL where the name alone does not tell
    uint32_t kind;          // ht_patch_kind
    uint32_t family;        // index among HT_FAMILIES
} ht_patch_name;

enum { HT_PATCH_FAMILY_MAX = 32 };

// Whether any known name begins as `text` does. A look at three characters.
bool ht_patch_name_may_be(const char *text);
// The entry for a name of `count` characters, NULL when it is none. Thread-safe.
const ht_patch_name *ht_patch_name_find(const char *text, size_t count);
// Whether the function is one whose presence says that the family is an allocator, not a helper over libc's.
bool ht_patch_name_is_first(const ht_patch_name *name);
// Whether the family is that of C++'s operators, which counts only beside another.
bool ht_patch_name_is_operator(const ht_patch_name *name);
