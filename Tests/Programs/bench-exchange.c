// Producers and consumers around one bounded queue: each message is a record and a few texts of random sizes, made by
// one thread and freed by another. Prints what was freed. usage: bench-exchange PRODUCERS CONSUMERS MESSAGES (of each
// producer)

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUEUE = 256, TEXTS = 7 };

struct message {
    unsigned sum;
    char *texts[TEXTS];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    struct message *slots[QUEUE];
    unsigned head, count;
    int producing;
} queue = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, 0, 0};
static long messages;

static void put(struct message *message) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == QUEUE) pthread_cond_wait(&queue.emptied, &queue.lock);
    queue.slots[(queue.head + queue.count++) % QUEUE] = message;
    pthread_cond_signal(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
}

// NULL when all has been produced and taken.
static struct message *take(void) {
    struct message *message = NULL;
    pthread_mutex_lock(&queue.lock);
    while (queue.count == 0 && queue.producing > 0) pthread_cond_wait(&queue.filled, &queue.lock);
    if (queue.count > 0) {
        message = queue.slots[queue.head];
        queue.head = (queue.head + 1) % QUEUE;
        queue.count--;
        pthread_cond_signal(&queue.emptied);
    }
    pthread_mutex_unlock(&queue.lock);
    return message;
}

static void *produce(void *argument) {
    uint64_t random = 0x9e3779b97f4a7c15u * ((uintptr_t)argument + 1);
    for (long i = 0; i < messages; i++) {
        struct message *message = malloc(sizeof *message);
        if (!message) abort();
        message->sum = 0;
        for (int j = 0; j < TEXTS; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            unsigned size = 16 + (unsigned)(random % 240);
            message->texts[j] = malloc(size);
            if (!message->texts[j]) abort();
            message->texts[j][0] = (char)size;
            message->sum += (unsigned char)size;
        }
        put(message);
    }
    pthread_mutex_lock(&queue.lock);
    queue.producing--;
    pthread_cond_broadcast(&queue.filled);
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

static void *consume(void *argument) {
    uintptr_t freed = 0;
    (void)argument;
    for (struct message *message; (message = take()) != NULL;) {
        unsigned sum = 0;
        for (int j = 0; j < TEXTS; j++) {
            sum += (unsigned char)message->texts[j][0];
            free(message->texts[j]);
        }
        if (sum != message->sum) abort();
        free(message);
        freed += TEXTS + 1;
    }
    return (void *)freed;
}

int main(int argc, char **argv) {
    int producers = argc > 1 ? atoi(argv[1]) : 2, consumers = argc > 2 ? atoi(argv[2]) : 2;
    messages = argc > 3 ? atol(argv[3]) : 100000;
    queue.producing = producers;
    int count = producers + consumers;
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, i < producers ? produce : consume, (void *)(uintptr_t)i) != 0) abort();
    }
    uintptr_t freed = 0;
    for (int i = 0; i < count; i++) {
        void *result;
        pthread_join(threads[i], &result);
        freed += (uintptr_t)result;
    }
    free(threads);
    printf("%ju freed\n", (uintmax_t)freed);
    return 0;
}
