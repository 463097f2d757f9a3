// The run for memory: every call in the order of the trace, one at a time, each as the thread that made it. So the
// blocks that are live are at every moment those that were live in the traced program, and what the process holds can
// be set against them.
//
// The threads are there, from their first call to their last, but the first thread acts for all of them: before a turn
// of another thread it takes that thread's pointer (identity.h), by which everything thread-local is found. Caches,
// arenas and keys are therefore those of the thread that made the call, and what its end gives back is given back by
// itself. Handing turns from thread to thread takes two context switches each: microseconds, where a call takes
// nanoseconds and turns are as short as one call.
#include "operation.h"

#include "identity.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

// Memory orders: `state` is written with release by whoever goes on and read with acquire by whoever waits for it; all
// else of a thread is thereby the first thread's between HT_THREAD_READY and HT_THREAD_LEAVES.

static void set_state(ht_worker *worker, uint32_t state) {
    atomic_store_explicit(&worker->state, state, memory_order_release);
    syscall(SYS_futex, &worker->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_for_state(ht_worker *worker, uint32_t wanted) {
    uint32_t state;
    while ((state = atomic_load_explicit(&worker->state, memory_order_acquire)) != wanted) {
        syscall(SYS_futex, &worker->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL, 0);
    }
}

void ht_ordered_sample(ht_session *session) {
    uint64_t point = session->points_written++;
    if (point >= session->plan.samples) ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, 0, 0);
    session->points[point] =
        (struct ht_replay_point){session->result->events, session->live, session->usable, ht_resident_anonymous()};
    if (session->live != session->curve[point]) ht_session_fail(session, HT_REPLAY_WRONG_CURVE, 0, 0, session->live);
    session->next_sample += session->plan.sample_step;
}

static void copy_parts(struct ht_replay_part *to, const struct ht_replay_part *from, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        to[i].peak_live = from[i].peak_live;
        to[i].peak_slack = from[i].peak_slack;
    }
}

// Counts events, and looks at memory where the plan says so.
static void advance(ht_session *session, uint64_t events) {
    struct ht_replay_result *result = session->result;
    result->events += events;
    if (session->live > result->peak_live) result->peak_live = session->live;
    if (result->events == session->plan.peak_event && events) {
        copy_parts(session->owners, session->peak_owners, session->plan.owners);
        copy_parts(session->classes, session->peak_classes, HT_REPLAY_CLASSES);
        result->peak_anonymous = ht_resident_anonymous();
        result->peak_places = ht_places_tell(session);
    }
    if (result->events >= session->next_sample && events) ht_ordered_sample(session);
}

static void count_in(ht_session *session, uint64_t slot, void *block, uint64_t size, uint64_t owner, bool is_live) {
    uint64_t usable = size;
    if (session->calls.usable && block) usable = session->calls.usable(block);
    if (usable < size) usable = size;
    uint32_t class = ht_replay_class(size);
    struct ht_replay_part *parts[] = {&session->owners[owner], &session->classes[class]};
    for (int i = 0; i < 2; i++) {
        parts[i]->allocations++;
        parts[i]->bytes += size;
        parts[i]->slack += usable - size;
    }
    session->details[slot] = (ht_block){size, usable, (uint32_t)owner, is_live};
    if (!is_live) return;
    session->live += size;
    session->usable += usable;
    session->blocks_live++;
    struct ht_replay_part *live[] = {&session->peak_owners[owner], &session->peak_classes[class]};
    for (int i = 0; i < 2; i++) {
        live[i]->peak_live += size;
        live[i]->peak_slack += usable - size;
    }
}

static void count_out(ht_session *session, uint64_t slot) {
    ht_block *block = &session->details[slot];
    if (!block->is_counted) return;
    block->is_counted = false;
    session->live -= block->size;
    session->usable -= block->usable;
    session->blocks_live--;
    uint32_t class = ht_replay_class(block->size);
    struct ht_replay_part *live[] = {&session->peak_owners[block->owner], &session->peak_classes[class]};
    for (int i = 0; i < 2; i++) {
        live[i]->peak_live -= block->size;
        live[i]->peak_slack -= block->usable - block->size;
    }
}

static void *reserve(ht_session *session, uint32_t op, uint64_t size, size_t alignment) {
    void *block = NULL;
    int error = 0;
    session->result->calls++;
    if (alignment) {
        error = session->calls.allocate_aligned(&block, alignment, size);
    } else {
        block = session->calls.allocate(size);
    }
    if (error || (!block && size)) ht_session_fail(session, HT_REPLAY_NO_MEMORY, error, op, size);
    size_t least = alignment ? alignment : size >= 16 ? 16 : 8;
    // The null allocator's one block stands for all, however they are aligned.
    if (!session->request->null_allocator && ((uintptr_t)block & (least - 1))) {
        ht_session_fail(session, HT_REPLAY_MISALIGNED, 0, op, size);
    }
    ht_touch(session, block, 0, size);
    return block;
}

// The first bytes of a block name its slot, where blocks are written to at all: an allocator that gives out the place
// of a live block, or writes to it, is found out. They lie on a page that is touched in any case, for blocks are
// aligned to 8.
static size_t mark_bytes(const ht_session *session, uint64_t size) {
    if (session->request->touch == HT_REPLAY_TOUCH_NONE || session->request->null_allocator) return 0;
    return size < sizeof(uint64_t) ? size : sizeof(uint64_t);
}

// Neighbours differ in their first byte, for there may be no second.
static uint64_t mark_of(uint64_t slot) { return (slot + 1) * 0x9e3779b97f4a7c15; }

static void mark(ht_session *session, uint64_t slot, void *block, uint64_t size) {
    uint64_t value = mark_of(slot);
    memcpy(block, &value, mark_bytes(session, size));
}

static void check(ht_session *session, uint64_t slot, const void *block, uint64_t size, uint32_t op) {
    uint64_t value = mark_of(slot);
    if (memcmp(block, &value, mark_bytes(session, size)) == 0) return;
    ht_session_fail(session, HT_REPLAY_OVERWRITTEN, 0, op, session->details[slot].size);
}

void ht_ordered_check(ht_session *session, uint64_t slot, const void *block, uint32_t op) {
    check(session, slot, block, session->details[slot].size, op);
}

static void release(ht_session *session, void *block) {
    session->result->calls++;
    session->calls.release(block);
}

// A thread is made by the first thread as itself: what pthread_create does with its caller is not for anyone else to
// do.
static void start(ht_worker *self, uint64_t stream) {
    ht_session *session = self->session;
    ht_identity_take(session->workers->identity);
    ht_worker_start(session, stream);
    wait_for_state(&session->workers[stream], HT_THREAD_READY);
    ht_identity_take(self->identity);
}

static const uint64_t *perform(ht_worker *self, const uint64_t *at) {
    ht_session *session = self->session;
    uint64_t word = at[0], slot = ht_word_slot(word);
    uint32_t op = (uint32_t)(word & 15);
    if (slot >= session->plan.slots && op != HT_REPLAY_WAIT && op != HT_REPLAY_START) {
        ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, op, 0);
    }
    self->hash = ht_op_hash(self->hash, at, op);
    switch (op) {
        case HT_REPLAY_MALLOC:
        case HT_REPLAY_MALLOC_WIDE:
        case HT_REPLAY_FLEETING: {
            uint64_t third = op == HT_REPLAY_MALLOC ? 0 : at[2], size = ht_wide_size(word, third);
            void *block = reserve(session, op, size, ht_wide_alignment(third));
            count_in(session, slot, block, size, at[1] >> 32, op != HT_REPLAY_FLEETING);
            if (op == HT_REPLAY_FLEETING) {
                release(session, block);
            } else {
                session->slots[slot] = block;
                mark(session, slot, block, size);
            }
            break;
        }
        case HT_REPLAY_FREE:
        case HT_REPLAY_FREE_LATE:
            ht_ordered_check(session, slot, session->slots[slot], op);
            count_out(session, slot);
            release(session, session->slots[slot]);
            session->slots[slot] = NULL;
            break;
        case HT_REPLAY_LAPSE: count_out(session, slot); break;
        case HT_REPLAY_REALLOC:
        case HT_REPLAY_REALLOC_WIDE:
        case HT_REPLAY_REALLOC_LATE: {
            uint64_t size = ht_wide_size(word, op == HT_REPLAY_REALLOC ? 0 : at[3]);
            uint64_t kept = session->details[slot].size < size ? session->details[slot].size : size;
            ht_ordered_check(session, slot, session->slots[slot], op);
            count_out(session, slot);
            session->result->calls++;
            void *moved = session->calls.reallocate(session->slots[slot], size);
            if (!moved && size) ht_session_fail(session, HT_REPLAY_NO_MEMORY, 0, op, size);
            check(session, slot, moved, kept, op);
            ht_touch(session, moved, (at[2] >> 32) * HT_PAGE, size);
            mark(session, slot, moved, size);
            session->slots[slot] = moved;
            count_in(session, slot, moved, size, at[1] >> 32, true);
            break;
        }
        case HT_REPLAY_WAIT: break;  // the turns keep the order
        case HT_REPLAY_START: start(self, slot); break;
        default: ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, op, 0);
    }
    advance(session, ht_op_events(op));
    return at + ht_op_words(op);
}

// Performs so many operations of a thread.
static void perform_turn(ht_worker *self, uint64_t operations) {
    for (; operations > 0; operations--) {
        if (self->cursor.at == self->cursor.end && !ht_cursor_load(self->session, &self->cursor)) {
            ht_session_fail(self->session, HT_REPLAY_BAD_PLAN, 0, 0, 0);
        }
        self->cursor.at = perform(self, self->cursor.at);
    }
}

static bool is_over(const ht_worker *worker) {
    return worker->cursor.at == worker->cursor.end && worker->cursor.blocks_left == 0;
}

static void perform_turns(ht_session *session) {
    ht_worker *first = session->workers;
    ht_cursor *turns = &session->turns;
    while (turns->at < turns->end || ht_cursor_load(session, turns)) {
        uint64_t word = *turns->at++;
        ht_worker *worker = &first[ht_word_slot(word)];
        // Of a thread that was not started, or is over.
        if (ht_word_slot(word) >= session->plan.streams || !worker->session || is_over(worker)) {
            ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, 0, 0);
        }
        ht_identity_take(worker->identity);
        perform_turn(worker, word >> 32);
        if (worker == first || !is_over(worker)) continue;
        // What a thread's end frees belongs before the next call.
        ht_identity_take(first->identity);
        set_state(worker, HT_THREAD_LEAVES);
        pthread_join(worker->thread, NULL);
    }
    ht_identity_take(first->identity);
}

void ht_worker_run_ordered(ht_worker *self) {
    ht_session *session = self->session;
    self->identity = ht_identity();
    if (self != session->workers) {
        set_state(self, HT_THREAD_READY);
        wait_for_state(self, HT_THREAD_LEAVES);
        return;
    }
    if (session->plan.streams > 1) {
        perform_turns(session);
        return;
    }
    while (ht_cursor_load(session, &self->cursor)) {
        while (self->cursor.at < self->cursor.end) self->cursor.at = perform(self, self->cursor.at);
    }
}
