// Allocator churn: each thread keeps 10,000 blocks alive and, step after step, frees a random one and allocates another
// of a random size in its place. usage: bench-churn THREADS STEPS (steps of each thread)

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIVE = 10000 };

static long steps;

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *churn(void *argument) {
    uint64_t random = 0x9e3779b97f4a7c15u * ((uintptr_t)argument + 1);
    char **live = calloc(LIVE, sizeof *live);
    uintptr_t checksum = 0;
    for (long i = 0; i < steps; i++) {
        uint64_t draw = next_random(&random);
        char **slot = &live[draw % LIVE];
        free(*slot);
        size_t size = 16 + (draw >> 32) % 496;
        *slot = malloc(size);
        if (!*slot) abort();
        **slot = (char)i;
        checksum += size;
    }
    for (int i = 0; i < LIVE; i++) free(live[i]);
    free(live);
    return (void *)checksum;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    steps = argc > 2 ? atol(argv[2]) : 1000000;
    pthread_t *started = calloc((size_t)threads, sizeof *started);
    uintptr_t total = 0;
    if (threads == 1) {
        total = (uintptr_t)churn(NULL);
    } else {
        for (int i = 0; i < threads; i++) {
            if (pthread_create(&started[i], NULL, churn, (void *)(uintptr_t)i) != 0) abort();
        }
        for (int i = 0; i < threads; i++) {
            void *sum;
            pthread_join(started[i], &sum);
            total += (uintptr_t)sum;
        }
    }
    free(started);
    printf("%ju bytes\n", (uintmax_t)total);
    return 0;
}
