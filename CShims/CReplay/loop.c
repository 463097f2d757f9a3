// The runs in which the threads go freely: for time, and for the latency of single calls. A thread waits only where the
// trace says that another one must have done something before (WAIT), and begins where one was running (START).
//
// What an operation costs beside the call itself: its words, which are read ahead in order, a store to its slot, which
// is prefetched, a store of the thread's progress where there are other threads, and the hash of what was done.
#include "operation.h"

#include <sched.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

// Ticks between which everything before has ended and nothing after has begun.
static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    _mm_lfence();
    uint64_t now = __rdtsc();
    _mm_lfence();
    return now;
#elif defined(__aarch64__)
    uint64_t now;
    __asm__ volatile("isb; mrs %0, cntvct_el0; isb" : "=r"(now)::"memory");
    return now;
#else
    return ht_clock_wall_ns();
#endif
}

enum { CALL_ALLOCATE, CALL_FREE, CALL_REALLOCATE };

typedef struct tally {
    uint64_t hash, events, calls;
} tally;

// One call in so many ticks, the clock's own included.
static void note(ht_worker *self, uint32_t call, uint64_t took, uint64_t owner, uint64_t size) {
    self->latency[call][ht_replay_bin(took)]++;
    if (took > self->worst_ticks[call]) {
        self->worst_ticks[call] = took;
        self->worst_size[call] = size;
    }
    // Relaxed: sums, read when every thread is over.
    struct ht_replay_part *part = &self->session->owners[owner];
    __atomic_fetch_add(&part->ticks, took, __ATOMIC_RELAXED);
    __atomic_fetch_add(&part->calls, 1, __ATOMIC_RELAXED);
}

// Processor time since a reading, the clock's own twice included, that is not the loop's.
static uint64_t spent_since(const ht_session *session, uint64_t began) {
    return ht_clock_cpu_ns() - began + session->clock_ns;
}

// Waits until another thread has done so much, and says what that took.
__attribute__((noinline)) static uint64_t wait_for(const ht_session *session, const ht_worker *other,
                                                   uint64_t operations) {
    uint64_t began = ht_clock_cpu_ns();
    struct timespec pause = {0, 20000};
    // Acquire pairs with the release of `publish`: what that thread wrote to its slots is seen.
    for (uint32_t tries = 0; atomic_load_explicit(&other->done, memory_order_acquire) < operations; tries++) {
        if (tries < 64) {
#if defined(__x86_64__)
            _mm_pause();
#endif
        } else if (tries < 256) {
            sched_yield();
        } else {
            nanosleep(&pause, NULL);
        }
    }
    return spent_since(session, began);
}

static inline __attribute__((always_inline)) void *reserve(ht_worker *self, bool timed, uint32_t op, uint64_t size,
                                                           size_t alignment, uint64_t owner, tally *sum) {
    ht_session *session = self->session;
    void *block = NULL;
    int error = 0;
    uint64_t began = timed ? ticks() : 0;
    if (alignment) {
        error = session->calls.allocate_aligned(&block, alignment, size);
    } else {
        block = session->calls.allocate(size);
    }
    if (timed) note(self, CALL_ALLOCATE, ticks() - began, owner, size);
    if (__builtin_expect(error != 0 || (!block && size != 0), 0)) {
        __atomic_store_n(&session->result->events, self->events + sum->events, __ATOMIC_RELAXED);
        ht_session_fail(session, HT_REPLAY_NO_MEMORY, error, op, size);
    }
    ht_touch(session, block, 0, size);
    return block;
}

static inline __attribute__((always_inline)) void release(ht_worker *self, bool timed, void *block, uint64_t owner) {
    uint64_t began = timed ? ticks() : 0;
    self->session->calls.release(block);
    if (timed) note(self, CALL_FREE, ticks() - began, owner, 0);
}

static inline __attribute__((always_inline)) void *resize(ht_worker *self, bool timed, uint32_t op, void *block,
                                                          uint64_t size, uint64_t from, uint64_t owner, tally *sum) {
    ht_session *session = self->session;
    uint64_t began = timed ? ticks() : 0;
    void *moved = session->calls.reallocate(block, size);
    if (timed) note(self, CALL_REALLOCATE, ticks() - began, owner, size);
    if (__builtin_expect(!moved && size != 0, 0)) {
        __atomic_store_n(&session->result->events, self->events + sum->events, __ATOMIC_RELAXED);
        ht_session_fail(session, HT_REPLAY_NO_MEMORY, 0, op, size);
    }
    ht_touch(session, moved, from, size);
    return moved;
}

// Performs the operations of a block of words.
static inline __attribute__((always_inline)) void perform(ht_worker *self, bool timed, bool shared) {
    ht_session *session = self->session;
    void **slots = session->slots;
    const uint64_t *at = self->cursor.at, *end = self->cursor.end;
    tally sum = {self->hash, 0, 0};
    uint64_t done = atomic_load_explicit(&self->done, memory_order_relaxed);
    while (at < end) {
        uint64_t word = at[0];
        uint32_t op = (uint32_t)(word & 15);
        uint64_t slot = ht_word_slot(word), detail = word >> 32;
        __builtin_prefetch(&slots[ht_word_slot(at[HT_AHEAD - 1])], 1);
        sum.hash = ht_op_hash(sum.hash, at, op);
        switch (op) {
            case HT_REPLAY_MALLOC:
                slots[slot] = reserve(self, timed, op, detail, 0, at[1] >> 32, &sum);
                sum.events++, sum.calls++;
                at += 2;
                break;
            case HT_REPLAY_FREE:
                release(self, timed, slots[slot], detail);
                sum.events++, sum.calls++;
                at += 1;
                break;
            case HT_REPLAY_REALLOC:
                slots[slot] = resize(self, timed, op, slots[slot], detail, (at[2] >> 32) * HT_PAGE, at[1] >> 32, &sum);
                sum.events += 2, sum.calls++;
                at += 3;
                break;
            case HT_REPLAY_MALLOC_WIDE:
                slots[slot] =
                    reserve(self, timed, op, ht_wide_size(word, at[2]), ht_wide_alignment(at[2]), at[1] >> 32, &sum);
                sum.events++, sum.calls++;
                at += 3;
                break;
            case HT_REPLAY_REALLOC_WIDE:
            case HT_REPLAY_REALLOC_LATE:
                slots[slot] = resize(self, timed, op, slots[slot], ht_wide_size(word, at[3]), (at[2] >> 32) * HT_PAGE,
                                     at[1] >> 32, &sum);
                sum.events += ht_op_events(op), sum.calls++;
                at += 4;
                break;
            case HT_REPLAY_FREE_LATE:
                release(self, timed, slots[slot], detail);
                sum.calls++;
                at += 1;
                break;
            case HT_REPLAY_FLEETING:
                release(
                    self, timed,
                    reserve(self, timed, op, ht_wide_size(word, at[2]), ht_wide_alignment(at[2]), at[1] >> 32, &sum),
                    at[1] >> 32);
                sum.events += 2, sum.calls += 2;
                at += 3;
                break;
            case HT_REPLAY_LAPSE:
                sum.events++;
                at += 1;
                break;
            case HT_REPLAY_WAIT: {
                ht_worker *other = &session->workers[slot];
                if (atomic_load_explicit(&other->done, memory_order_acquire) < detail) {
                    self->cpu_ns -= wait_for(session, other, detail);
                }
                at += 1;
                break;
            }
            case HT_REPLAY_START: {
                uint64_t began = ht_clock_cpu_ns();
                ht_worker_start(session, slot);
                self->cpu_ns -= spent_since(session, began);
                at += 1;
                break;
            }
            default: ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, op, 0);
        }
        // Release: whoever waits for this operation sees the slot that it wrote.
        if (shared) atomic_store_explicit(&self->done, ++done, memory_order_release);
    }
    self->hash = sum.hash;
    self->events += sum.events;
    self->calls += sum.calls;
    // Relaxed: some thread's progress, for whoever finds that the process crashed.
    __atomic_store_n(&session->result->events, self->events, __ATOMIC_RELAXED);
}

static inline __attribute__((always_inline)) void run(ht_worker *self, bool timed) {
    bool shared = self->session->plan.streams > 1;
    while (ht_cursor_load(self->session, &self->cursor)) {
        uint64_t began = ht_clock_cpu_ns();
        if (shared) {
            perform(self, timed, true);
        } else {
            perform(self, timed, false);
        }
        self->cpu_ns += ht_clock_cpu_ns() - began;
    }
}

void ht_worker_run_timed(ht_worker *self) { run(self, false); }

// What the clock takes between two readings, and how long its ticks are. The mean, for a counter that goes in steps
// shows a time between two of them now as the one, now as the other; without readings between which something else ran.
static void calibrate(ht_session *session) {
    enum { READINGS = 4096, OTHERS = 4 };
    static uint32_t took[READINGS];
    uint32_t least = UINT32_MAX, step = UINT32_MAX;
    for (int i = 0; i < READINGS; i++) {
        uint64_t began = ticks(), difference = ticks() - began;
        took[i] = difference < UINT32_MAX ? (uint32_t)difference : UINT32_MAX;
        if (took[i] < least) least = took[i];
    }
    uint64_t sum = 0, count = 0;
    for (int i = 0; i < READINGS; i++) {
        if (took[i] > (uint64_t)(least ? least : 1) * OTHERS) continue;
        sum += took[i];
        count++;
        if (took[i] != least && took[i] - least < step) step = took[i] - least;
    }
    uint64_t began = ticks(), began_ns = ht_clock_wall_ns();
    while (ht_clock_wall_ns() - began_ns < 5000000) {
    }
    session->result->clock_ticks = count ? (double)sum / (double)count : 0;
    session->result->clock_step = step == UINT32_MAX ? 1 : step;
    session->result->ticks_per_ns = (double)(ticks() - began) / (double)(ht_clock_wall_ns() - began_ns);
}

void ht_worker_run_latency(ht_worker *self) {
    if (self == self->session->workers) calibrate(self->session);
    run(self, true);
}
