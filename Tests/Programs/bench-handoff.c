// Blocks made by one thread and freed by another: the producer fills batches, the consumer empties them.
// usage: bench-handoff BATCHES

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 256, QUEUE = 16 };

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void **batches[QUEUE];
    int count;
};

static struct queue queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0};
static long batches;

static void put(void **batch) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE) pthread_cond_wait(&queue.changed, &queue.lock);
    queue.batches[queue.count++] = batch;
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static void **take(void) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0) pthread_cond_wait(&queue.changed, &queue.lock);
    void **batch = queue.batches[--queue.count];
    pthread_cond_signal(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return batch;
}

static void *consume(void *argument) {
    for (long i = 0; i < batches; i++) {
        void **batch = take();
        for (int j = 0; j < BATCH; j++) free(batch[j]);
        free(batch);
    }
    return argument;
}

int main(int argc, char **argv) {
    batches = argc > 1 ? atol(argv[1]) : 4000;
    pthread_t consumer;
    if (pthread_create(&consumer, NULL, consume, NULL) != 0) abort();
    for (long i = 0; i < batches; i++) {
        void **batch = malloc(BATCH * sizeof *batch);
        for (int j = 0; j < BATCH; j++) batch[j] = malloc((size_t)(16 + (i * 31 + j * 17) % 400));
        put(batch);
    }
    pthread_join(consumer, NULL);
    printf("%ld batches\n", batches);
    return 0;
}
