// What programs do to themselves that recorders break on; the first argument names which. Every way checks itself and
// prints "ok"; the counts a trace can be held to stand beside each.
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int stop;

static void *take(size_t size) {
    char *volatile block = malloc(size);
    if (block) *block = 1;
    return block;
}

// fork-storm: 50 children forked while 8 threads allocate; each child allocates. The parent: 5,000 blocks of 18013.
static void *churn(void *unused) {
    while (!stop) {
        for (int i = 0; i < 200; i++) free(take(18041));
        // glibc's fork takes the allocator's locks, which are not fair: a thread that never rests can starve it.
        usleep(200);
    }
    return unused;
}

static void fork_storm(void) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, churn, NULL);
    for (int i = 0; i < 50; i++) {
        for (int j = 0; j < 100; j++) free(take(18013));
        pid_t child = fork();
        if (child == 0) {
            for (int j = 0; j < 100; j++) free(take(18043));
            _exit(33);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 33);
    }
    stop = 1;
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
}

// close-all: closes every descriptor above 2 and uses the numbers for files of its own, which nobody else may write to.
// 1,000 blocks of 18047, freed.
static void close_all(void) {
    for (int file = 3; file < 1024; file++) close(file);
    char names[16][32];
    int files[16];
    for (int i = 0; i < 16; i++) {
        strcpy(names[i], "/tmp/heaptrail-hazard-XXXXXX");
        files[i] = mkstemp(names[i]);
        CHECK(files[i] == 3 + i);
    }
    for (int i = 0; i < 1000; i++) free(take(18047));
    for (int i = 0; i < 16; i++) {
        CHECK(write(files[i], "mine", 4) == 4);
        CHECK(lseek(files[i], 0, SEEK_END) == 4);
        close(files[i]);
        unlink(names[i]);
    }
}

// limits: no more descriptors, no file may grow, little address space; 1,000 blocks of 18049, freed.
static void limits(void) {
    struct rlimit none = {3, 3}, empty = {0, RLIM_INFINITY}, any = {RLIM_INFINITY, RLIM_INFINITY};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    CHECK(setrlimit(RLIMIT_FSIZE, &empty) == 0);
    for (int i = 0; i < 500; i++) free(take(18049));
    struct rlimit little = {1, 1};
    CHECK(setrlimit(RLIMIT_AS, &little) == 0);
    CHECK(take((size_t)1 << 30) == NULL);
    for (int i = 0; i < 500; i++) free(take(18049));
    CHECK(setrlimit(RLIMIT_FSIZE, &any) == 0);  // "ok" may go to a file
}

// cancel: 100 threads cancelled, deferred, while they allocate and free.
static void *until_cancelled(void *unused) {
    for (;;) {
        free(take(18059));
        pthread_testcancel();
    }
    return unused;
}

static void cancel(void) {
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, until_cancelled, NULL);
        pthread_cancel(thread);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
    }
}

// cancel-pending: 20 threads that are to be cancelled at their next cancellation point make 50,000 blocks of 18119 each,
// freed, before they come to one: no allocation function is one, not even where it waits.
static void *with_cancel_pending(void *passed) {
    pthread_cancel(pthread_self());
    for (int i = 0; i < 50000; i++) free(take(18119));
    *(int *)passed = 1;
    pthread_testcancel();
    *(int *)passed = 2;
    return NULL;
}

static void cancel_pending(void) {
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        void *result;
        int passed = 0;
        CHECK(pthread_create(&thread, NULL, with_cancel_pending, &passed) == 0);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED && passed == 1);
    }
}

// coroutines: 1,000 switches between main and a stack of its own; 1,000 blocks of 18061 made there, freed in main.
static ucontext_t in_main, in_coroutine;
static void *handed_over;

__attribute__((noinline)) void coroutine(void) {
    for (;;) {
        handed_over = take(18061);
        swapcontext(&in_coroutine, &in_main);
    }
}

static void coroutines(void) {
    static char stack[256 << 10];
    getcontext(&in_coroutine);
    in_coroutine.uc_stack.ss_sp = stack;
    in_coroutine.uc_stack.ss_size = sizeof stack;
    makecontext(&in_coroutine, coroutine, 0);
    for (int i = 0; i < 1000; i++) {
        swapcontext(&in_main, &in_coroutine);
        free(handed_over);
    }
}

// elsewhere: another folder, another file mask, another user where it may; 100 blocks of 18077.
static void elsewhere(void) {
    CHECK(chdir("/") == 0);
    umask(0777);
    if (geteuid() == 0) CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    for (int i = 0; i < 100; i++) take(18077);
}

// daemon: the parent leaves at once, its child goes on in a session of its own and closes everything; 10 blocks of 18089.
static void become_daemon(void) {
    for (int i = 0; i < 10; i++) take(18089);
    if (fork() != 0) return;
    setsid();
    for (int file = 0; file < 1024; file++) close(file);
    for (int i = 0; i < 10; i++) take(18089);
    _exit(0);
}

// broken-pipe: a write to a closed pipe ends the program by SIGPIPE, as it does natively.
static void broken_pipe(void) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    take(18097);
    (void)!write(ends[1], "x", 1);
    puts("survived");
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {
        {"fork-storm", fork_storm}, {"close-all", close_all}, {"limits", limits}, {"cancel", cancel}, {"cancel-pending", cancel_pending},
        {"coroutines", coroutines}, {"elsewhere", elsewhere}, {"daemon", become_daemon}, {"broken-pipe", broken_pipe},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (count < 2 || strcmp(arguments[1], ways[i].name) != 0) continue;
        ways[i].run();
        puts("ok");
        return 0;
    }
    return 64;
}
