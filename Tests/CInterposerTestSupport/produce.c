// Producers of events: a script on one thread, or many threads at full speed.
#include "session.h"

#include "definitions.h"
#include "event.h"

#include <stdlib.h>
#include <string.h>
#include <system.h>

typedef struct task {
    void (*body)(void *);
    void *context;
    bool bounded;
} task;

void ht_test_bound_stack(const void *frame) {
    enum { DEPTH = 1 << 20 };  // less than any thread of the tests has
    ht_self.stack_top = (uintptr_t)frame;
    ht_self.stack_low = ht_self.stack_top - DEPTH;
}

static void *enter(void *context) {
    task *work = context;
    if (work->bounded) ht_test_bound_stack(__builtin_frame_address(0));
    work->body(work->context);
    return NULL;
}

void ht_test_on_thread(void (*body)(void *), void *context, bool bounded) {
    task work = {body, context, bounded};
    pthread_t thread;
    if (pthread_create(&thread, NULL, enter, &work) != 0) abort();
    pthread_join(thread, NULL);
}

// MARK: scripts

typedef struct script {
    const ht_test_operation *operations;
    size_t count;
    uint64_t start;
} script;

static void count(const ht_test_operation *operation) {
    ht_writer *writer = ht_enter(&ht_self);
    if (ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS)) {
        uint32_t counter = ht_counter_intern(&ht_self, writer, operation->label);
        if (ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS)) {
            ht_put(writer, ht_extended(HT_EXTENDED_COUNT, 1, counter));
            ht_put(writer, operation->size);
            ht_writer_publish(writer);
        }
    }
    ht_leave(&ht_self);
}

static uint32_t tag_of(const char *type) {
    ht_writer *writer = ht_enter(&ht_self);
    uint32_t tag = ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS)
                       ? ht_tag_intern(&ht_self, writer, "Class", type, "construct", "swift")
                       : 0;
    ht_leave(&ht_self);
    return tag;
}

static void perform(const ht_test_operation *operation, uint64_t start) {
    const void *frame = __builtin_frame_address(0);
    const void *block = (const void *)(uintptr_t)operation->address;
    uint32_t code = ht_alignment_code(operation->alignment);
    uint64_t at = start + (uint64_t)operation->at;
    switch (operation->kind) {
        case HT_TEST_ALLOCATE: ht_record_allocation(block, operation->size, code, frame, NULL); break;
        case HT_TEST_FREE: ht_record_free(block, at); break;
        case HT_TEST_REALLOCATE:
            ht_record_reallocation((const void *)(uintptr_t)operation->old, at, block, operation->size, code, frame);
            break;
        case HT_TEST_PUSH_TAG:
            ht_self.tags[ht_self.tag_depth++] = ht_self.tag;
            ht_self.tag = tag_of(operation->label);
            break;
        case HT_TEST_POP_TAG: ht_self.tag = ht_self.tags[--ht_self.tag_depth]; break;
        case HT_TEST_COUNT: count(operation); break;
        case HT_TEST_ANNOUNCE: ht_type_announce(block, operation->size, frame); break;
        case HT_TEST_ALLOCATE_HOOKED: ht_allocated(block, operation->size, code, frame, NULL); break;
        case HT_TEST_ALLOCATE_APART:
            ht_allocated(block, operation->size, code, (const char *)frame - HT_TYPE_REACH, NULL);
            break;
        case HT_TEST_FREE_HOOKED: ht_freeing(block); break;
        default: abort();
    }
}

static void run_script(void *context) {
    script *work = context;
    // The stream opens before the start, so that its first event is no earlier than its own opening.
    ht_writer *writer = ht_enter(&ht_self);
    ht_writer_reserve(&ht_self, writer, HT_RECORD_WORDS);
    ht_leave(&ht_self);
    work->start = ht_now();
    for (size_t i = 0; i < work->count; i++) perform(&work->operations[i], work->start);
}

uint64_t ht_test_run(const ht_test_operation *operations, size_t count_of_operations) {
    script work = {.operations = operations, .count = count_of_operations};
    ht_test_on_thread(run_script, &work, true);
    return work.start;
}

// MARK: many threads

struct ht_test_production {
    uint32_t threads, events;
    bool frees;
    _Atomic uint32_t next, ended;
    pthread_t ids[];
};

uint64_t ht_test_address(uint32_t thread, uint32_t number) {
    return ((uint64_t)thread + 1) << 36 | (uint64_t)number << 4;
}

static void produce(ht_test_production *production, uint32_t index) {
    const void *frame = __builtin_frame_address(0);
    for (uint32_t i = 0; i < production->events; i++) {
        ht_record_allocation((const void *)(uintptr_t)ht_test_address(index, i), 16 + (i & 1023), 0, frame, NULL);
        if (production->frees && (i & 1) != 0)
            ht_record_free((const void *)(uintptr_t)ht_test_address(index, i - 1), ht_now());
    }
}

static void *run_producer(void *context) {
    ht_test_production *production = context;
    ht_test_bound_stack(__builtin_frame_address(0));
    produce(production, atomic_fetch_add_explicit(&production->next, 1, memory_order_relaxed));
    atomic_fetch_add_explicit(&production->ended, 1, memory_order_release);
    return NULL;
}

ht_test_production *ht_test_produce(uint32_t threads, uint32_t events, bool frees) {
    ht_test_production *production = calloc(1, sizeof *production + threads * sizeof production->ids[0]);
    if (production == NULL) abort();
    production->threads = threads;
    production->events = events;
    production->frees = frees;
    for (uint32_t i = 0; i < threads; i++) {
        if (pthread_create(&production->ids[i], NULL, run_producer, production) != 0) abort();
    }
    return production;
}

bool ht_test_production_ended(ht_test_production *production) {
    return atomic_load_explicit(&production->ended, memory_order_acquire) == production->threads;
}

void ht_test_production_join(ht_test_production *production) {
    for (uint32_t i = 0; i < production->threads; i++) pthread_join(production->ids[i], NULL);
    free(production);
}
