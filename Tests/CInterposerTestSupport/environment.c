// Drives the composing and cleaning of environments on arrays of their own.
#include <CInterposerTestSupport.h>

#include "environment.h"
#include "life.h"

#include <stdlib.h>
#include <string.h>

// The entries of NUL-terminated texts as an array in one allocation of its own, so that whatever is written is ours.
// The caller frees [0] and the array.
static char **split(const char *text, size_t count, char **storage) {
    size_t entries = 0;
    for (size_t i = 0; i < count; i++) entries += text[i] == 0;
    char **array = calloc(entries + 1, sizeof *array);
    *storage = malloc(count + 1);
    if (array == NULL || *storage == NULL) abort();
    memcpy(*storage, text, count);
    char *at = *storage;
    for (size_t i = 0; i < entries; i++) {
        array[i] = at;
        at += strlen(at) + 1;
    }
    return array;
}

static size_t join(char *const *array, char *out, size_t capacity) {
    size_t used = 0;
    for (; *array != NULL; array++) {
        size_t length = strlen(*array) + 1;
        if (used + length > capacity) abort();
        memcpy(out + used, *array, length);
        used += length;
    }
    return used;
}

size_t ht_test_environment_clean(const char *text, size_t count, const char *allocator, char *out) {
    char *storage;
    char **array = split(text, count, &storage);
    ht_environment_clean(array, allocator);
    size_t used = join(array, out, count);
    free(storage);
    free(array);
    return used;
}

ht_test_filled ht_test_environment_fill(const char *text, size_t count, const char *library, const char *allocator,
                                        bool child, char *out, size_t capacity) {
    enum { GUARD = 64, MARK = 0x5a };
    char *storage;
    char **array = split(text, count, &storage);
    ht_region *region = calloc(1, sizeof *region);
    region->collector_pid = UINT32_MAX;
    region->collector_fd = UINT32_MAX;
    region->root_fd = UINT32_MAX - 1;
    strncpy(region->allocator_path, allocator, sizeof region->allocator_path - 1);
    ht_region *shared = ht_region_shared;
    const char *library_before = ht_environment_library();
    ht_region_shared = region;
    ht_environment_set_library(library);

    ht_environment_size size = ht_environment_measure(array);
    char *bytes = malloc(size.bytes + GUARD);
    char **pointers = malloc((size.pointers + GUARD) * sizeof *pointers);
    if (bytes == NULL || pointers == NULL) abort();
    memset(bytes, MARK, size.bytes + GUARD);
    memset(pointers, MARK, (size.pointers + GUARD) * sizeof *pointers);
    ht_environment_fill(array, child ? HT_ROLE_CHILD : HT_ROLE_IMAGE, pointers, bytes);
    ht_test_filled filled = {.pointers_measured = size.pointers, .bytes_measured = size.bytes};
    for (size_t i = 0; i < GUARD; i++) filled.overrun |= bytes[size.bytes + i] != MARK;
    const char *marks = (const char *)(pointers + size.pointers);
    for (size_t i = 0; i < GUARD * sizeof *pointers; i++) filled.overrun |= marks[i] != MARK;
    while (pointers[filled.pointers_used++] != NULL) {
    }
    const char *last = pointers[filled.pointers_used - 2];
    filled.bytes_used = (size_t)(last + strlen(last) + 1 - bytes);
    filled.count = join(pointers, out, capacity);

    ht_region_shared = shared;
    ht_environment_set_library(library_before);
    free(pointers);
    free(bytes);
    free(region);
    free(storage);
    free(array);
    return filled;
}
