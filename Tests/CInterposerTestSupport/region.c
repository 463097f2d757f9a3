// Drives the free lists of the shared region, alone and from many threads at once.
#include "session.h"

#include <stdlib.h>
#include <string.h>

enum { UNBRAKED = 1 << 20 };

ht_test_lists ht_test_exhaust(uint32_t segment_limit) {
    ht_test_lists counts = {0};
    ht_region *region = ht_test_region_make(0, 0, segment_limit);
    uint8_t *seen = calloc(HT_SEGMENT_COUNT + 1, 1);
    uint32_t *taken = calloc(HT_SEGMENT_COUNT + 1, sizeof *taken);
    uint32_t count = 0, index;
    while ((index = ht_region_take_segment(region, UNBRAKED)) != 0) {
        counts.doubly_owned += seen[index]++;
        taken[count++] = index;
    }
    counts.segments_taken = count;
    for (uint32_t i = 0; i < count; i++) ht_region_give_segment(region, taken[i]);
    memset(seen, 0, HT_SEGMENT_COUNT + 1);
    while ((index = ht_region_take_segment(region, UNBRAKED)) != 0) {
        counts.doubly_owned += seen[index]++;
        counts.taken_again++;
    }
    while (ht_region_take_home(region) != 0) counts.homes_taken++;
    free(taken);
    free(seen);
    ht_test_region_free(region);
    return counts;
}

uint32_t ht_test_backlog(uint32_t live_homes, uint32_t backlog) {
    ht_region *region = ht_test_region_make(0, 0, 0);
    for (uint32_t i = 0; i < live_homes; i++) ht_region_take_home(region);
    uint32_t count = 0;
    while (ht_region_take_segment(region, backlog) != 0) count++;
    ht_test_region_free(region);
    return count;
}

typedef struct contest {
    ht_region *region;
    uint32_t rounds, held;
    _Atomic uint32_t *owners;  // by segment
    _Atomic uint32_t doubly_owned, next_name;
} contest;

static void *contend(void *context) {
    contest *c = context;
    uint32_t name = atomic_fetch_add_explicit(&c->next_name, 1, memory_order_relaxed) + 1;
    uint32_t held[64];
    uint32_t random = name;
    for (uint32_t round = 0; round < c->rounds; round++) {
        random = random * 1664525u + 1013904223u;
        uint32_t wanted = 1 + (random >> 16) % c->held, count = 0;
        while (count < wanted && (held[count] = ht_region_take_segment(c->region, UNBRAKED)) != 0) {
            if (atomic_exchange_explicit(&c->owners[held[count] - 1], name, memory_order_relaxed) != 0)
                atomic_fetch_add_explicit(&c->doubly_owned, 1, memory_order_relaxed);
            count++;
        }
        while (count > 0) {
            count--;
            if (atomic_exchange_explicit(&c->owners[held[count] - 1], 0, memory_order_relaxed) != name)
                atomic_fetch_add_explicit(&c->doubly_owned, 1, memory_order_relaxed);
            ht_region_give_segment(c->region, held[count]);
        }
    }
    return NULL;
}

ht_test_lists ht_test_contend(uint32_t threads, uint32_t rounds, uint32_t held, uint32_t segment_limit) {
    contest c = {.region = ht_test_region_make(0, 0, segment_limit), .rounds = rounds, .held = held < 64 ? held : 64};
    c.owners = calloc(HT_SEGMENT_COUNT, sizeof *c.owners);
    pthread_t ids[64];
    for (uint32_t i = 0; i < threads && i < 64; i++) {
        if (pthread_create(&ids[i], NULL, contend, &c) != 0) abort();
    }
    for (uint32_t i = 0; i < threads && i < 64; i++) pthread_join(ids[i], NULL);
    ht_test_lists counts = {.doubly_owned = c.doubly_owned};
    uint32_t index;
    while ((index = ht_region_take_segment(c.region, UNBRAKED)) != 0) {
        counts.segments_taken++;
        if (atomic_exchange_explicit(&c.owners[index - 1], 1, memory_order_relaxed) != 0) counts.doubly_owned++;
    }
    counts.lost = segment_limit - counts.segments_taken;
    free(c.owners);
    ht_test_region_free(c.region);
    return counts;
}
