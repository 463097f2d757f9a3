// The table of table.h. Runs inside hooks; memory comes as anonymous pages; no lock, no unbounded loop.
#include "table.h"

#include <system.h>

static const uint64_t id_mask = (1ull << HT_TABLE_ID_BITS) - 1;

static size_t level_bytes(uint64_t lines) { return sizeof(ht_table_level) + 64 + lines * HT_TABLE_LINE * 8; }

// Slots start at a cache line.
static _Atomic uint64_t *slots_of(ht_table_level *level) {
    return (_Atomic uint64_t *)(((uintptr_t)level->slots + 63) & ~(uintptr_t)63);
}

static ht_table_level *new_level(uint64_t lines, ht_table_level *older) {
    ht_table_level *level = ht_map_pages(level_bytes(lines));
    if (level == NULL) return NULL;
    level->older = older;
    level->line_mask = lines - 1;
    return level;
}

// Where a line is looked at first is in the hash, too: most probes look at one slot.
static inline uint64_t slot_of(uint64_t hash, uint64_t i) { return ((hash >> HT_TABLE_ID_BITS) + i) % HT_TABLE_LINE; }

static uint32_t find_in(ht_table_level *level, uint64_t hash) {
    uint64_t tag = hash & ~id_mask;
    _Atomic uint64_t *slots = slots_of(level);
    for (uint64_t probe = 0; probe < HT_TABLE_PROBES; probe++) {
        _Atomic uint64_t *line = slots + ((hash + probe) & level->line_mask) * HT_TABLE_LINE;
        for (uint64_t i = 0; i < HT_TABLE_LINE; i++) {
            uint64_t slot = atomic_load_explicit(&line[slot_of(hash, i)], memory_order_acquire);
            if ((slot & ~id_mask) == tag && (slot & id_mask) != 0) return (uint32_t)(slot & id_mask);
            if (slot == 0) return 0;
        }
    }
    return 0;
}

static bool insert_in(ht_table_level *level, uint64_t hash, uint32_t id) {
    uint64_t word = (hash & ~id_mask) | id;
    _Atomic uint64_t *slots = slots_of(level);
    for (uint64_t probe = 0; probe < HT_TABLE_PROBES; probe++) {
        _Atomic uint64_t *line = slots + ((hash + probe) & level->line_mask) * HT_TABLE_LINE;
        for (uint64_t i = 0; i < HT_TABLE_LINE; i++) {
            _Atomic uint64_t *slot = &line[slot_of(hash, i)];
            uint64_t empty = 0;
            // Release: what the id stands for was published before; acquire in find_in pairs with it.
            if (atomic_load_explicit(slot, memory_order_relaxed) == 0 &&
                atomic_compare_exchange_strong_explicit(slot, &empty, word, memory_order_release,
                                                        memory_order_relaxed)) {
                atomic_fetch_add_explicit(&level->filled, 1, memory_order_relaxed);
                return true;
            }
        }
    }
    return false;
}

uint32_t ht_table_find(ht_table *table, uint64_t hash) {
    ht_table_level *newest = atomic_load_explicit(&table->newest, memory_order_acquire);
    for (ht_table_level *level = newest; level != NULL; level = level->older) {
        uint32_t id = find_in(level, hash);
        if (id == 0) continue;
        if (level != newest) insert_in(newest, hash, id);
        return id;
    }
    return 0;
}

// Acquire and release on `growing` order the new level's making; whoever comes second goes on with the old one.
static ht_table_level *grow(ht_table *table, ht_table_level *newest) {
    if (atomic_exchange_explicit(&table->growing, 1, memory_order_acquire) != 0) return newest;
    ht_table_level *current = atomic_load_explicit(&table->newest, memory_order_relaxed);
    if (current == newest) {
        ht_table_level *made = new_level(current == NULL ? table->first_lines : (current->line_mask + 1) * 2, current);
        if (made != NULL) {
            atomic_store_explicit(&table->newest, made, memory_order_release);
            current = made;
        }
    }
    atomic_store_explicit(&table->growing, 0, memory_order_release);
    return current;
}

bool ht_table_insert(ht_table *table, uint64_t hash, uint32_t id) {
    ht_table_level *newest = atomic_load_explicit(&table->newest, memory_order_acquire);
    if (newest == NULL || atomic_load_explicit(&newest->filled, memory_order_relaxed) > (newest->line_mask + 1) * 5)
        newest = grow(table, newest);
    if (newest == NULL) return false;
    if (insert_in(newest, hash, id)) return true;
    newest = grow(table, newest);
    return insert_in(newest, hash, id);
}

void ht_table_reset(ht_table *table) {
    ht_table_level *level = atomic_exchange_explicit(&table->newest, NULL, memory_order_acq_rel);
    while (level != NULL) {
        ht_table_level *older = level->older;
        ht_unmap_pages(level, level_bytes(level->line_mask + 1));
        level = older;
    }
    atomic_store_explicit(&table->growing, 0, memory_order_relaxed);
}
