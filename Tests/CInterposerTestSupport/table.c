// Drives the table of stacks.
#include <CInterposerTestSupport.h>

#include "table.h"

#include <pthread.h>
#include <stdlib.h>

struct ht_test_table {
    ht_table table;
};

ht_test_table *ht_test_table_make(uint32_t first_lines) {
    ht_test_table *made = calloc(1, sizeof *made);
    if (made == NULL) abort();
    made->table.first_lines = first_lines;
    return made;
}

void ht_test_table_reset(ht_test_table *table) { ht_table_reset(&table->table); }

void ht_test_table_free(ht_test_table *table) {
    ht_table_reset(&table->table);
    free(table);
}

uint32_t ht_test_table_find(ht_test_table *table, uint64_t hash) { return ht_table_find(&table->table, hash); }
bool ht_test_table_insert(ht_test_table *table, uint64_t hash, uint32_t id) {
    return ht_table_insert(&table->table, hash, id);
}

uint32_t ht_test_table_levels(ht_test_table *table) {
    uint32_t count = 0;
    for (ht_table_level *level = atomic_load(&table->table.newest); level != NULL; level = level->older) count++;
    return count;
}

bool ht_test_table_newest_holds(ht_test_table *table, uint64_t hash) {
    ht_table_level *newest = atomic_load(&table->table.newest);
    if (newest == NULL) return false;
    // The same level without the ones behind it.
    ht_table_level *older = newest->older;
    newest->older = NULL;
    uint32_t id = ht_table_find(&table->table, hash);
    newest->older = older;
    return id != 0;
}

uint64_t ht_test_hash(uint64_t number) {
    number += 0x9e3779b97f4a7c15ull;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ull;
    number = (number ^ number >> 27) * 0x94d049bb133111ebull;
    return number ^ number >> 31;
}

typedef struct contest {
    ht_test_table *table;
    uint32_t keys;
    _Atomic uint32_t next;
    _Atomic uint64_t wrong;
} contest;

static void *contend(void *context) {
    contest *c = context;
    uint32_t name = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < c->keys; i++) {
        // Odd multipliers permute a power of two of keys: neighbours in time share keys, whole orders differ.
        uint32_t key = 1 + (uint32_t)(((uint64_t)i * (2 * (name % 3) + 1)) % c->keys);
        uint32_t id = ht_table_find(&c->table->table, ht_test_hash(key));
        if (id == 0) ht_table_insert(&c->table->table, ht_test_hash(key), key);
        else if (id != key) atomic_fetch_add_explicit(&c->wrong, 1, memory_order_relaxed);
    }
    return NULL;
}

ht_test_table_counts ht_test_table_contend(ht_test_table *table, uint32_t threads, uint32_t keys) {
    contest c = {.table = table, .keys = keys};
    pthread_t ids[64];
    for (uint32_t i = 0; i < threads && i < 64; i++) {
        if (pthread_create(&ids[i], NULL, contend, &c) != 0) abort();
    }
    for (uint32_t i = 0; i < threads && i < 64; i++) pthread_join(ids[i], NULL);
    ht_test_table_counts counts = {.wrong = c.wrong};
    for (uint32_t key = 1; key <= keys; key++) {
        uint32_t id = ht_table_find(&table->table, ht_test_hash(key));
        if (id == key) counts.found++;
        else if (id == 0) counts.missing++;
        else counts.wrong++;
    }
    return counts;
}
