// What a program may do with its children and as a child, which a recorder that is a process beside it could disturb.
// The first argument names the way; every way checks itself and prints "ok".
//   waits: no child but the program's own is ever waited for, no SIGCHLD arrives but theirs; 50,000 blocks of 22003
//   traced: the program offers itself to be traced (PTRACE_TRACEME), and allocates on; 1,000 blocks of 22013
//   tracer: a child of its own is traced, stopped and read by the program while it allocates 22027; the program makes
//     1,000 blocks of 22031
//   examined: while the program makes blocks of 22037, a child attaches to it and lets go, 20 times, as a debugger
//   does;
//     prints "ok" and how many blocks it made, or "not permitted"
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t children_told;

static void count_child(int number) { children_told += number == SIGCHLD; }

static void use(size_t size) {
    char *volatile block = malloc(size);
    CHECK(block != NULL);
    *block = 1;
    free(block);
}

static void expect_no_child(void) {
    siginfo_t info;
    struct rusage usage;
    int status;
    errno = 0;
    CHECK(wait(&status) == -1 && errno == ECHILD);
    errno = 0;
    CHECK(waitpid(-1, &status, WNOHANG | __WALL) == -1 && errno == ECHILD);
    errno = 0;
    CHECK(waitpid(0, &status, __WALL) == -1 && errno == ECHILD);
    errno = 0;
    CHECK(wait4(-1, &status, WNOHANG | __WCLONE, &usage) == -1 && errno == ECHILD);
    errno = 0;
    CHECK(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void waits(void) {
    struct sigaction action = {.sa_handler = count_child};
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    expect_no_child();
    for (int i = 0; i < 25000; i++) use(22003);
    expect_no_child();
    CHECK(children_told == 0);
    for (int i = 1; i <= 5; i++) {
        pid_t child = fork();
        if (child == 0) _exit(i);
        int status;
        while (wait(&status) != child) CHECK(errno == EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == i && children_told == i);
    }
    for (int i = 0; i < 25000; i++) use(22003);
    expect_no_child();
    CHECK(children_told == 5);
    struct rusage usage;
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_utime.tv_sec == 0);
}

static void traced(void) {
    CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    for (int i = 0; i < 1000; i++) use(22013);
}

static volatile long word = 41;

static void tracer(void) {
    pid_t child = fork();
    if (child == 0) {
        CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
        for (int i = 0; i < 100; i++) use(22027);
        raise(SIGSTOP);
        for (int i = 0; i < 100; i++) use(22027);
        _exit(word == 42 ? 17 : 1);
    }
    for (int i = 0; i < 1000; i++) use(22031);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(ptrace(PTRACE_PEEKDATA, child, (void *)(uintptr_t)&word, NULL) == 41);
    CHECK(ptrace(PTRACE_POKEDATA, child, (void *)(uintptr_t)&word, (void *)42) == 0);
    CHECK(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 17);
}

static void examined(void) {
    pid_t self = getpid();
    int allowed[2], status = 0;
    char byte = 0;
    CHECK(pipe(allowed) == 0);
    pid_t child = fork();
    if (child == 0) {
        if (read(allowed[0], &byte, 1) != 1) _exit(1);
        for (int i = 0; i < 20; i++) {
            int stopped;
            if (ptrace(PTRACE_ATTACH, self, NULL, NULL) != 0) _exit(errno == EPERM ? 2 : 1);
            if (waitpid(self, &stopped, 0) != self || !WIFSTOPPED(stopped)) _exit(1);
            errno = 0;
            if (ptrace(PTRACE_PEEKDATA, self, (void *)(uintptr_t)&word, NULL) != 41 || errno != 0) _exit(1);
            if (ptrace(PTRACE_DETACH, self, NULL, NULL) != 0) _exit(1);
            usleep(1000);
        }
        _exit(0);
    }
    prctl(PR_SET_PTRACER, child);
    CHECK(write(allowed[1], "x", 1) == 1);
    long made = 0;
    for (; waitpid(child, &status, WNOHANG) == 0; made += 100)
        for (int i = 0; i < 100; i++) use(22037);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    if (WEXITSTATUS(status) == 2) puts("not permitted");
    printf("%ld blocks\n", made);
}

int main(int count, char **arguments) {
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {{"waits", waits}, {"traced", traced}, {"tracer", tracer}, {"examined", examined}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (count < 2 || strcmp(arguments[1], ways[i].name) != 0) continue;
        ways[i].run();
        puts("ok");
        return 0;
    }
    return 64;
}
