// Threads that allocate, in the way the first argument names; every way prints "ok".
//   short-lived: 1,000 threads one after another (20 at a time), each 3 blocks of 14009 bytes, all freed
//   handover: 4 makers of 500 blocks of 14011 bytes, each freed by another thread
//   destructors: 50 threads whose key destructors free a block of 14029 and make and free one of 14033
//   small-stacks: 64 threads on 16 KiB, each one block of 14051, freed
//   alive: 6,000 threads alive at once, each 10 blocks of 14083 before and 10 of 14087 after all have begun, freed;
//     prints "too few" where the machine allows fewer
//   named-briefly: 20 threads that name themselves "brief-N", one block of 14093 each (before the name where N is odd),
//   and end named: threads "maker" and "idler", 10 blocks of 14057 and 2 of 14071, none freed; they live
//     long enough for an onlooker to read their names
#define THREADS 20
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_key_t key;

static void *use(size_t size) {
    char *volatile block = malloc(size);
    *block = 1;
    return block;
}

static void *short_lived(void *unused) {
    void *blocks[3];
    for (int i = 0; i < 3; i++) blocks[i] = use(14009);
    for (int i = 0; i < 3; i++) free(blocks[i]);
    return unused;
}

static void *handover_make(void *unused) {
    void **blocks = malloc(500 * sizeof *blocks);
    (void)unused;
    for (int i = 0; i < 500; i++) blocks[i] = use(14011);
    return blocks;
}

static void *handover_free(void *blocks) {
    for (int i = 0; i < 500; i++) free(((void **)blocks)[i]);
    free(blocks);
    return NULL;
}

static void destroy(void *block) {
    free(block);
    free(use(14033));
}

static void *with_destructor(void *unused) {
    pthread_setspecific(key, use(14029));
    return unused;
}

static void *on_small_stack(void *unused) {
    free(use(14051));
    return unused;
}

static pthread_barrier_t all;
static void *alive(void *unused) {
    for (int i = 0; i < 10; i++) free(use(14083));
    pthread_barrier_wait(&all);
    for (int i = 0; i < 10; i++) free(use(14087));
    return unused;
}

static void many_alive(void) {
    enum { COUNT = 6000 };
    static pthread_t threads[COUNT];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_barrier_init(&all, NULL, COUNT);
    for (int i = 0; i < COUNT; i++) {
        if (pthread_create(&threads[i], &attributes, alive, NULL) == 0) continue;
        puts("too few");
        exit(0);
    }
    for (int i = 0; i < COUNT; i++) pthread_join(threads[i], NULL);
}

static void *named_briefly(void *number) {
    char name[16];
    int count = *(int *)number;
    snprintf(name, sizeof name, "brief-%d", count);
    if (count % 2 == 1) free(use(14093));
    pthread_setname_np(pthread_self(), name);
    if (count % 2 == 0) free(use(14093));
    return NULL;
}

static void *named(void *size) {
    int is_maker = *(size_t *)size == 14057;
    pthread_setname_np(pthread_self(), is_maker ? "maker" : "idler");
    for (int i = 0; i < (is_maker ? 10 : 2); i++) use(*(size_t *)size);
    usleep(600000);
    return NULL;
}

static void run(int count, const pthread_attr_t *attributes, void *(*body)(void *)) {
    while (count > 0) {
        pthread_t threads[THREADS];
        int batch = count < THREADS ? count : THREADS;
        for (int i = 0; i < batch; i++)
            if (pthread_create(&threads[i], attributes, body, NULL) != 0) exit(1);
        for (int i = 0; i < batch; i++) pthread_join(threads[i], NULL);
        count -= batch;
    }
}

static void handover(void) {
    pthread_t makers[4], takers[4];
    for (int i = 0; i < 4; i++) pthread_create(&makers[i], NULL, handover_make, NULL);
    for (int i = 0; i < 4; i++) {
        void *blocks;
        pthread_join(makers[i], &blocks);
        pthread_create(&takers[i], NULL, handover_free, blocks);
    }
    for (int i = 0; i < 4; i++) pthread_join(takers[i], NULL);
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "short-lived";
    if (strcmp(how, "short-lived") == 0) run(1000, NULL, short_lived);
    if (strcmp(how, "handover") == 0) handover();
    if (strcmp(how, "alive") == 0) many_alive();
    if (strcmp(how, "named-briefly") == 0) {
        for (int i = 0; i < THREADS; i++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, named_briefly, &i) != 0) return 1;
            pthread_join(thread, NULL);
        }
    }
    if (strcmp(how, "destructors") == 0) {
        pthread_key_create(&key, destroy);
        run(50, NULL, with_destructor);
    }
    if (strcmp(how, "small-stacks") == 0) {
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN > 16384 ? (size_t)PTHREAD_STACK_MIN : 16384);
        run(64, &attributes, on_small_stack);
    }
    if (strcmp(how, "named") == 0) {
        pthread_t maker, idler;
        size_t sizes[2] = {14057, 14071};
        pthread_create(&maker, NULL, named, &sizes[0]);
        pthread_create(&idler, NULL, named, &sizes[1]);
        pthread_join(maker, NULL);
        pthread_join(idler, NULL);
    }
    puts("ok");
}
