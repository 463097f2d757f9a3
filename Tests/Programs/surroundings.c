// Prints what a program can see of its surroundings: environment, open descriptors, signal mask, dispositions and threads.
// Run natively and under the recorder, the two must not differ.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <unistd.h>

extern char **environ;

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
    return 0;
}
