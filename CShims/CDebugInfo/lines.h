// What line_header.c and lines.c share: reading numbers and texts of a section that may end anywhere.
#pragma once

#include "internal.h"

#include <string.h>

// What is being read, and where it ends. `failed` once something did not fit.
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
} ht_reader;

static inline uint64_t ht_read_number(ht_reader *reader, size_t bytes) {
    if (bytes > sizeof(uint64_t) || bytes > (size_t)(reader->end - reader->at)) {
        reader->failed = true;
        reader->at = reader->end;
        return 0;
    }
    uint64_t value = ht_number(reader->at, bytes);
    reader->at += bytes;
    return value;
}

static inline uint64_t ht_read_leb128(ht_reader *reader) {
    uint64_t value = 0;
    if (!ht_leb128(&reader->at, reader->end, &value)) reader->failed = true;
    return value;
}

static inline const char *ht_read_text(ht_reader *reader) {
    const uint8_t *zero = memchr(reader->at, 0, (size_t)(reader->end - reader->at));
    const char *result = (const char *)reader->at;
    if (zero == NULL) {
        reader->failed = true;
        reader->at = reader->end;
        return "";
    }
    reader->at = zero + 1;
    return result;
}

/// Reads the header of a unit's line table, once: its files, and where the program starts.
void ht_lines_load(ht_debug_module *module, ht_unit *unit);
