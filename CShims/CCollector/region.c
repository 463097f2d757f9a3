// The shared region's free lists and its start. Runs inside hooks (cold paths) and in the collector: no allocation, no
// lock, no system call but those of the mutex's initialisation, which runs once, before any other thread exists.
#include <heaptrail_region.h>

#include "system.h"

uint32_t ht_region_side;

void ht_region_init(ht_region *region, uint32_t options, uint32_t max_depth) {
    region->magic = HT_REGION_MAGIC;
    region->version = HT_REGION_VERSION;
    region->options = options;
    region->max_depth = max_depth == 0 || max_depth > HT_STACK_DEPTH_MAX ? HT_STACK_DEPTH_MAX : max_depth;
    region->segment_limit = HT_SEGMENT_COUNT;
    region->home_limit = HT_HOME_COUNT;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&region->alive, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

// A pop reads `next` of a node another thread may pop and reuse meanwhile; the tag in the head makes the exchange fail
// then. Acquire pairs with the release of the push that published the node.
static uint32_t pop(_Atomic uint64_t *head, ht_region *region, _Atomic uint32_t *(*link)(ht_region *, uint32_t)) {
    uint64_t seen = atomic_load_explicit(head, memory_order_acquire);
    while ((uint32_t)seen != 0) {
        uint32_t next = atomic_load_explicit(link(region, (uint32_t)seen - 1), memory_order_relaxed);
        uint64_t wanted = ((seen >> 32) + 1) << 32 | next;
        if (atomic_compare_exchange_weak_explicit(head, &seen, wanted, memory_order_acquire, memory_order_acquire))
            return (uint32_t)seen;
    }
    return 0;
}

static void push(_Atomic uint64_t *head, ht_region *region, uint32_t index_plus_one,
                 _Atomic uint32_t *(*link)(ht_region *, uint32_t)) {
    uint64_t seen = atomic_load_explicit(head, memory_order_relaxed);
    uint64_t wanted;
    do {
        atomic_store_explicit(link(region, index_plus_one - 1), (uint32_t)seen, memory_order_relaxed);
        wanted = (seen & 0xffffffff00000000u) | index_plus_one;
    } while (!atomic_compare_exchange_weak_explicit(head, &seen, wanted, memory_order_release, memory_order_relaxed));
}

static _Atomic uint32_t *segment_link(ht_region *region, uint32_t index) {
    return &ht_region_segment(region, index)->next;
}
static _Atomic uint32_t *home_link(ht_region *region, uint32_t index) {
    return &ht_region_home(region, index)->next_free;
}

uint32_t ht_region_take_segment(ht_region *region, uint32_t backlog) {
    // The count is a brake, not an account: threads that race past it together overshoot by their number at most.
    uint32_t limit = atomic_load_explicit(&region->live_homes, memory_order_relaxed) + backlog;
    if (atomic_load_explicit(&region->used_segments, memory_order_relaxed) >= limit) return 0;
    uint32_t taken = pop(&region->free_segments, region, segment_link);
    if (taken == 0) {
        uint32_t fresh = atomic_load_explicit(&region->fresh_segments, memory_order_relaxed);
        do {
            // Acquire, here and for homes: with a raised limit comes the extension's address.
            if (fresh >= atomic_load_explicit(&region->segment_limit, memory_order_acquire)) return 0;
        } while (!atomic_compare_exchange_weak_explicit(&region->fresh_segments, &fresh, fresh + 1,
                                                        memory_order_relaxed, memory_order_relaxed));
        taken = fresh + 1;
    }
    atomic_fetch_add_explicit(&region->used_segments, 1, memory_order_relaxed);
    ht_segment *segment = ht_region_segment(region, taken - 1);
    atomic_store_explicit(&segment->used, 0, memory_order_relaxed);
    atomic_store_explicit(&segment->next, 0, memory_order_relaxed);
    return taken;
}

void ht_region_give_segment(ht_region *region, uint32_t index_plus_one) {
    atomic_fetch_sub_explicit(&region->used_segments, 1, memory_order_relaxed);
    push(&region->free_segments, region, index_plus_one, segment_link);
}

uint32_t ht_region_take_home(ht_region *region) {
    if (atomic_load_explicit(&region->live_homes, memory_order_relaxed) + HT_SEGMENTS_BEYOND_THREADS >=
        atomic_load_explicit(&region->segment_limit, memory_order_relaxed))
        return 0;
    uint32_t taken = pop(&region->free_homes, region, home_link);
    if (taken == 0) {
        uint32_t fresh = atomic_load_explicit(&region->fresh_homes, memory_order_relaxed);
        do {
            if (fresh >= atomic_load_explicit(&region->home_limit, memory_order_acquire)) return 0;
        } while (!atomic_compare_exchange_weak_explicit(&region->fresh_homes, &fresh, fresh + 1, memory_order_relaxed,
                                                        memory_order_relaxed));
        taken = fresh + 1;
    }
    atomic_fetch_add_explicit(&region->live_homes, 1, memory_order_relaxed);
    return taken;
}

void ht_region_give_home(ht_region *region, uint32_t index_plus_one) {
    atomic_fetch_sub_explicit(&region->live_homes, 1, memory_order_relaxed);
    push(&region->free_homes, region, index_plus_one, home_link);
}

bool ht_region_collector_died(ht_region *region) {
    // The first word of glibc's mutex is the futex itself; the kernel sets this bit in it when the owner dies.
    const _Atomic uint32_t *word = (const _Atomic uint32_t *)(const void *)&region->alive;
    return (atomic_load_explicit(word, memory_order_acquire) & FUTEX_OWNER_DIED) != 0;
}

enum { PAGE = 4096 };

bool ht_region_extend(ht_region *region) {
    _Atomic uint64_t *place = &region->extension[ht_region_side];
    if (atomic_load_explicit(place, memory_order_acquire) != 0) return true;
    // An old size of zero makes a second mapping of the same file, from the page's offset on: the region's last page,
    // and what follows it in the file.
    char *last = (char *)region + HT_REGION_BYTES - PAGE;
    long mapped =
        ht_syscall(SYS_mremap, (long)last, 0, (long)(PAGE + HT_EXTENSION_BYTES), 1 /* MREMAP_MAYMOVE */, 0, 0);
    if (mapped < 0 && mapped > -4096) return false;
    ht_syscall(SYS_madvise, mapped, (long)(PAGE + HT_EXTENSION_BYTES), MADV_DONTDUMP, 0, 0, 0);
    uint64_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(place, &none, (uint64_t)mapped + PAGE, memory_order_acq_rel,
                                                 memory_order_acquire))
        ht_syscall(SYS_munmap, mapped, (long)(PAGE + HT_EXTENSION_BYTES), 0, 0, 0, 0);
    return true;
}

void ht_region_withdraw(ht_region *region) {
    uint64_t mapped = atomic_exchange_explicit(&region->extension[ht_region_side], 0, memory_order_acq_rel);
    if (mapped != 0) ht_syscall(SYS_munmap, (long)(mapped - PAGE), (long)(PAGE + HT_EXTENSION_BYTES), 0, 0, 0, 0);
}

void ht_region_serve_extension(ht_region *region) {
    if (atomic_load_explicit(&region->extension_state, memory_order_acquire) != HT_EXTENSION_WANTED) return;
    bool extended = ht_region_extend(region);
    atomic_store_explicit(&region->extension_state, extended ? HT_EXTENSION_READY : HT_EXTENSION_REFUSED,
                          memory_order_release);
}
