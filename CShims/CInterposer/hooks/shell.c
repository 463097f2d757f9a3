// system() for a program whose children are followed. libc's own would have to be given our variables through the
// global `environ`, where the program's other threads see them, and where they would stay if this thread were
// cancelled.
//
// Cleanup by way of libc's own jump buffer: the other way needs the exception runtime, and we need libc alone.
#undef __EXCEPTIONS
#include "shell.h"

#include "hooked.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <system.h>
#include <unistd.h>

static struct sigaction interrupt_before, quit_before;
static unsigned waiting_for_shells;
static atomic_flag shells_locked = ATOMIC_FLAG_INIT;

static void lock_shells(void) {
    while (atomic_flag_test_and_set_explicit(&shells_locked, memory_order_acquire)) sched_yield();
}
static void unlock_shells(void) { atomic_flag_clear_explicit(&shells_locked, memory_order_release); }

typedef struct shell {
    pid_t pid;
    sigset_t mask;
} shell;

static void end_shell(const shell *s) {
    lock_shells();
    if (--waiting_for_shells == 0) {
        sigaction(SIGINT, &interrupt_before, NULL);
        sigaction(SIGQUIT, &quit_before, NULL);
    }
    sigprocmask(SIG_SETMASK, &s->mask, NULL);
    unlock_shells();
}

// The calling thread was cancelled while it waited.
static void abandon_shell(void *context) {
    shell *s = context;
    kill(s->pid, SIGKILL);
    while (ht_syscall(SYS_wait4, s->pid, 0, 0, 0, 0, 0) == -EINTR) continue;
    end_shell(s);
}

static int wait_for_shell(shell *s) {
    int status = -1;
    pid_t done;
    pthread_cleanup_push(abandon_shell, s);
    do done = waitpid(s->pid, &status, 0);
    while (done < 0 && errno == EINTR);
    if (done != s->pid) status = -1;
    pthread_cleanup_pop(0);
    return status;
}

// What libc's system does, with an environment of its own: the shell is given our variables, while the program's
// `environ` stays as it is for its other threads, and for this one, should it be cancelled here.
int ht_shell_run(const char *command) {
    static const struct sigaction ignore = {.sa_handler = SIG_IGN};
    shell s = {0};
    sigset_t children, usual;
    sigemptyset(&usual);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    lock_shells();
    if (waiting_for_shells++ == 0) {
        sigaction(SIGINT, &ignore, &interrupt_before);
        sigaction(SIGQUIT, &ignore, &quit_before);
    }
    sigprocmask(SIG_BLOCK, &children, &s.mask);
    if (interrupt_before.sa_handler != SIG_IGN) sigaddset(&usual, SIGINT);
    if (quit_before.sa_handler != SIG_IGN) sigaddset(&usual, SIGQUIT);
    unlock_shells();
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &s.mask);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    char *arguments[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)command, NULL};
    int error = posix_spawn(&s.pid, "/bin/sh", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    int status = error == 0 ? wait_for_shell(&s) : 127 << 8;
    int saved = error == 0 ? errno : error;
    end_shell(&s);
    errno = saved;
    return status;
}
