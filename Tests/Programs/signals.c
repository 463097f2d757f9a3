// Signal handlers that allocate, jump and fork while they interrupt malloc, free and whatever recorder is beneath them.
// A handler keeps out of libc's own code, where no allocation is allowed natively either: it does nothing when it
// interrupted that. The first argument names the way; every way prints "ok LOOPED HANDLED".
//   tick: SIGPROF a thousand times a second on an 8 KiB alternate stack; blocks of 20011 in the loop, 20021 in the
//   handler storm: the same with threads that signal each other without pause, 20023 and 20029, C++-like nesting two
//   deep jump: the handler leaves by siglongjmp, 20047 in the loop (its blocks are kept in a table, so none is lost),
//   20051 fork: the handler forks; the child makes one of 20063 and leaves; 20071 in the loop cancel: 200 threads
//   cancelled asynchronously in a loop of 20089 that runs with cancellation off around the calls
#include "check.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static uintptr_t libc_start, libc_end, loader_start, loader_end;
static _Atomic unsigned long handled, looped;
static size_t handler_size;
static __thread sigjmp_buf out;
static __thread volatile sig_atomic_t may_jump, busy;

static int find_libc(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size;
    (void)unused;
    int is_libc = strstr(info->dlpi_name, "/libc.so") != NULL, is_loader = strstr(info->dlpi_name, "/ld-linux") != NULL;
    if (!is_libc && !is_loader) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = start + info->dlpi_phdr[i].p_memsz;
        if (is_libc) libc_start = start, libc_end = end;
        else loader_start = start, loader_end = end;
    }
    return 0;
}

static void *take(size_t size) {
    char *volatile block = malloc(size);
    CHECK(block != NULL);
    *block = 1;
    return block;
}

// Whether the interrupted code is libc's, or may have been called by it.
static int in_libc(void *context) {
    uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    return (at >= libc_start && at < libc_end) || (at >= loader_start && at < loader_end);
}

static void allocate(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if (in_libc(context) || busy) return;
    busy = 1;
    free(take(handler_size));
    busy = 0;
    atomic_fetch_add(&handled, 1);
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART | flags};
    CHECK(sigaction(number, &action, NULL) == 0);
}

static void start_ticks(int number, long interval_ns, timer_t *timer) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number};
    struct itimerspec interval = {{0, interval_ns}, {0, interval_ns}};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, timer) == 0);
    CHECK(timer_settime(*timer, 0, &interval, NULL) == 0);
}

static void use_alternate_stack(size_t size) {
    stack_t stack = {.ss_sp = calloc(1, size), .ss_size = size};
    CHECK(sigaltstack(&stack, NULL) == 0);
}

static void tick(void) {
    timer_t timer;
    handler_size = 20021;
    use_alternate_stack(8192);
    install(SIGPROF, allocate, SA_ONSTACK);
    start_ticks(SIGPROF, 1000000, &timer);
    for (; atomic_load(&handled) < 300 && looped < 50000000; looped++) free(take(20011));
    timer_delete(timer);
}

static _Atomic int stop;
static pthread_t loopers[4];
static void *loop(void *unused) {
    for (int i = 0; i < 200000; i++) free(take(20023));
    atomic_fetch_add(&looped, 200000);
    atomic_fetch_add(&stop, 1);
    while (stop < 4) usleep(1000);
    return unused;
}

static void storm(void) {
    handler_size = 20029;
    install(SIGUSR1, allocate, 0);
    for (int i = 0; i < 4; i++) pthread_create(&loopers[i], NULL, loop, NULL);
    for (int i = 0; stop < 4; i++) pthread_kill(loopers[i % 4], SIGUSR1);
    for (int i = 0; i < 4; i++) pthread_join(loopers[i], NULL);
}

static void jump_out(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if (in_libc(context) || !may_jump) return;
    may_jump = 0;
    free(take(20051));
    atomic_fetch_add(&handled, 1);
    siglongjmp(out, 1);
}

static void jump(void) {
    static void *volatile block;
    timer_t timer;
    use_alternate_stack(65536);
    install(SIGPROF, jump_out, SA_ONSTACK);
    start_ticks(SIGPROF, 1000000, &timer);
    for (; atomic_load(&handled) < 100 && looped < 50000000; looped++) {
        block = NULL;
        if (sigsetjmp(out, 1) == 0) {
            may_jump = 1;
            block = take(20047);
            may_jump = 0;
        }
        free(block);
    }
    timer_delete(timer);
}

static void fork_there(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if (in_libc(context) || atomic_load(&handled) >= 100) return;
    pid_t child = fork();
    if (child == 0) {
        free(take(20063));
        _exit(9);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 9);
    atomic_fetch_add(&handled, 1);
}

static void fork_in_handler(void) {
    timer_t timer;
    install(SIGPROF, fork_there, 0);
    start_ticks(SIGPROF, 1000000, &timer);
    for (; atomic_load(&handled) < 100; looped++) free(take(20071));
    timer_delete(timer);
}

// Neither malloc nor free is a cancellation point: only the empty loop can be cut short.
static void *until_cancelled(void *unused) {
    for (int old;;) {
        free(take(20089));
        atomic_fetch_add(&looped, 1);
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
        for (volatile int i = 0; i < 100; i++) continue;
        pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
    }
    return unused;
}

static void cancel(void) {
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        void *result;
        CHECK(pthread_create(&thread, NULL, until_cancelled, NULL) == 0);
        usleep(100);
        pthread_cancel(thread);
        CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        atomic_fetch_add(&handled, 1);
    }
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {{"tick", tick}, {"storm", storm}, {"jump", jump}, {"fork", fork_in_handler}, {"cancel", cancel}};
    dl_iterate_phdr(find_libc, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (count < 2 || strcmp(arguments[1], ways[i].name) != 0) continue;
        ways[i].run();
        printf("ok %lu %lu\n", atomic_load(&looped), atomic_load(&handled));
        return 0;
    }
    return 64;
}
