// Prints what a program can see of its surroundings: environment, open descriptors, signal mask, dispositions, threads,
// limits, timers, children, what prctl tells, its own status, and how many mappings it has (in hundreds).
// Run natively and under the recorder, the two must not differ.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <unistd.h>

extern char **environ;

static void print_status(void) {
    static const char *const wanted[] = {"Name:",   "Umask:",  "TracerPid:", "Uid:",          "NoNewPrivs:", "Seccomp:",
                                         "ShdPnd:", "SigPnd:", "SigIgn:",    "Cpus_allowed:", "CapEff:",     "VmLck:"};
    char line[512];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0) printf("status %s", line);
        }
    }
    if (status != NULL) fclose(status);
    int mappings = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) mappings += strchr(line, '\n') != NULL;
    if (maps != NULL) fclose(maps);
    printf("mappings %d00\n", mappings / 100);
}

static void print_rest(void) {
    for (int resource = 0; resource < 16; resource++) {
        struct rlimit limit;
        if (getrlimit(resource, &limit) == 0)
            printf("limit %d %llu %llu\n", resource, (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
    }
    for (int which = 0; which < 3; which++) {
        struct itimerval timer;
        getitimer(which, &timer);
        printf("timer %d %d\n", which, timer.it_value.tv_sec != 0 || timer.it_value.tv_usec != 0);
    }
    int number = 0;
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    printf("name %s\n", name);
    printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
    printf("parent's death %d %d\n", prctl(PR_GET_PDEATHSIG, &number), number);
    number = 0;
    printf("subreaper %d %d\n", prctl(PR_GET_CHILD_SUBREAPER, &number), number);
    printf("personality %x\n", (unsigned)personality(0xffffffff));
    errno = 0;
    int child = waitpid(-1, NULL, WNOHANG | __WALL);
    printf("children %d %d\n", child, errno);
    printf("priority %d\n", getpriority(PRIO_PROCESS, 0));
    print_status();
}

int main(void) {
    for (char **variable = environ; *variable; variable++) printf("environment %s\n", *variable);
    for (int file = 0; file < 1024; file++) {
        int flags = fcntl(file, F_GETFD);
        if (flags >= 0) printf("descriptor %d %d\n", file, flags);
    }
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int number = 1; number < 65; number++) {
        struct sigaction action;
        if (sigismember(&mask, number) == 1) printf("blocked %d\n", number);
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) printf("handled %d\n", number);
    }
    DIR *tasks = opendir("/proc/self/task");
    int threads = 0;
    for (struct dirent *task; (task = readdir(tasks));) threads += task->d_name[0] != '.';
    closedir(tasks);
    printf("threads %d\n", threads);
    print_rest();
    return 0;
}
