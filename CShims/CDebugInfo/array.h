// Arrays that grow by need.
#pragma once

#include <stddef.h>
#include <stdlib.h>

// The array with room for one item behind its `count`: as it is where `*capacity` allows, else twice as large (`least`
// items at first), which may have moved it. NULL, and nothing changed, where there is no memory. Amortised O(1) an
// item.
static inline void *ht_array_room(void *items, size_t count, size_t *capacity, size_t least, size_t item_bytes) {
    if (count < *capacity) return items;
    size_t wider = *capacity == 0 ? least : *capacity * 2;
    void *grown = realloc(items, wider * item_bytes);
    if (grown != NULL) *capacity = wider;
    return grown;
}
