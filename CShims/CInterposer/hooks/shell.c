// system() and popen() for a program whose children are followed. libc's own would have to be given our variables
// through the global `environ`, where the program's other threads see them, and where they would stay if this thread
// were cancelled.
//
// Cleanup by way of libc's own jump buffer: the other way needs the exception runtime, and we need libc alone.
#undef __EXCEPTIONS
#include "shell.h"

#include "environment.h"
#include "hooked.h"

#include <alloca.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
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

// In single quotes, where a shell leaves everything but the quote as it is.
static char *append_quoted(char *out, const char *text, const char *end) {
    *out++ = '\'';
    for (; text != end; text++) {
        if (*text == '\'') out = stpcpy(out, "'\\'");
        *out++ = *text;
    }
    *out++ = '\'';
    *out = 0;
    return out;
}

static size_t quoted_bytes(const char *text) {
    size_t bytes = 2;
    for (; *text != 0; text++) bytes += *text == '\'' ? 4 : 1;
    return bytes;
}

// libc's popen starts its shell from within, with the global environment, and keeps the list of its streams to itself:
// it is left to do that. What the shell is told first is to become another one, with our variables.
char *ht_shell_wrap(const char *command, size_t *bytes) {
    enum { ARGUMENT_MAX = 128 << 10 };  // of the kernel's
    ht_environment_size size = ht_environment_measure(environ);
    char **copy = alloca(size.pointers * sizeof(char *));
    char *text = alloca(size.bytes);
    ht_environment_fill(environ, HT_ROLE_CHILD, copy, text);
    static const char start[] = "exec /bin/sh -c ";
    size_t wanted = sizeof start + quoted_bytes(command) + sizeof " sh";
    for (char **entry = copy; *entry != NULL; entry++) {
        if (*entry >= text && *entry < text + size.bytes) wanted += sizeof "export ; " + quoted_bytes(*entry);
    }
    if (wanted > ARGUMENT_MAX) return NULL;
    *bytes = wanted;
    char *made = ht_map_pages(wanted);
    if (made == NULL) return NULL;
    char *out = made;
    for (char **entry = copy; *entry != NULL; entry++) {
        if (*entry < text || *entry >= text + size.bytes) continue;
        const char *value = strchr(*entry, '=') + 1;
        out = mempcpy(stpcpy(out, "export "), *entry, (size_t)(value - *entry));
        out = stpcpy(append_quoted(out, value, value + strlen(value)), "; ");
    }
    out = append_quoted(stpcpy(out, start), command, command + strlen(command));
    // The name by which the shell calls itself in its messages.
    stpcpy(out, " sh");
    return made;
}
