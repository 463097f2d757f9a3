// What system() and popen() promise, printed, so that a native run and a recorded one can be compared: statuses, the
// environment that the shell and this process see, signals while one waits, cancellation, SIGCHLD ignored.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void print_disposition(const char *when) {
    struct sigaction action;
    sigaction(SIGINT, NULL, &action);
    printf("%s: interrupts %s\n", when, action.sa_handler == SIG_IGN ? "ignored" : "as before");
}

static void *wait_long(void *unused) {
    system("sleep 3 >/dev/null 2>&1");
    return unused;
}

static int count_variables(void) {
    int count = 0;
    for (char **variable = environ; *variable; variable++) {
        count += strncmp(*variable, "HEAPTRAIL_", 10) == 0 || strncmp(*variable, "LD_PRELOAD=", 11) == 0;
    }
    return count;
}

static char **usual_environment;
static atomic_bool watching = true;

// Whether the process ever has another environment, as a thread of its own sees it.
static void *watch_environment(void *unused) {
    (void)unused;
    bool changed = false;
    while (atomic_load(&watching)) changed |= *(char **volatile *)&environ != usual_environment;
    return (void *)(intptr_t)changed;
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("exit %d\n", system("exit 3"));
    printf("killed %d\n", system("kill -9 $$"));
    printf("missing %d\n", system("no-such-command-at-all 2>/dev/null"));
    printf("shell %d\n", system(NULL) != 0);
    setenv("OWN", "value", 1);
    printf("variable %d\n", system("test \"$OWN\" = value"));
    system("env | grep -c -e HEAPTRAIL_ -e LD_PRELOAD");

    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, wait_long, NULL);
    usleep(300000);
    print_disposition("while a thread waits");
    printf("variables of others %d\n", count_variables());
    setenv("MEANWHILE", "set", 1);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);
    print_disposition("after that");
    printf("kept %s, variables %d\n", getenv("MEANWHILE"), count_variables());

    signal(SIGCHLD, SIG_IGN);
    errno = 0;
    int status = system("true");
    printf("children ignored %d %s\n", status, strerror(errno));
    signal(SIGCHLD, SIG_DFL);

    FILE *pipe = popen("echo from the shell; exit 4", "r");
    char line[64] = "";
    if (pipe == NULL || fgets(line, sizeof line, pipe) == NULL) return 1;
    printf("%sclosed %d\n", line, pclose(pipe));

    usual_environment = environ;
    pthread_create(&thread, NULL, watch_environment, NULL);
    for (int i = 0; i < 10; i++) {
        pipe = popen("echo \"$0 $OWN $#\" 'quotes '\\''\"$OWN\"'; env | grep -c -e HEAPTRAIL_ -e LD_PRELOAD", "r");
        while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) fputs(line, stdout);
        printf("closed %d\n", pipe == NULL ? -1 : pclose(pipe));
    }
    atomic_store(&watching, false);
    pthread_join(thread, &result);
    printf("environment changed %d\n", result != NULL);
    pipe = popen("no-such-command-at-all; cat", "w");
    fputs("written\n", pipe);
    printf("missing %d\n", pclose(pipe));
    printf("refused %d %d\n", popen("true", "x") == NULL, errno);
    printf("no child left %d\n", waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}
