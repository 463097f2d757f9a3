// A parent with 100 blocks of 13001 bytes and a child with blocks of its own, made in the way the first argument names.
//   fork: the child makes 40 of 13003 and frees 10 of the parent's      child: the program that the other ways start, 30 of 13007
// Prints the child's process id, then what it left behind.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void *blocks[100];

static void make(int count, size_t size) {
    for (int i = 0; i < count; i++) {
        char *volatile block = malloc(size);
        *block = 1;
    }
}

static int child_of_fork(void) {
    for (int i = 0; i < 10; i++) free(blocks[i]);
    make(40, 13003);
    return 21;
}

int main(int count, char **arguments) {
    const char *how = count > 1 ? arguments[1] : "fork";
    char *command[] = {arguments[0], "child", NULL};
    if (strcmp(how, "child") == 0) {
        make(30, 13007);
        return 22;
    }
    for (int i = 0; i < 100; i++) blocks[i] = malloc(13001);

    pid_t child = 0;
    int status = 0;
    if (strcmp(how, "system") == 0) {
        char line[4200];
        snprintf(line, sizeof line, "%s child", arguments[0]);
        status = system(line);
    } else if (strcmp(how, "spawn") == 0) {
        posix_spawn(&child, arguments[0], NULL, NULL, command, environ);
    } else if (strcmp(how, "vfork") == 0) {
        child = vfork();
        if (child == 0) {
            execve(arguments[0], command, environ);
            _exit(99);
        }
    } else {
        fflush(stdout);
        child = fork();
        if (child == 0 && strcmp(how, "fork") == 0) _exit(child_of_fork());
        if (child == 0) {
            execv(arguments[0], command);
            _exit(99);
        }
    }
    if (child > 0) waitpid(child, &status, 0);
    make(5, 13009);
    printf("%d %d\n", (int)child, WEXITSTATUS(status));
    return 23;
}
