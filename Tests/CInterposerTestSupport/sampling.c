// Drives sampling: the distances and weights, streams of allocations on threads, and the set of sampled blocks.
#include "session.h"

#include "event.h"
#include "poisson.h"

#include <stdlib.h>
#include <string.h>

ht_test_moments ht_test_distances(uint64_t seed, uint64_t mean, uint32_t count) {
    double sum = 0, squares = 0, products = 0, previous = 0, scale = (double)mean;
    uint32_t within_mean = 0, within_twentieth = 0;
    for (uint32_t i = 0; i < count; i++) {
        double distance = (double)ht_poisson_distance(&seed, mean) / scale;
        sum += distance;
        squares += distance * distance;
        if (i > 0) products += (distance - 1) * (previous - 1);
        previous = distance;
        within_mean += distance <= 1;
        within_twentieth += distance <= 0.05;
    }
    double average = sum / count;
    return (ht_test_moments){.mean = average,
                             .variance = squares / count - average * average,
                             .within_mean = (double)within_mean / count,
                             .within_twentieth = (double)within_twentieth / count,
                             .lag_correlation = products / (count - 1)};
}

double ht_test_weight(uint64_t size, uint64_t mean) { return ht_poisson_weight(size, mean); }
double ht_test_log(double x) { return ht_poisson_log(x); }

// MARK: streams

typedef struct stream_thread {
    const ht_test_stream *stream;
    uint32_t index;
} stream_thread;

static const void *block_of(uint32_t thread, uint32_t number) {
    return (const void *)(uintptr_t)ht_test_address(thread, number);
}

static void *run_stream(void *context) {
    const stream_thread *work = context;
    const ht_test_stream *stream = work->stream;
    const void *frame = __builtin_frame_address(0);
    ht_test_bound_stack(frame);
    uint32_t freed = 0;
    for (uint32_t i = 0; i < stream->allocations; i++) {
        ht_allocated(block_of(work->index, i), stream->sizes[i % stream->size_count], 0, frame, NULL);
        if (i + 1 - freed > stream->held) ht_freeing(block_of(work->index, freed++));
    }
    while (freed + stream->left < stream->allocations) ht_freeing(block_of(work->index, freed++));
    return NULL;
}

void ht_test_sample_stream(const ht_test_stream *stream) {
    pthread_t *threads = calloc(stream->threads, sizeof *threads);
    stream_thread *work = calloc(stream->threads, sizeof *work);
    if (threads == NULL || work == NULL) abort();
    for (uint32_t i = 0; i < stream->threads; i++) {
        work[i] = (stream_thread){stream, i};
        if (pthread_create(&threads[i], NULL, run_stream, &work[i]) != 0) abort();
        if (!stream->at_once) pthread_join(threads[i], NULL);
    }
    for (uint32_t i = 0; i < stream->threads && stream->at_once; i++) pthread_join(threads[i], NULL);
    free(work);
    free(threads);
}

// MARK: the set

typedef struct set_thread {
    uint32_t index, blocks;
    ht_test_set_counts counts;
    pthread_barrier_t *full;
} set_thread;

static void take_out(set_thread *work, uint32_t number) {
    const void *block = block_of(work->index, number);
    if (!ht_sampled_maybe(block) || !ht_sampled_remove(block)) work->counts.hidden++;
    if (ht_sampled_remove(block)) work->counts.strangers++;
}

static void *use_set(void *context) {
    set_thread *work = context;
    for (uint32_t i = 0; i < work->blocks; i++) {
        if (!ht_sampled_insert(block_of(work->index, i))) work->counts.refused++;
        if (i % 2 == 1) take_out(work, i);
    }
    pthread_barrier_wait(work->full);
    for (uint32_t i = 0; i < work->blocks; i++) {
        const void *stranger = (const char *)block_of(work->index, i) + 8;
        work->counts.shown += ht_sampled_maybe(stranger);
        work->counts.strangers += ht_sampled_remove(stranger);
    }
    pthread_barrier_wait(work->full);
    for (uint32_t i = 0; i < work->blocks; i += 2) take_out(work, i);
    return NULL;
}

ht_test_set_counts ht_test_sampled_set(uint32_t threads, uint32_t blocks) {
    ht_sampled_reset();
    pthread_t *ids = calloc(threads, sizeof *ids);
    set_thread *work = calloc(threads, sizeof *work);
    pthread_barrier_t full;
    if (ids == NULL || work == NULL || pthread_barrier_init(&full, NULL, threads) != 0) abort();
    for (uint32_t i = 0; i < threads; i++) {
        work[i] = (set_thread){.index = i, .blocks = blocks, .full = &full};
        if (pthread_create(&ids[i], NULL, use_set, &work[i]) != 0) abort();
    }
    ht_test_set_counts sum = {0};
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum.refused += work[i].counts.refused;
        sum.hidden += work[i].counts.hidden;
        sum.strangers += work[i].counts.strangers;
        sum.shown += work[i].counts.shown;
    }
    sum.left = ht_sampled_count();
    for (uint32_t i = 0; i < threads; i++) {
        for (uint32_t number = 0; number < blocks; number++) sum.stuck += ht_sampled_maybe(block_of(i, number));
    }
    pthread_barrier_destroy(&full);
    ht_sampled_reset();
    free(work);
    free(ids);
    return sum;
}
