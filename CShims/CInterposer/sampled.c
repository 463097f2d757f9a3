// The set of sampled.h. Runs inside hooks, for sampled blocks and the few others of the same hash; memory comes as
// anonymous pages; no lock, no unbounded loop.
#include "sampled.h"

#include <string.h>
#include <system.h>

enum { LINE = 8, FIRST_LINES = 256, GROWTH = 4, FILTERS = 3, STUCK = 255 };
enum { GROWTH_WAITS = 20, GROWTH_WAIT_NS = 1000000 };

typedef struct level {
    struct level *older;
    uint64_t line_mask;
    _Atomic uint32_t held;
    char pad[64 - 20];
    _Atomic uint64_t slots[];  // from a cache line on
} level;

static _Atomic uint8_t small[1 << 13], middle[1 << 16], large[1 << 19];
static const ht_sampled_filter filters[FILTERS] = {{small, 64 - 13}, {middle, 64 - 16}, {large, 64 - 19}};
// Sampled blocks that a filter is asked for: beyond a sixteenth of its counters the next one is.
static const uint32_t most[FILTERS] = {sizeof small / 16, sizeof middle / 16, UINT32_MAX};

_Atomic(const ht_sampled_filter *) ht_sampled_front = &filters[0];
static _Atomic(level *) newest;
static _Atomic uint32_t growing;
static _Atomic uint32_t total;

static size_t level_bytes(uint64_t lines) { return sizeof(level) + lines * LINE * 8; }

// Counters are exact up to 254; one that reaches 255 stays there, so it never reads 0 while a block is behind it.
static void raise_counters(uint64_t hash) {
    for (int i = 0; i < FILTERS; i++) {
        _Atomic uint8_t *counter = (_Atomic uint8_t *)(uintptr_t)&filters[i].counters[hash >> filters[i].shift];
        uint8_t seen = atomic_load_explicit(counter, memory_order_relaxed);
        while (seen != STUCK && !atomic_compare_exchange_weak_explicit(counter, &seen, (uint8_t)(seen + 1),
                                                                       memory_order_relaxed, memory_order_relaxed)) {
        }
    }
}

static void lower_counters(uint64_t hash) {
    for (int i = 0; i < FILTERS; i++) {
        _Atomic uint8_t *counter = (_Atomic uint8_t *)(uintptr_t)&filters[i].counters[hash >> filters[i].shift];
        uint8_t seen = atomic_load_explicit(counter, memory_order_relaxed);
        while (seen != STUCK && seen != 0 &&
               !atomic_compare_exchange_weak_explicit(counter, &seen, (uint8_t)(seen - 1), memory_order_relaxed,
                                                      memory_order_relaxed)) {
        }
    }
}

// Every filter holds every block, so a thread may ask whichever it finds; a smaller one again only well below its
// limit.
static void choose_front(uint32_t count) {
    const ht_sampled_filter *front = atomic_load_explicit(&ht_sampled_front, memory_order_relaxed);
    int now = (int)(front - filters), wanted = now;
    if (count > most[now]) wanted = now + 1;
    else if (now > 0 && count < most[now - 1] / 2) wanted = now - 1;
    if (wanted != now) atomic_store_explicit(&ht_sampled_front, &filters[wanted], memory_order_relaxed);
}

// The two lines of an address in a level.
static void lines_of(level *in, uint64_t hash, _Atomic uint64_t *lines[2]) {
    lines[0] = in->slots + ((hash >> 40) & in->line_mask) * LINE;
    lines[1] = in->slots + (((hash * 0xd6e8feb86659fd93ull) >> 40) & in->line_mask) * LINE;
}

static _Atomic uint64_t *find_in(level *in, uint64_t hash, uint64_t address) {
    if (atomic_load_explicit(&in->held, memory_order_relaxed) == 0) return NULL;
    _Atomic uint64_t *lines[2];
    lines_of(in, hash, lines);
    for (int line = 0; line < 2; line++) {
        for (int i = 0; i < LINE; i++) {
            if (atomic_load_explicit(&lines[line][i], memory_order_relaxed) == address) return &lines[line][i];
        }
    }
    return NULL;
}

static bool put_in(level *in, uint64_t hash, uint64_t address) {
    _Atomic uint64_t *lines[2];
    lines_of(in, hash, lines);
    for (int i = 0; i < LINE; i++) {
        for (int line = 0; line < 2; line++) {
            uint64_t empty = 0;
            if (atomic_load_explicit(&lines[line][i], memory_order_relaxed) != 0) continue;
            // Before the address is seen: a level that holds something is never skipped.
            atomic_fetch_add_explicit(&in->held, 1, memory_order_relaxed);
            if (atomic_compare_exchange_strong_explicit(&lines[line][i], &empty, address, memory_order_release,
                                                        memory_order_relaxed))
                return true;
            atomic_fetch_sub_explicit(&in->held, 1, memory_order_relaxed);
        }
    }
    return false;
}

// Acquire and release on `growing` order the new level's making; whoever comes second goes on with what there is.
static level *grow(level *seen) {
    if (atomic_exchange_explicit(&growing, 1, memory_order_acquire) != 0) return seen;
    level *current = atomic_load_explicit(&newest, memory_order_relaxed);
    if (current == seen) {
        uint64_t lines = current == NULL ? FIRST_LINES : (current->line_mask + 1) * GROWTH;
        level *made = ht_map_pages(level_bytes(lines));
        if (made != NULL) {
            made->older = current;
            made->line_mask = lines - 1;
            atomic_store_explicit(&newest, made, memory_order_release);
            current = made;
        }
    }
    atomic_store_explicit(&growing, 0, memory_order_release);
    return current;
}

void ht_sampled_prepare(void) {
    if (atomic_load_explicit(&newest, memory_order_acquire) == NULL) grow(NULL);
}

static bool is_full(level *in) {
    return atomic_load_explicit(&in->held, memory_order_relaxed) > (in->line_mask + 1) * LINE / 8 * 5;
}

static bool put(uint64_t hash, uint64_t address) {
    level *front = atomic_load_explicit(&newest, memory_order_acquire);
    if (front == NULL || is_full(front)) front = grow(front);
    for (int attempt = 0; attempt < GROWTH_WAITS; attempt++) {
        // While another thread grows the set, an older level may have room.
        for (level *in = front; in != NULL; in = in->older) {
            if (put_in(in, hash, address)) return true;
        }
        level *made = grow(front);
        // Another thread is at it, as a rule for some microseconds; in a handler that interrupted it, for good.
        if (made == front && attempt > 0) ht_futex_wait(&growing, 1, GROWTH_WAIT_NS);
        front = made == front ? atomic_load_explicit(&newest, memory_order_acquire) : made;
    }
    return false;
}

bool ht_sampled_insert(const void *block) {
    uint64_t address = (uint64_t)(uintptr_t)block, hash = ht_sampled_hash(block);
    if (ht_sampled_maybe(block)) {
        for (level *in = atomic_load_explicit(&newest, memory_order_acquire); in != NULL; in = in->older) {
            if (find_in(in, hash, address) != NULL) return true;
        }
    }
    raise_counters(hash);
    if (!put(hash, address)) {
        lower_counters(hash);
        return false;
    }
    choose_front(atomic_fetch_add_explicit(&total, 1, memory_order_relaxed) + 1);
    return true;
}

bool ht_sampled_remove(const void *block) {
    uint64_t address = (uint64_t)(uintptr_t)block, hash = ht_sampled_hash(block);
    for (level *in = atomic_load_explicit(&newest, memory_order_acquire); in != NULL; in = in->older) {
        _Atomic uint64_t *slot = find_in(in, hash, address);
        // Exchanged, not stored: a program that frees a block twice at once must not empty another one's slot.
        uint64_t expected = address;
        if (slot == NULL ||
            !atomic_compare_exchange_strong_explicit(slot, &expected, 0, memory_order_release, memory_order_relaxed))
            continue;
        atomic_fetch_sub_explicit(&in->held, 1, memory_order_relaxed);
        lower_counters(hash);
        choose_front(atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed) - 1);
        return true;
    }
    return false;
}

uint32_t ht_sampled_count(void) { return atomic_load_explicit(&total, memory_order_relaxed); }

void ht_sampled_forget(void) {
    if (atomic_exchange_explicit(&newest, NULL, memory_order_acq_rel) != NULL) {
        memset((void *)small, 0, sizeof small);
        memset((void *)middle, 0, sizeof middle);
        memset((void *)large, 0, sizeof large);
    }
    atomic_store_explicit(&growing, 0, memory_order_relaxed);
    atomic_store_explicit(&total, 0, memory_order_relaxed);
    atomic_store_explicit(&ht_sampled_front, &filters[0], memory_order_relaxed);
}

void ht_sampled_reset(void) {
    level *in = atomic_load_explicit(&newest, memory_order_acquire);
    ht_sampled_forget();
    while (in != NULL) {
        level *older = in->older;
        ht_unmap_pages(in, level_bytes(in->line_mask + 1));
        in = older;
    }
}
