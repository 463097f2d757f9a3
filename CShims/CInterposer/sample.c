// The cold half of sampling: a thread's first event, and the events of sampled blocks. Runs inside hooks.
#include "sample.h"

#include "poisson.h"
#include "record.h"
#include "ring.h"
#include "swift_types.h"

#include <string.h>
#include <system.h>

// Draws the thread's first distances. The same seed and serials give the same samples.
static void seed(ht_thread *self, const ht_region *region) {
    uint64_t serial = self->epoch == ht_epoch && self->serial != 0 ? self->serial : (uint64_t)(uintptr_t)self;
    uint64_t state = region->sample_seed + serial;
    self->sample_random = ht_poisson_next(&state);
    self->sample_left = ht_poisson_distance(&self->sample_random, region->sample_bytes);
    self->sample_next = ht_poisson_distance(&self->sample_random, region->sample_bytes);
}

// Finds the thread's totals: in the home of its own stream, which is opened for it. They stay NULL inside a signal
// handler that interrupted that very opening, and when there is no home.
static void settle(ht_thread *self, const ht_region *region) {
    if (self->guard == 0) {
        ht_writer *writer = ht_enter(self);
        if (writer != NULL) {
            if (ht_writer_reserve(self, writer, HT_RECORD_WORDS)) self->totals = &writer->home->totals;
            ht_leave(self);
        }
    }
    if (self->sample_next == 0) seed(self, region);
}

// The drain thread inside the program keeps itself out by a depth that no recording thread reaches.
static bool is_ours(const ht_thread *self) { return ht_depth(self) >= HT_LANES; }

// Counts an allocation without the fast path's certainty that there is a home.
static void count_allocation(ht_thread *self, ht_region *region, size_t size) {
    if (self->totals == NULL) settle(self, region);
    if (self->totals != NULL) {
        ht_sample_add(&self->totals->allocations, 1);
        ht_sample_add(&self->totals->bytes, size);
    } else {
        atomic_fetch_add_explicit(&region->unplaced.allocations, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&region->unplaced.bytes, size, memory_order_relaxed);
    }
}

const void *ht_sample_first_allocation(ht_thread *self, const void *block, size_t size, uint32_t code,
                                       const void *frame, const void *via) {
    ht_region *region = ht_region_shared;
    if (region == NULL || is_ours(self)) return block;
    count_allocation(self, region, size);
    ht_note_allocation(self, block);
    if (ht_sample_spend(self, size)) return ht_sample_take(self, block, size, code, frame, via);
    self->type = 0;  // announced before it was known whether this is a sample
    return block;
}

void ht_sample_first_free(ht_thread *self) {
    ht_region *region = ht_region_shared;
    if (region == NULL || is_ours(self)) return;
    settle(self, region);
    if (self->totals != NULL) ht_sample_add(&self->totals->frees, 1);
    else atomic_fetch_add_explicit(&region->unplaced.frees, 1, memory_order_relaxed);
}

static uint64_t events_of(const ht_totals *totals) {
    return atomic_load_explicit(&totals->allocations, memory_order_relaxed) +
           atomic_load_explicit(&totals->frees, memory_order_relaxed);
}

// Starts the next countdown and puts the sample in the set. Returns its weight, 0 where it is lost. It is in the set
// before it is recorded: a record whose free could not be found would be a leak.
static double take(ht_thread *self, const void *block, size_t size) {
    uint64_t mean = atomic_load_explicit(&ht_power.sample_bytes, memory_order_relaxed);
    // First of all: a signal handler from here on finds a countdown that runs. What exceeded the distance is forgotten,
    // as an exponential distance allows.
    self->sample_left = self->sample_next;
    self->sample_next = ht_poisson_distance(&self->sample_random, mean);
    if (!ht_sampled_insert(block)) {
        ht_record_loss(1, 0, size, HT_LOSS_NONE);
        return 0;
    }
    self->sample_block = block;
    self->sample_block_event = self->totals == NULL ? 0 : events_of(self->totals);
    return ht_poisson_weight(size, mean);
}

const void *ht_sample_take(ht_thread *self, const void *block, size_t size, uint32_t code, const void *frame,
                           const void *via) {
    double weight = take(self, block, size);
    if (weight != 0 && !ht_record_sample(block, size, code, frame, via, weight)) ht_sampled_remove(block);
    return block;
}

double ht_sample_count(ht_thread *self, const void *block, size_t size) {
    ht_region *region = ht_region_shared;
    if (region == NULL || is_ours(self)) return 0;
    count_allocation(self, region, size);
    return ht_sample_spend(self, size) ? take(self, block, size) : 0;
}

// Records the FREE of a sampled block; it is counted already. The thread's latest event before it was the block's own
// allocation when no other was counted since.
static void record_free(ht_thread *self, const void *block, uint64_t now, bool is_alive) {
    bool is_next =
        self->totals != NULL && self->sample_block == block && events_of(self->totals) == self->sample_block_event + 1;
    if (is_alive && ht_type_is_looked_at()) ht_record_free_looking(block, now, is_next);
    else if (is_next) ht_record_free_next(block, now);
    else ht_record_free(block, now);
}

void ht_sample_freed(ht_thread *self, const void *block) {
    uint64_t now = ht_now();
    if (ht_sampled_remove(block)) record_free(self, block, now, true);
}

uint64_t ht_sample_resizing(const void *block) {
    uint64_t now = ht_now();
    return ht_sampled_remove(block) ? now : 0;
}

static void count_free(ht_thread *self) {
    if (self->totals != NULL) ht_sample_add(&self->totals->frees, 1);
    else ht_sample_first_free(self);
}

void ht_sample_resized(const void *old, uint64_t before, const void *block, size_t size, uint32_t code,
                       const void *frame) {
    ht_thread *self = &ht_self;
    count_free(self);
    if (self->totals != NULL) ht_sample_add(&self->totals->reallocations, 1);
    else if (ht_region_shared != NULL)
        atomic_fetch_add_explicit(&ht_region_shared->unplaced.reallocations, 1, memory_order_relaxed);
    if (before != 0) record_free(self, old, before, false);
    ht_sample_allocation(block, size, code, frame, NULL);
}

void ht_sample_resize_freed(const void *old, uint64_t before) {
    ht_thread *self = &ht_self;
    count_free(self);
    if (before != 0) record_free(self, old, before, false);
}

void ht_sample_clear(ht_thread *thread) {
    thread->totals = NULL;
    thread->sample_next = 0;
    thread->sample_block = NULL;
}

void ht_sample_reset(void) {
    ht_sample_clear(&ht_self);
    ht_sampled_reset();
}
