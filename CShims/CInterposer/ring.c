// The cold half of writing: registering a thread, taking segments, waiting for room. Runs inside hooks, on the
// program's threads; makes no system call but futex (and gettid, once a thread, where libc's thread block is not as
// expected).
#include "ring.h"

#include "definitions.h"
#include "life.h"
#include "walk.h"

#include <errno.h>
#include <signal.h>
#include <system.h>

extern void *__libc_stack_end;

__thread ht_thread ht_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

enum {
    SILENCE_NS_MAX_STEPS = 300,
    WAIT_STEP_NS = 100000000,
    HOME_WAIT_STEPS = 300
};  // 300 steps of 100 ms: 30 s without a sign of life

static bool on_alternate_stack(void) {
    stack_t stack;
    return ht_syscall(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0) == 0 && (stack.ss_flags & SS_ONSTACK) != 0;
}

// A guard was abandoned when the frame that entered it is gone: ours lies farther out on the same stack. A handler's
// stack within the thread's own would look the same, so the kernel is asked about that. What the abandoned call had
// written and not published is taken back; the stream goes on from there.
void ht_leave_abandoned(ht_thread *self, const void *frame) {
    uintptr_t here = (uintptr_t)frame;
    for (uint32_t depth = ht_depth(self); depth > 0 && depth <= HT_LANES; depth = ht_depth(self)) {
        uintptr_t entered_at = self->guard & ~(uintptr_t)HT_DEPTH_MASK;
        if (entered_at > here || here >= self->stack_top || on_alternate_stack()) return;
        ht_writer *writer = &self->lane[depth - 1];
        self->guard = self->outer[depth - 1];
        if (writer->segment == NULL) continue;
        writer->at = writer->segment->words + atomic_load_explicit(&writer->segment->used, memory_order_relaxed);
        writer->end = writer->segment->words + HT_SEGMENT_WORDS;
        writer->last_stack = 0;
        writer->droppable = false;
        if (writer->cache != NULL) writer->cache->count = 0;  // half joined, perhaps
        if (writer->end - writer->at < 2) continue;
        // The running time may have got ahead of what was published.
        ht_put(writer, ht_extended(HT_EXTENDED_TIME, 1, 0));
        ht_put(writer, writer->time = ht_now());
        ht_writer_publish(writer);
    }
}

static void note_loss(ht_region *region, uint32_t reason) {
    atomic_store_explicit(&region->lost_reason, reason, memory_order_relaxed);
}

// Half of the backlog is kept for frees when allocations may be dropped: a lost FREE would look like a leak.
static uint32_t backlog_for(const ht_writer *writer) {
    return writer->droppable ? HT_SEGMENTS_BEYOND_THREADS / 2 : HT_SEGMENTS_BEYOND_THREADS;
}

static void ring_bell(ht_region *region) {
    atomic_fetch_add_explicit(&region->bell, 1, memory_order_release);
    // Sequentially consistent with the collector's store before it sleeps: one of the two sees the other.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&region->collector_sleeping, memory_order_relaxed)) ht_futex_wake(&region->bell, 1);
}

// Sleeps until a segment is free. 0 when the collector is dead or silent, or when events are to be dropped instead.
static uint32_t wait_for_segment(ht_region *region, const ht_writer *writer) {
    uint64_t beat = atomic_load_explicit(&region->heartbeat, memory_order_relaxed);
    for (int silent = 0; silent < SILENCE_NS_MAX_STEPS;) {
        uint32_t room = atomic_load_explicit(&region->room, memory_order_acquire);
        uint32_t taken = ht_region_take_segment(region, backlog_for(writer));
        if (taken != 0) return taken;
        if (writer->droppable) {
            note_loss(region, HT_LOSS_RING_FULL);
            return 0;
        }
        if (!ht_recording()) return 0;
        if (region->collector_pid != 0 && ht_region_collector_died(region)) break;
        ring_bell(region);
        atomic_fetch_add_explicit(&region->room_waiters, 1, memory_order_seq_cst);
        // Only a step that was slept through counts: where thousands of threads contend, a round of the collector
        // outlasts many wake-ups in vain.
        long slept = ht_futex_wait(&region->room, room, WAIT_STEP_NS);
        atomic_fetch_sub_explicit(&region->room_waiters, 1, memory_order_relaxed);
        uint64_t now = atomic_load_explicit(&region->heartbeat, memory_order_relaxed);
        silent = now != beat ? 0 : slept == -ETIMEDOUT ? silent + 1 : silent;
        beat = now;
    }
    ht_life_turn_off(HT_LOSS_COLLECTOR_GONE);
    return 0;
}

// The home's walk cache, made when this image has none there yet. Homes are few and used again, so the caches are, too.
static struct ht_walk_cache *walk_cache_of(ht_home *home) {
    if (ht_options & HT_OPTION_NO_STACKS) return NULL;
    if (home->walk_cache == 0 || home->cache_image != home->image) {
        home->walk_cache = (uint64_t)(uintptr_t)ht_map_pages(sizeof(ht_walk_cache));
        home->cache_image = home->image;
    }
    ht_walk_cache *cache = (ht_walk_cache *)(uintptr_t)home->walk_cache;
    if (cache != NULL) cache->count = 0;
    return cache;
}

// Asks the drain to map the region's extension, and maps it here. False when one of the two cannot; the limits are
// raised only once both have it.
static bool extend(ht_region *region) {
    uint32_t state = HT_EXTENSION_NONE;
    if (region->segment_limit < HT_SEGMENT_COUNT) return false;  // mapped in part
    atomic_compare_exchange_strong_explicit(&region->extension_state, &state, HT_EXTENSION_WANTED, memory_order_acq_rel,
                                            memory_order_acquire);
    for (int step = 0; step < HOME_WAIT_STEPS; step++) {
        uint32_t reaps = atomic_load_explicit(&region->reaps, memory_order_acquire);
        state = atomic_load_explicit(&region->extension_state, memory_order_acquire);
        if (state == HT_EXTENSION_REFUSED) return false;
        if (state == HT_EXTENSION_READY) {
            if (!ht_region_extend(region)) return false;
            // Release: who sees the limits sees the extension's address.
            atomic_store_explicit(&region->segment_limit, HT_SEGMENT_COUNT + HT_MORE_SEGMENTS, memory_order_release);
            atomic_store_explicit(&region->home_limit, HT_HOME_COUNT + HT_MORE_HOMES, memory_order_release);
            return true;
        }
        if (!ht_recording() || (region->collector_pid != 0 && ht_region_collector_died(region))) return false;
        atomic_store_explicit(&region->homes_wanted, 1, memory_order_relaxed);
        ring_bell(region);
        ht_futex_wait(&region->reaps, reaps, WAIT_STEP_NS);
    }
    return false;
}

// Waits, once a thread, until the collector has looked twice for homes of ended threads: the second time it began after
// we asked. 0 when all are in use.
static uint32_t wait_for_home(ht_thread *self, ht_region *region) {
    if (self->homeless) return 0;
    uint32_t first = atomic_load_explicit(&region->reaps, memory_order_acquire);
    for (int step = 0; step < HOME_WAIT_STEPS; step++) {
        uint32_t reaps = atomic_load_explicit(&region->reaps, memory_order_acquire);
        uint32_t index = ht_region_take_home(region);
        if (index != 0) return index;
        if (!ht_recording() || (region->collector_pid != 0 && ht_region_collector_died(region))) break;
        if (reaps - first >= 2) {
            // All are in use: so there are to be more of them.
            bool extended = extend(region);
            index = ht_region_take_home(region);
            if (index != 0) return index;
            if (!extended ||
                atomic_load_explicit(&region->fresh_homes, memory_order_relaxed) >= HT_HOME_COUNT + HT_MORE_HOMES)
                break;
        }
        atomic_store_explicit(&region->homes_wanted, 1, memory_order_relaxed);
        ring_bell(region);
        ht_futex_wait(&region->reaps, reaps, WAIT_STEP_NS);
    }
    self->homeless = true;
    return 0;
}

// The loader runs IFUNC resolvers before it lays out the first thread's variables for good: what the thread recorded by
// then it has forgotten. Its stream is still there, and goes on. Only the first thread's id is never another's.
static bool resume_stream(ht_thread *self, ht_writer *writer, ht_region *region) {
    uint32_t id = ht_thread_id(self);
    if (writer != self->lane || id != ht_own_pid) return false;
    uint32_t homes = ht_region_homes(region), image = atomic_load_explicit(&region->image, memory_order_relaxed);
    for (uint32_t i = 0; i < homes; i++) {
        ht_home *home = ht_region_home(region, i);
        if (atomic_load_explicit(&home->state, memory_order_acquire) != HT_HOME_LIVE || home->thread != id ||
            home->lane != 0 || home->image != image)
            continue;
        self->serial = home->serial;
        if (self->stack_top == 0) {
            self->stack_top = (uintptr_t)__libc_stack_end;
            self->stack_low = ht_life_stack_low(self->stack_top);
        }
        writer->home = home;
        writer->cache = walk_cache_of(home);
        writer->segment = ht_region_segment(region, home->last_segment - 1);
        writer->at = writer->segment->words + atomic_load_explicit(&writer->segment->used, memory_order_relaxed);
        writer->end = writer->segment->words + HT_SEGMENT_WORDS;
        writer->time = 0;  // the next event writes its time in full
        return true;
    }
    return false;
}

// Gives the stream a home and its first segment, and writes what a stream opens with.
static bool open_stream(ht_thread *self, ht_writer *writer, ht_region *region) {
    if (self->epoch != ht_epoch) {
        // First event of this thread in this process (or, in a followed child, since the fork).
        memset(self->lane, 0, sizeof self->lane);
        if (self->stack_top == 0 && ht_attached) {
            self->stack_top = ht_life_stack_top();
            self->stack_low = ht_life_stack_low(self->stack_top);
        }
        self->epoch = ht_epoch;
        if (resume_stream(self, writer, region)) return true;
        self->serial = atomic_fetch_add_explicit(&region->serials, 1, memory_order_relaxed) + 1;
    }
    uint32_t segment = ht_region_take_segment(region, backlog_for(writer));
    if (segment == 0 && (segment = wait_for_segment(region, writer)) == 0) return false;
    uint32_t index = ht_region_take_home(region);
    if (index == 0 && (index = wait_for_home(self, region)) == 0) {
        ht_region_give_segment(region, segment);
        note_loss(region, HT_LOSS_NO_RING);
        return false;
    }
    ht_home *home = ht_region_home(region, index - 1);
    home->thread = ht_thread_id(self);
    home->serial = self->serial;
    home->lane = (uint16_t)(writer - self->lane);
    home->image = (uint16_t)atomic_load_explicit(&region->image, memory_order_relaxed);
    home->first_segment = home->last_segment = segment;
    home->read_segment = 0;
    home->read_words = 0;
    home->flushed_at_ns = 0;
    home->named = 0;
    home->totals = (ht_totals){0};
    home->totals_written = 0;
    writer->time = ht_now();
    home->time = writer->time;
    writer->home = home;
    writer->cache = walk_cache_of(home);
    writer->last_stack = 0;
    writer->last_depth = 0;
    writer->segment = ht_region_segment(region, segment - 1);
    writer->at = writer->segment->words;
    writer->end = writer->segment->words + HT_SEGMENT_WORDS;
    // Release publishes the fields above to the collector, which looks at LIVE homes alone.
    atomic_store_explicit(&home->state, HT_HOME_LIVE, memory_order_release);
    ht_put_stream_start(self, writer);
    return true;
}

bool ht_writer_advance(ht_thread *self, ht_writer *writer, size_t words) {
    ht_region *region = ht_region_shared;
    if (region == NULL || !ht_recording()) return false;
    // The collector said that the trace can no longer be written: from here on the program runs as if we were not
    // there.
    if (atomic_load_explicit(&region->state, memory_order_acquire) == HT_STATE_OFF) {
        ht_life_turn_off(atomic_load_explicit(&region->off_reason, memory_order_relaxed));
        return false;
    }
    if (self->epoch != ht_epoch || writer->segment == NULL) {
        if (!open_stream(self, writer, region)) return false;
        if ((size_t)(writer->end - writer->at) >= words) return true;
    }
    uint32_t taken = ht_region_take_segment(region, backlog_for(writer));
    if (taken == 0 && (taken = wait_for_segment(region, writer)) == 0) return false;
    ht_segment *old = writer->segment;
    writer->home->last_segment = taken;
    writer->segment = ht_region_segment(region, taken - 1);
    writer->at = writer->segment->words;
    writer->end = writer->segment->words + HT_SEGMENT_WORDS;
    // Release: pairs with the collector's acquire of `next`, after which it reads the old segment's `used` for the last
    // time.
    atomic_store_explicit(&old->next, taken, memory_order_release);
    // A collector that naps wakes by itself; the bell is for a backlog that might fill up before it does. A bell for
    // each segment had it preempt the program every 70 microseconds.
    if (atomic_load_explicit(&region->collector_sleeping, memory_order_relaxed) &&
        atomic_load_explicit(&region->used_segments, memory_order_relaxed) >
            atomic_load_explicit(&region->live_homes, memory_order_relaxed) + HT_SEGMENTS_BEFORE_BELL)
        ring_bell(region);
    return true;
}
