// Fork, wait for the word, exec. Runs in the collector process alone. The program inherits everything as it was when
// the tool started: signal dispositions are changed for the tool only, and put back in the child.
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNAL_COUNT = 4, TYPED_COUNT = 2, ALL_SIGNALS = 64 };
// The first two the terminal sends to the whole group; the others come from kill and go to the tool alone.
static const int numbers[SIGNAL_COUNT] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

// What this process was started with, which is what the program must find: by the time it is started, a runtime may
// have changed some.
static struct sigaction inherited_actions[ALL_SIGNALS + 1];

__attribute__((constructor)) static void note_inherited_actions(void) {
    for (int number = 1; number <= ALL_SIGNALS; number++) sigaction(number, NULL, &inherited_actions[number]);
}

void ht_launch_set_actions(void) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, usual = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    sigaction(SIGCHLD, &usual, NULL);
}

static volatile sig_atomic_t child_to_signal;

static void pass_on(int number) {
    if (child_to_signal > 0) kill((pid_t)child_to_signal, number);
}

// An interrupt typed at the terminal reached the program, too; one sent to the tool alone did not.
static void pass_on_sent(int number, siginfo_t *info, void *context) {
    (void)context;
    if (info->si_code <= 0) pass_on(number);
}

static char **make_environment(const ht_collect_request *request, uint32_t pid, uint32_t fd) {
    size_t count = 0;
    while (environ[count] != NULL) count++;
    char **made = calloc(count + 4, sizeof *made);
    const char *inherited = getenv("LD_PRELOAD");
    char *preload = NULL, *region = NULL;
    int lengths = asprintf(&preload, "LD_PRELOAD=%s%s%s%s%s", request->library,
                           request->allocator_path[0] != 0 ? ":" : "", request->allocator_path,
                           inherited != NULL && *inherited != 0 ? ":" : "", inherited == NULL ? "" : inherited);
    if (made == NULL || lengths < 0 || asprintf(&region, "HEAPTRAIL_REGION=/proc/%u/fd/%u", pid, fd) < 0) return NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0 && strncmp(environ[i], "HEAPTRAIL_", 10) != 0)
            made[used++] = environ[i];
    }
    made[used++] = preload;
    made[used++] = region;
    return made;
}

// A script without an interpreter line: the shell runs it, as execvp has it.
static void exec_by_shell(const ht_collect_request *request, char **environment) {
    size_t count = 0;
    while (request->arguments[count] != NULL) count++;
    char **shell = calloc(count + 2, sizeof *shell);
    if (shell == NULL) return;
    shell[0] = (char *)(uintptr_t) "/bin/sh";
    shell[1] = (char *)(uintptr_t)request->executable;
    for (size_t i = 1; i < count; i++) shell[i + 1] = request->arguments[i];
    execve("/bin/sh", shell, environment);
}

static void run_child(const ht_collect_request *request, char **environment, int go, int report) {
    char word;
    ssize_t count;
    do count = read(go, &word, 1);
    while (count < 0 && errno == EINTR);
    if (count != 1) _exit(127);  // abandoned
    for (int number = 1; number <= ALL_SIGNALS; number++) sigaction(number, &inherited_actions[number], NULL);
    // The trace has standard output to itself; the program's goes where people still see it.
    bool takes_output = !request->text && request->output != NULL && strcmp(request->output, "-") == 0;
    if (takes_output) dup2(2, 1);
    if (request->silent) dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
    execve(request->executable, request->arguments, environment);
    int error = errno;
    if (error == ENOEXEC) exec_by_shell(request, environment);
    count = write(report, &error, sizeof error);
    (void)count;
    _exit(127);
}

bool ht_launch_prepare(ht_launch *launch, const ht_collect_request *request, uint32_t region_fd) {
    char **environment = make_environment(request, (uint32_t)getpid(), region_fd);
    int go[2], report[2];
    if (environment == NULL || pipe2(go, O_CLOEXEC) != 0) return false;
    if (pipe2(report, O_CLOEXEC) != 0) {
        int error = errno;
        close(go[0]);
        close(go[1]);
        errno = error;
        return false;
    }
    struct sigaction typed = {.sa_sigaction = pass_on_sent, .sa_flags = SA_RESTART | SA_SIGINFO};
    struct sigaction forward = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        if (inherited_actions[numbers[i]].sa_handler != SIG_IGN)
            sigaction(numbers[i], i < TYPED_COUNT ? &typed : &forward, NULL);
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        close(report[0]);
        run_child(request, environment, go[0], report[1]);
    }
    int error = errno;
    close(go[0]);
    close(report[1]);
    *launch = (ht_launch){.pid = pid, .go = go[1], .report = report[0]};
    if (pid < 0) {
        close(go[1]);
        close(report[0]);
        errno = error;
        return false;
    }
    child_to_signal = pid;
    return true;
}

int ht_launch_go(ht_launch *launch) {
    int error = 0;
    ssize_t count = write(launch->go, "", 1);
    close(launch->go);
    do count = read(launch->report, &error, sizeof error);
    while (count < 0 && errno == EINTR);
    close(launch->report);
    if (count != sizeof error) return 0;
    waitpid(launch->pid, NULL, 0);
    child_to_signal = 0;
    return error;
}

void ht_launch_abandon(ht_launch *launch) {
    close(launch->go);
    close(launch->report);
    waitpid(launch->pid, NULL, 0);
    child_to_signal = 0;
}

void ht_launch_done(void) { child_to_signal = 0; }
