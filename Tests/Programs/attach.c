// A process to attach to. It checks itself: blocks are filled and looked at again, waits must end as they were meant
// to.
//
//   attach work THREADS    commands on standard input: "go N" has every thread do N operations and prints
//                          "ALLOCATIONS FREES REALLOCATIONS OLD BYTES" of that window, OLD of the frees and resizes
//                          being of blocks from before the first window; the end of the input ends it with "ok"
//   attach busy KIND       does KIND until standard input ends, then prints "ok"; KIND is churn, spawn, fork, load,
//   signals,
//                          waits
//   attach exec PROGRAM    waits for a line and executes PROGRAM
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <malloc.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 512, OLD_SLOTS = 64, THREADS_MAX = 64 };

static void fail(const char *what) {
    dprintf(2, "attach: %s (errno %d)\n", what, errno);
    _exit(9);
}

typedef struct block {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
    int old;
} block;

typedef struct counts {
    uint64_t allocations, frees, reallocations, old, bytes;
} counts;

typedef struct worker {
    pthread_t thread;
    block slots[SLOTS];
    counts made;
    uint64_t random;
    uint64_t operations;
    sem_t go, done;
} worker;

static worker workers[THREADS_MAX];
static atomic_int over;

static uint64_t next(worker *w) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static void fill(worker *w, block *b, void *bytes, size_t size) {
    if (bytes == NULL) fail("no memory");
    *b = (block){.bytes = bytes, .size = size, .mark = (unsigned char)next(w)};
    memset(bytes, b->mark, size);
}

static void look(const block *b, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (b->bytes[i] != b->mark) fail("a block changed");
    }
}

static void drop(worker *w, block *b) {
    look(b, b->size);
    free(b->bytes);
    w->made.frees++;
    w->made.old += (uint64_t)b->old;
    *b = (block){0};
}

// One operation of every allocation function in turn, on a random slot.
static void operate(worker *w) {
    block *b = &w->slots[next(w) % SLOTS];
    size_t size = 1 + next(w) % 3000;
    if (next(w) % 512 == 0) size += 200000;  // mapped on its own
    if (b->bytes != NULL && next(w) % 3 == 0) {
        block old = *b;
        w->made.frees++;
        w->made.allocations++;
        w->made.reallocations++;
        w->made.old += (uint64_t)old.old;
        w->made.bytes += size;
        unsigned char *moved = next(w) % 2 == 0 ? realloc(old.bytes, size) : reallocarray(old.bytes, 1, size);
        if (moved == NULL) fail("realloc");
        *b = (block){.bytes = moved, .size = size, .mark = old.mark};
        look(b, size < old.size ? size : old.size);
        fill(w, b, moved, size);
        return;
    }
    if (b->bytes != NULL) {
        drop(w, b);
        return;
    }
    void *bytes = NULL;
    switch (next(w) % 8) {
        case 0: bytes = calloc(1, size); break;
        case 1: bytes = realloc(NULL, size); break;
        case 2:
            if (posix_memalign(&bytes, 64, size) != 0) bytes = NULL;
            break;
        case 3: bytes = aligned_alloc(16, size = (size + 15) & ~(size_t)15); break;
        case 4: bytes = memalign(256, size); break;
        case 5: bytes = valloc(size); break;
        case 6: {
            // Its address: in a program that is not position-independent, that of a jump to it.
            void *(*volatile take)(size_t) = malloc;
            bytes = take(size);
            break;
        }
        default: bytes = malloc(size); break;
    }
    w->made.allocations++;
    w->made.bytes += size;
    fill(w, b, bytes, size);
}

static void *work(void *context) {
    worker *w = context;
    for (;;) {
        while (sem_wait(&w->go) != 0) {
            if (errno != EINTR) fail("sem_wait");
        }
        if (atomic_load(&over)) return NULL;
        for (uint64_t i = 0; i < w->operations; i++) operate(w);
        sem_post(&w->done);
    }
}

static void start_workers(int count) {
    for (int i = 0; i < count; i++) {
        worker *w = &workers[i];
        w->random = 0x9e3779b97f4a7c15ull * (uint64_t)(i + 1);
        sem_init(&w->go, 0, 0);
        sem_init(&w->done, 0, 0);
        for (int n = 0; n < OLD_SLOTS; n++) {
            fill(w, &w->slots[n * 7], malloc(100), 100);
            w->slots[n * 7].old = 1;
        }
        if (pthread_create(&w->thread, NULL, work, w) != 0) fail("pthread_create");
    }
}

// A line of standard input, without libc's buffers, which would be allocated.
static int read_line(char *line, size_t room) {
    size_t used = 0;
    while (used + 1 < room) {
        ssize_t count = read(0, line + used, 1);
        if (count < 0 && errno != EINTR) fail("read");
        if (count == 0) break;
        if (count < 0) continue;
        if (line[used++] == '\n') break;
    }
    line[used] = 0;
    return used > 0;
}

static void print_line(const char *format, const counts *c) {
    char line[256];
    int length =
        snprintf(line, sizeof line, format, (unsigned long long)c->allocations, (unsigned long long)c->frees,
                 (unsigned long long)c->reallocations, (unsigned long long)c->old, (unsigned long long)c->bytes);
    if (write(1, line, (size_t)length) != length) fail("write");
}

static void run_work(int count) {
    char line[64];
    start_workers(count);
    print_line("ready\n", &(counts){0});
    while (read_line(line, sizeof line)) {
        uint64_t operations = strtoull(line + 3, NULL, 10);
        counts sum = {0};
        for (int i = 0; i < count; i++) {
            workers[i].operations = operations;
            workers[i].made = (counts){0};
            sem_post(&workers[i].go);
        }
        for (int i = 0; i < count; i++) {
            while (sem_wait(&workers[i].done) != 0) continue;
            sum.allocations += workers[i].made.allocations;
            sum.frees += workers[i].made.frees;
            sum.reallocations += workers[i].made.reallocations;
            sum.old += workers[i].made.old;
            sum.bytes += workers[i].made.bytes;
        }
        print_line("%llu %llu %llu %llu %llu\n", &sum);
    }
    atomic_store(&over, 1);
    for (int i = 0; i < count; i++) sem_post(&workers[i].go);
    for (int i = 0; i < count; i++) pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < count; i++) {
        for (int n = 0; n < SLOTS; n++) {
            if (workers[i].slots[n].bytes != NULL) drop(&workers[i], &workers[i].slots[n]);
        }
    }
}

static void *churn(void *context) {
    worker *w = context;
    while (!atomic_load_explicit(&over, memory_order_relaxed)) operate(w);
    return NULL;
}

static void *spawn_short(void *context) {
    worker *w = context;
    for (int i = 0; i < 200; i++) operate(w);
    return NULL;
}

static void *spawn(void *context) {
    while (!atomic_load(&over)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, spawn_short, context) != 0) fail("pthread_create");
        if (pthread_join(thread, NULL) != 0) fail("pthread_join");
    }
    return NULL;
}

static void *fork_often(void *context) {
    worker *w = context;
    while (!atomic_load(&over)) {
        for (int i = 0; i < 100; i++) operate(w);
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            for (int i = 0; i < 100; i++) operate(w);
            _exit(0);
        }
        int status = -1;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
        if (status != 0) fail("a child failed");
    }
    return NULL;
}

static void *load_often(void *context) {
    worker *w = context;
    while (!atomic_load(&over)) {
        void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) fail("dlopen");
        double (*root)(double) = (double (*)(double))dlsym(library, "sqrt");
        if (root == NULL || root(4) != 2) fail("dlsym");
        for (int i = 0; i < 50; i++) operate(w);
        if (dlclose(library) != 0) fail("dlclose");
    }
    return NULL;
}

static atomic_ulong handled;

static void handle(int number) {
    (void)number;
    int saved = errno;
    void *bytes = malloc(33);
    if (bytes == NULL) fail("malloc in a handler");
    memset(bytes, 7, 33);
    free(bytes);
    atomic_fetch_add(&handled, 1);
    errno = saved;
}

// The handler allocates, as none should: the loop it interrupts does not.
static void *take_signals(void *context) {
    (void)context;
    volatile uint64_t sum = 0;
    while (!atomic_load(&over)) sum += 1;
    return NULL;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *wait_sleep(void *context) {
    (void)context;
    while (!atomic_load(&over)) {
        int64_t start = now_ms();
        struct timespec time = {.tv_nsec = 300000000};
        if (nanosleep(&time, NULL) != 0) fail("nanosleep");
        if (now_ms() - start < 299) fail("nanosleep was short");
    }
    return NULL;
}

static int pipes[3][2];

static void *wait_read(void *context) {
    (void)context;
    char byte;
    while (!atomic_load(&over)) {
        if (read(pipes[0][0], &byte, 1) != 1 || byte != 'x') fail("read");
    }
    return NULL;
}

static void *wait_epoll(void *context) {
    (void)context;
    int poller = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN}, seen;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, pipes[1][0], &wanted) != 0) fail("epoll_ctl");
    while (!atomic_load(&over)) {
        char byte;
        if (epoll_wait(poller, &seen, 1, 5000) != 1) fail("epoll_wait");
        if (read(pipes[1][0], &byte, 1) != 1) fail("read after epoll_wait");
    }
    return NULL;
}

static void *wait_poll(void *context) {
    (void)context;
    while (!atomic_load(&over)) {
        struct pollfd wanted = {.fd = pipes[2][0], .events = POLLIN};
        char byte;
        if (poll(&wanted, 1, 5000) != 1) fail("poll");
        if (read(pipes[2][0], &byte, 1) != 1) fail("read after poll");
    }
    return NULL;
}

static void *wait_semaphore(void *context) {
    int set = *(int *)context;
    while (!atomic_load(&over)) {
        struct sembuf take = {.sem_op = -1};
        if (semop(set, &take, 1) != 0) fail("semop");
    }
    return NULL;
}

static void *wait_condition(void *context) {
    (void)context;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    while (!atomic_load(&over)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) until = (struct timespec){until.tv_sec + 1, until.tv_nsec - 1000000000};
        pthread_mutex_lock(&lock);
        if (pthread_cond_timedwait(&condition, &lock, &until) != ETIMEDOUT) fail("pthread_cond_timedwait");
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void run_waits(void) {
    pthread_t threads[6];
    int set = semget(IPC_PRIVATE, 1, 0600);
    for (int i = 0; i < 3; i++) {
        if (pipe(pipes[i]) != 0) fail("pipe");
    }
    pthread_create(&threads[0], NULL, wait_sleep, NULL);
    pthread_create(&threads[1], NULL, wait_read, NULL);
    pthread_create(&threads[2], NULL, wait_epoll, NULL);
    pthread_create(&threads[3], NULL, wait_poll, NULL);
    pthread_create(&threads[4], NULL, wait_condition, NULL);
    pthread_create(&threads[5], NULL, wait_semaphore, &set);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    int ended = 0;
    // Every thread is woken every 400 ms: in between it waits, and is attached to there.
    do {
        int ready = poll(&input, 1, 400);
        if (ready < 0) fail("poll of the input");
        ended = ready > 0;
        if (ended) atomic_store(&over, 1);
        struct sembuf give = {.sem_op = 1};
        for (int i = 0; i < 3; i++) {
            if (write(pipes[i][1], "x", 1) != 1) fail("write");
        }
        if (semop(set, &give, 1) != 0) fail("semop to wake");
    } while (!ended);
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
    semctl(set, 0, IPC_RMID);
}

static void count_signal(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
}

// A signal every millisecond, to whatever thread the kernel picks among those that do not block it.
static void start_signals(void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, 1000}, {0, 1000}};
    sigset_t set;
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void run_busy(const char *kind) {
    static const struct {
        const char *name;
        void *(*run)(void *);
        int threads;
        void (*handler)(int);
    } kinds[] = {
        {"churn", churn, 8, NULL},
        {"spawn", spawn, 3, NULL},
        {"fork", fork_often, 1, NULL},
        {"load", load_often, 2, NULL},
        {"signals", take_signals, 1, handle},
        {"interrupts", churn, 3, count_signal},
    };
    if (strcmp(kind, "waits") == 0) {
        print_line("ready\n", &(counts){0});
        run_waits();
        return;
    }
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strcmp(kind, kinds[k].name) != 0) continue;
        for (int i = 0; i < kinds[k].threads; i++) {
            workers[i].random = 77u + (uint64_t)i;
            if (pthread_create(&workers[i].thread, NULL, kinds[k].run, &workers[i]) != 0) fail("pthread_create");
        }
        if (kinds[k].handler != NULL) start_signals(kinds[k].handler);
        print_line("ready\n", &(counts){0});
        char line[8];
        while (read_line(line, sizeof line)) continue;
        atomic_store(&over, 1);
        for (int i = 0; i < kinds[k].threads; i++) pthread_join(workers[i].thread, NULL);
        if (kinds[k].handler != NULL && atomic_load(&handled) == 0) fail("no signal came");
        return;
    }
    fail("no such kind");
}

int main(int argc, char **argv) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (argc == 3 && strcmp(argv[1], "work") == 0) run_work(atoi(argv[2]));
    else if (argc == 3 && strcmp(argv[1], "busy") == 0) run_busy(argv[2]);
    else if (argc == 3 && strcmp(argv[1], "exec") == 0) {
        char line[8];
        print_line("ready\n", &(counts){0});
        read_line(line, sizeof line);
        execl(argv[2], argv[2], (char *)NULL);
        fail("exec");
    } else return 64;
    print_line("ok\n", &(counts){0});
    return 0;
}
