// A growing set of 64-bit hashes, each with an id of 28 bits, shared by all threads without a lock: call stacks, and
// sizes whose usable size is known.
//
// A slot is one word: 36 bits of the hash beside the id; the line it lies in gives the hash's low bits, so two keys are
// confused only when 36 + log2(lines) bits agree (for a million stacks: below one in 30,000 that any two are). Lines of
// 8 slots fill a cache line; a probe looks at up to four. When a table is 5/8 full one thread makes the next, twice as
// large, in front; older ones stay readable and their entries move forward as they are used. An insert that loses a
// race or finds no slot is dropped: the id is then defined once more later, which costs words, not correctness.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ht_table_level {
    struct ht_table_level *older;
    uint64_t line_mask;
    _Atomic uint32_t filled;
    _Atomic uint64_t slots[];
} ht_table_level;

typedef struct ht_table {
    _Atomic(ht_table_level *) newest;
    _Atomic uint32_t growing;
    uint32_t first_lines;  // power of two
} ht_table;

enum { HT_TABLE_ID_BITS = 28, HT_TABLE_LINE = 8, HT_TABLE_PROBES = 4 };

// The id stored for `hash`, or 0. One cache line in the common case.
uint32_t ht_table_find(ht_table *table, uint64_t hash);
// Stores id for hash. False when it was not stored.
bool ht_table_insert(ht_table *table, uint64_t hash, uint32_t id);
// Forgets everything, for a followed child. The old levels' pages are given back.
void ht_table_reset(ht_table *table);
