// A table of address ranges: added in any order, sorted once, searched by address.
//
// Ranges may overlap (nested functions, discarded sections, damaged files): the search goes backwards from the last
// range that starts at or below the address and stops where no earlier range reaches it, after a bounded number of
// steps.
#include "array.h"
#include "internal.h"

#include <stdlib.h>

enum { MAX_BACKWARD_STEPS = 4096 };

bool ht_ranges_add(ht_ranges *ranges, uint64_t low, uint64_t high, uint64_t index) {
    ht_range *items = ht_array_room(ranges->items, ranges->count, &ranges->capacity, 64, sizeof *items);
    if (items == NULL) return false;
    ranges->items = items;
    ranges->items[ranges->count++] = (ht_range){.low = low, .high = high, .reach = high, .index = index};
    return true;
}

// By start; at one start the wider range first, so that the innermost comes last; then by index, to be deterministic.
static int compare_ranges(const void *left, const void *right) {
    const ht_range *a = left, *b = right;
    if (a->low != b->low) return a->low < b->low ? -1 : 1;
    if (a->high != b->high) return a->high > b->high ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

void ht_ranges_finish(ht_ranges *ranges) {
    if (ranges->count == 0) return;
    ht_sort_by_address(ranges->items, ranges->count, sizeof *ranges->items, compare_ranges);
    uint64_t reach = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        if (ranges->items[i].high > reach) reach = ranges->items[i].high;
        ranges->items[i].reach = reach;
    }
}

size_t ht_ranges_find(const ht_ranges *ranges, uint64_t address, size_t from) {
    size_t end = from;
    if (from == SIZE_MAX) {
        size_t low = 0, high = ranges->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (ranges->items[middle].low <= address) low = middle + 1;
            else high = middle;
        }
        end = low;
    } else if (end < ranges->count) {
        end++;
    }
    for (size_t steps = 0; end > 0 && steps < MAX_BACKWARD_STEPS; end--, steps++) {
        const ht_range *range = &ranges->items[end - 1];
        if (range->reach <= address) break;
        if (range->high > address) return end - 1;
    }
    return SIZE_MAX;
}

void ht_ranges_free(ht_ranges *ranges) {
    free(ranges->items);
    *ranges = (ht_ranges){0};
}
