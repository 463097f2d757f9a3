// The bump allocator of arena.h. A chunk is a page run whose first words are its fill mark; a thread that does not fit
// maps the next.
#include "arena.h"

#include <stdatomic.h>
#include <system.h>

enum { CHUNK_BYTES = 64 << 10, TAKE_MAX = 1 << 20 };

typedef struct chunk {
    _Atomic size_t used;
    size_t size;
} chunk;

static _Atomic(chunk *) current;

void *ht_arena_take(size_t count) {
    if (count > TAKE_MAX) return NULL;
    count = (count + 15) & ~(size_t)15;
    for (int attempt = 0; attempt < 64; attempt++) {
        chunk *seen = atomic_load_explicit(&current, memory_order_acquire);
        if (seen != NULL) {
            size_t offset = atomic_fetch_add_explicit(&seen->used, count, memory_order_relaxed);
            if (offset + count <= seen->size) return (char *)seen + offset;
        }
        size_t size = count + 64 > CHUNK_BYTES ? (count + 64 + 4095) & ~(size_t)4095 : CHUNK_BYTES;
        chunk *made = ht_map_pages(size);
        if (made == NULL) return NULL;
        made->size = size;
        atomic_store_explicit(&made->used, 64, memory_order_relaxed);
        // Release publishes size and mark; acquire above pairs with it.
        if (!atomic_compare_exchange_strong_explicit(&current, &seen, made, memory_order_release, memory_order_relaxed))
            ht_unmap_pages(made, size);
    }
    return NULL;
}
