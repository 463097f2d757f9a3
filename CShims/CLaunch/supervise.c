// A process that outlives the tool: the caller goes on in a child of its own, and the process that was started waits
// for that child, passes signals on to it, and ends whatever it leaves behind. Whichever of the two is killed, the
// other one is told by the kernel: the child by a SIGTERM, on which it ends its programs; the supervisor by becoming
// the parent of all that the child had started, daemons among them. Linux only.

#include "CLaunch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Descriptors 0, 1 and 2 of a tool that was started without them are nobody else's.
static void descriptors_fill(void) {
    int lowest;
    while ((lowest = open("/dev/null", O_RDWR)) >= 0 && lowest <= 2) {
    }
    if (lowest > 2) close(lowest);
}

// The signals that are passed on, those that are not ignored, and word of children.
static sigset_t awaited_signals(void) {
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGCHLD);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&awaited, signals[i]);
    }
    return awaited;
}

// Kills and reaps the children of this process until it has none: those of what is killed become its own.
static void children_end(void) {
    char name[64];
    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    for (;;) {
        int pid, found = 0;
        FILE *children = fopen(name, "re");
        while (children && fscanf(children, "%d", &pid) == 1) {
            kill(pid, SIGKILL);
            found++;
        }
        if (children) fclose(children);
        if (!found) return;
        while (found-- > 0 && waitpid(-1, NULL, 0) > 0) {
        }
    }
}

// Waits for a signal that is not of interest to this process itself, and for the end of `child`. Returns its status.
static int child_wait(pid_t child, const sigset_t *awaited) {
    for (;;) {
        int status;
        pid_t ended;
        while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
            if (ended == child) return status;
        }
        if (ended < 0 && errno == ECHILD) return 0;
        siginfo_t information;
        int number = sigwaitinfo(awaited, &information);
        // What was typed at the terminal the child has already.
        if (number > 0 && number != SIGCHLD && information.si_code != SI_KERNEL) kill(child, number);
    }
}

_Noreturn static void end_as(int status) {
    if (WIFSIGNALED(status)) {
        // As the child ended, and without its core once more.
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(WTERMSIG(status), SIG_DFL);
        sigset_t number;
        sigemptyset(&number);
        sigaddset(&number, WTERMSIG(status));
        raise(WTERMSIG(status));
        sigprocmask(SIG_UNBLOCK, &number, NULL);
        _exit(128 + WTERMSIG(status));
    }
    _exit(WEXITSTATUS(status));
}

int32_t ht_launch_supervise(void) {
    sigset_t awaited = awaited_signals(), before;
    pid_t parent = getpid();
    descriptors_fill();
    // Where it is ignored, the kernel reaps children itself and there is nothing to wait for.
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &awaited, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        sigprocmask(SIG_SETMASK, &before, NULL);
        return error;
    }
    if (child > 0) {
        int status = child_wait(child, &awaited);
        children_end();
        end_as(status);
    }
    // Being a subreaper is not inherited.
    prctl(PR_SET_PDEATHSIG, (long)SIGTERM, 0L, 0L, 0L);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (getppid() != parent) raise(SIGTERM);
    return 0;
}
