// Patterns that allocator benchmarks are known for, written anew and made to count themselves. Usage: stress PATTERN
// [THREADS [ROUNDS]]. Every block asked for is 13 bytes above a multiple of 16 long, carries its own size and is
// checked when it is freed. Prints "PATTERN allocations A frees F bytes B", to which a trace's rows of such sizes must
// come.
//   successors (larson): threads that hand their blocks to a successor and end, ROUNDS of them in each of THREADS
//   chains handover (xmalloc-test): makers and takers of batches      scratch, thrash (cache-scratch, cache-thrash):
//   tiny blocks exchange (mstress): blocks swapped between threads, some kept; threads end and begin again slots
//   (alloc-test): random slots of random sizes           fraction (cfrac): numbers in many short-lived blocks batches
//   (sh6bench): batches freed out of order              resizing: growing blocks, realloc and aligned ones arenas
//   (glibc bench-malloc-thread): sizes of inverse-square frequency
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 64, SLOTS = 500, BATCH = 128, EXCHANGED = 1000 };

typedef struct worker {
    uint64_t allocations, frees, bytes, random;
    int index, rounds;
    void **slots;
} worker;

static _Atomic uint64_t allocations, frees, bytes;
static int threads = 1, rounds = 0;

static void fail(const char *what) {
    fprintf(stderr, "stress: %s\n", what);
    _Exit(1);
}

static uint64_t next_random(worker *self) {
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

// At least 13 bytes, at most `most` rounded up; the size stands in the first word and its complement in the last byte.
static void *fill(void *block, size_t size) {
    if (block == NULL) fail("no memory");
    memcpy(block, &size, sizeof size);
    ((unsigned char *)block)[size - 1] = (unsigned char)~size;
    return block;
}

static size_t round_up(size_t size) { return (size & ~(size_t)15) + 13; }

static void *take(worker *self, size_t wanted) {
    size_t size = round_up(wanted);
    self->allocations++;
    self->bytes += size;
    return fill(malloc(size), size);
}

static size_t check(const void *block) {
    size_t size;
    memcpy(&size, block, sizeof size);
    if (size % 16 != 13 || ((const unsigned char *)block)[size - 1] != (unsigned char)~size)
        fail("a block was changed");
    return size;
}

static void give(worker *self, void *block) {
    if (block == NULL) return;
    check(block);
    self->frees++;
    free(block);
}

static void *resize(worker *self, void *block, size_t wanted) {
    size_t size = round_up(wanted), old = check(block);
    void *moved = realloc(block, size);
    if (moved == NULL) fail("no memory");
    size_t kept;
    memcpy(&kept, moved, sizeof kept);
    if (kept != old) fail("realloc lost the contents");
    self->frees++;
    self->allocations++;
    self->bytes += size;
    return fill(moved, size);
}

static void begin(worker *self, int index) {
    *self = (worker){.random = 0x9e3779b97f4a7c15u * (uint64_t)(index + 1), .index = index, .rounds = rounds};
}

static void end(const worker *self) {
    atomic_fetch_add(&allocations, self->allocations);
    atomic_fetch_add(&frees, self->frees);
    atomic_fetch_add(&bytes, self->bytes);
}

// Runs `body` on THREADS threads at once, each with a worker of its own.
static void run_workers(void (*body)(worker *));
static void (*worker_body)(worker *);
static void *enter(void *index) {
    worker self;
    begin(&self, (int)(intptr_t)index);
    worker_body(&self);
    end(&self);
    return NULL;
}
static void run_workers(void (*body)(worker *)) {
    pthread_t made[MAX_THREADS];
    worker_body = body;
    for (intptr_t i = 0; i < threads; i++)
        if (pthread_create(&made[i], NULL, enter, (void *)i) != 0) fail("no thread");
    for (int i = 0; i < threads; i++) pthread_join(made[i], NULL);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int chains_left;

static void *successor(void *context) {
    worker *self = context;
    for (int i = 0; i < 100; i++) {
        void **slot = &self->slots[next_random(self) % SLOTS];
        give(self, *slot);
        *slot = take(self, 8 + next_random(self) % 500);
    }
    if (--self->rounds > 0) {
        pthread_t next;
        pthread_attr_t detached;
        pthread_attr_init(&detached);
        pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
        while (pthread_create(&next, &detached, successor, self) != 0) sched_yield();
        pthread_attr_destroy(&detached);
        return NULL;
    }
    for (int i = 0; i < SLOTS; i++) give(self, self->slots[i]);
    end(self);
    pthread_mutex_lock(&lock);
    chains_left--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void successors(void) {
    static worker workers[MAX_THREADS];
    static void *slots[MAX_THREADS][SLOTS];
    if (rounds == 0) rounds = 500;
    chains_left = threads;
    for (int i = 0; i < threads; i++) {
        begin(&workers[i], i);
        workers[i].slots = slots[i];
        pthread_t first;
        if (pthread_create(&first, NULL, successor, &workers[i]) != 0) fail("no thread");
        pthread_detach(first);
    }
    pthread_mutex_lock(&lock);
    while (chains_left > 0) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

// One queue of batches between all; odd workers make, even ones free. A lone worker does both in turn.
typedef struct batch {
    struct batch *next;
    void *blocks[BATCH];
} batch;
static batch *queue;
static int queued, makers;

static void put(worker *self) {
    batch *made = malloc(sizeof *made);
    for (int i = 0; i < BATCH; i++) made->blocks[i] = take(self, 16 + next_random(self) % 300);
    pthread_mutex_lock(&lock);
    while (queued > 100) pthread_cond_wait(&changed, &lock);
    made->next = queue;
    queue = made;
    queued++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int get(worker *self) {
    pthread_mutex_lock(&lock);
    while (queue == NULL && makers > 0) pthread_cond_wait(&changed, &lock);
    batch *got = queue;
    if (got != NULL) {
        queue = got->next;
        queued--;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&lock);
    if (got == NULL) return 0;
    for (int i = 0; i < BATCH; i++) give(self, got->blocks[i]);
    free(got);
    return 1;
}

static void hand_over(worker *self) {
    if (threads > 1 && self->index % 2 == 0) {
        while (get(self)) continue;
        return;
    }
    for (int i = 0; i < self->rounds; i++) {
        put(self);
        if (threads == 1) get(self);
    }
    pthread_mutex_lock(&lock);
    makers--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void handover(void) {
    if (rounds == 0) rounds = 1000;
    makers = threads == 1 ? 1 : threads / 2;
    run_workers(hand_over);
}

static void *firsts[MAX_THREADS];

static void tiny(worker *self) {
    give(self, firsts[self->index]);  // scratch: made by main, side by side with the others'
    for (int i = 0; i < self->rounds; i++) {
        void *block = take(self, 8);
        for (int j = 0; j < 20; j++) ((volatile char *)block)[8]++;
        give(self, block);
    }
}

static void thrash(void) {
    if (rounds == 0) rounds = 50000;
    run_workers(tiny);
}

static void scratch(void) {
    worker self;
    begin(&self, 99);
    for (int i = 0; i < threads; i++) firsts[i] = take(&self, 8);
    end(&self);
    thrash();
}

static _Atomic(void *) exchanged[EXCHANGED];

static void exchange_some(worker *self) {
    void *kept[64] = {0};
    for (int i = 0; i < self->rounds; i++) {
        uint64_t random = next_random(self);
        // Now and then a large one, as real programs have.
        size_t size = random % 1000 == 0 ? 100000 + random % 100000 : 8u << random % 7;
        void *block = take(self, size);
        if (random % 3 == 0) {
            void **slot = &kept[random / 3 % 64];
            give(self, *slot);
            *slot = block;
        } else {
            give(self, atomic_exchange(&exchanged[random / 3 % EXCHANGED], block));
        }
    }
    for (int i = 0; i < 64; i++) give(self, kept[i]);
}

static void exchange(void) {
    if (rounds == 0) rounds = 2000;
    for (int i = 0; i < 20; i++) run_workers(exchange_some);
    worker self;
    begin(&self, 99);
    for (int i = 0; i < EXCHANGED; i++) give(&self, atomic_exchange(&exchanged[i], NULL));
    end(&self);
}

static void use_slots(worker *self) {
    void *slots[SLOTS] = {0};
    for (int i = 0; i < self->rounds; i++) {
        void **slot = &slots[next_random(self) % SLOTS];
        if (*slot != NULL) {
            give(self, *slot);
            *slot = NULL;
        } else {
            *slot = take(self, (size_t)1 << next_random(self) % 11);
        }
    }
    for (int i = 0; i < SLOTS; i++) give(self, slots[i]);
}

static void slots(void) {
    if (rounds == 0) rounds = 100000;
    run_workers(use_slots);
}

// The continued fraction of a square root in numbers of growing length, each step's in new blocks.
typedef struct number {
    size_t block_size;
    uint32_t count;
    uint32_t digits[];
} number;

static number *multiply_add(worker *self, const number *a, uint32_t factor, const number *b) {
    uint32_t most = a->count > b->count ? a->count : b->count;
    number *made = take(self, sizeof *made + 4 * (most + 1) + 8);
    uint64_t carry = 0;
    made->count = 0;
    for (uint32_t i = 0; i < most || carry != 0; i++) {
        carry += (i < a->count ? (uint64_t)a->digits[i] * factor : 0) + (i < b->count ? b->digits[i] : 0);
        made->digits[i] = (uint32_t)carry;
        made->count = i + 1;
        carry >>= 32;
    }
    return made;
}

static number *small_number(worker *self, uint32_t value) {
    number *made = take(self, sizeof *made + 4 + 8);
    made->count = 1;
    made->digits[0] = value;
    return made;
}

static void expand_fraction(worker *self) {
    for (int i = 0; i < self->rounds; i++) {
        uint32_t square = 2 + (uint32_t)(next_random(self) % 100000), root = 0;
        while ((uint64_t)(root + 1) * (root + 1) <= square) root++;
        if (root * root == square) continue;
        uint32_t m = 0, d = 1, a = root;
        number *before = small_number(self, 1), *now = small_number(self, root);
        for (int step = 0; step < 60; step++) {
            m = d * a - m;
            d = (square - m * m) / d;
            a = (root + m) / d;
            number *after = multiply_add(self, now, a, before);
            give(self, before);
            before = now;
            now = after;
        }
        give(self, before);
        give(self, now);
    }
}

static void fraction(void) {
    if (rounds == 0) rounds = 1000;
    run_workers(expand_fraction);
}

static void free_batches(worker *self) {
    enum { COUNT = 1000 };
    void *blocks[COUNT] = {0};
    for (int i = 0; i < self->rounds; i++) {
        size_t size = 1 + next_random(self) % 1000;
        for (int j = 0; j < COUNT; j++)
            if (blocks[j] == NULL) blocks[j] = take(self, size);
        int stride = 1 + (int)(next_random(self) % 5), backwards = i % 2;
        for (int j = 0; j < COUNT; j += stride) {
            void **block = &blocks[backwards ? COUNT - 1 - j : j];
            give(self, *block);
            *block = NULL;
        }
    }
    for (int j = 0; j < COUNT; j++) give(self, blocks[j]);
}

static void batches(void) {
    if (rounds == 0) rounds = 100;
    run_workers(free_batches);
}

static void resize_some(worker *self) {
    for (int i = 0; i < self->rounds; i++) {
        void *block = take(self, 16);
        for (size_t size = 32; size < 1u << 18; size *= 2) block = resize(self, block, size);
        for (size_t size = 1u << 17; size > 100; size /= 4) block = resize(self, block, size);
        give(self, block);
        size_t size = round_up(64u << i % 8);
        void *aligned = NULL;
        if (posix_memalign(&aligned, (size_t)64 << i % 8, size) != 0 || (uintptr_t)aligned % ((size_t)64 << i % 8) != 0)
            fail("posix_memalign");
        self->allocations++;
        self->bytes += size;
        give(self, fill(aligned, size));
        unsigned char *zeroed = calloc(1, size);
        for (size_t j = 0; j < size; j++)
            if (zeroed[j] != 0) fail("calloc left something");
        self->allocations++;
        self->bytes += size;
        give(self, fill(zeroed, size));
    }
}

static void resizing(void) {
    if (rounds == 0) rounds = 1000;
    run_workers(resize_some);
}

static void use_arenas(worker *self) {
    enum { WORKING_SET = 1024 };
    void **set = calloc(WORKING_SET, sizeof *set);
    for (int i = 0; i < self->rounds; i++) {
        uint64_t random = next_random(self);
        uint64_t inverse = (random >> 32) % 4096 + 1;
        size_t size = 4 + (size_t)(32768 / (inverse * inverse / 64 + 1));
        void **slot = &set[random % WORKING_SET];
        give(self, *slot);
        *slot = take(self, size);
    }
    for (int i = 0; i < WORKING_SET; i++) give(self, set[i]);
    free(set);
}

static void arenas(void) {
    if (rounds == 0) rounds = 100000;
    run_workers(use_arenas);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } patterns[] = {
        {"successors", successors}, {"handover", handover}, {"scratch", scratch},   {"thrash", thrash},
        {"exchange", exchange},     {"slots", slots},       {"fraction", fraction}, {"batches", batches},
        {"resizing", resizing},     {"arenas", arenas},
    };
    if (count > 2) threads = atoi(arguments[2]);
    if (count > 3) rounds = atoi(arguments[3]);
    if (threads < 1 || threads > MAX_THREADS) return 64;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (count < 2 || strcmp(arguments[1], patterns[i].name) != 0) continue;
        patterns[i].run();
        printf("%s allocations %llu frees %llu bytes %llu\n", patterns[i].name, (unsigned long long)allocations,
               (unsigned long long)frees, (unsigned long long)bytes);
        return 0;
    }
    return 64;
}
