// Sorting by address: tables of symbols, ranges and relocations have tens of thousands of entries, mostly in order
// already, and are sorted each time a file is opened. By bytes of the address where they are not; the comparison
// decides among equal ones alone.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 64, KEYS = 256 };

static uint64_t key_of(const char *item) {
    uint64_t key;
    memcpy(&key, item, sizeof key);
    return key;
}

static bool is_sorted(const char *items, size_t count, size_t size, ht_compare *compare) {
    for (size_t i = 1; i < count; i++)
        if (compare(items + (i - 1) * size, items + i * size) > 0) return false;
    return true;
}

// A stable pass over one byte of the keys.
static void pass(const char *from, char *to, size_t count, size_t size, unsigned shift) {
    size_t places[KEYS] = {0};
    for (size_t i = 0; i < count; i++) places[key_of(from + i * size) >> shift & (KEYS - 1)]++;
    for (size_t key = 0, sum = 0; key < KEYS; key++) {
        size_t held = places[key];
        places[key] = sum;
        sum += held;
    }
    for (size_t i = 0; i < count; i++) {
        size_t place = places[key_of(from + i * size) >> shift & (KEYS - 1)]++;
        memcpy(to + place * size, from + i * size, size);
    }
}

void ht_sort_by_address(void *items, size_t count, size_t size, ht_compare *compare) {
    char *from = items;
    if (count < 2 || is_sorted(from, count, size, compare)) return;
    char *to = count < FEW ? NULL : calloc(count, size);
    if (to == NULL) {
        qsort(items, count, size, compare);
        return;
    }
    char *scratch = to;
    uint64_t differing = 0;
    for (size_t i = 1; i < count; i++) differing |= key_of(from) ^ key_of(from + i * size);
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((differing >> shift & (KEYS - 1)) == 0) continue;
        pass(from, to, count, size, shift);
        char *other = from;
        from = to;
        to = other;
    }
    if (from != items) memcpy(items, from, count * size);
    free(scratch);
    from = items;
    for (size_t start = 0, end; start < count; start = end) {
        for (end = start + 1; end < count && key_of(from + end * size) == key_of(from + start * size); end++) {
        }
        if (end - start > 1) qsort(from + start * size, end - start, size, compare);
    }
}
