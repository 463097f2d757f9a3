// Recording a process that runs already: attach, collect as ever, detach. One thread does it all, for ptrace belongs to
// the thread that seized; the process is held only while something is changed.
#include "allocator_name.h"
#include "launch.h"
#include "loop.h"
#include "system.h"

#include <CAttach.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLEAR_TRIES = 200, DETACH_TRIES = 3 };
static const int64_t clear_nap_ns = 1000000;

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

// The first request to end detaches in order; it is not repeated by the default action of the next one, which would
// leave the process redirected.
static void watch_interrupts(void) {
    struct sigaction note = {.sa_handler = note_interrupt}, ignored;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t wanted;
    interrupted = 0;
    sigemptyset(&wanted);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (sigaction(numbers[i], NULL, &ignored) == 0 && ignored.sa_handler == SIG_IGN && numbers[i] == SIGHUP)
            continue;  // nohup
        sigaction(numbers[i], &note, NULL);
        sigaddset(&wanted, numbers[i]);
    }
    // A parent may have started us with them blocked: there would be no way to end but to be killed.
    sigprocmask(SIG_UNBLOCK, &wanted, NULL);
}

// What the process became: its trace ends with that.
static void note_exec(ht_process *process) {
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/exe", (int)process->pid);
    ssize_t length = readlink(link, process->region->exec_path, sizeof process->region->exec_path - 1);
    process->region->exec_path[length < 0 ? 0 : length] = 0;
    atomic_store_explicit(&process->region->exec_pending, 1, memory_order_relaxed);
}

// Takes the recorder out of the process. Threads inside a hook are given time to leave it, their records are still
// taken.
static void detach(collector *c) {
    ht_process *process = c->processes[0];
    if (ht_process_ended(process)) return;
    for (int attempt = 0; attempt < DETACH_TRIES && !c->result->detached; attempt++)
        c->result->detached = ht_attach_end(c->attachment);
    c->result->undetached = !c->result->detached && ht_attach_is_there(c->attachment);
    // Its threads still record: they are told to stop, or there would be no end of what is to be drained.
    if (c->result->undetached) atomic_store_explicit(&process->region->state, HT_STATE_OFF, memory_order_release);
    bool clear = false;
    for (int attempt = 0; attempt < CLEAR_TRIES && !clear; attempt++) {
        while (ht_collector_drain(c) > 0) {
        }
        clear = ht_attach_clear(c->attachment);
        struct timespec nap = {.tv_nsec = clear_nap_ns};
        if (!clear) nanosleep(&nap, NULL);
    }
}

static bool attached_ended(collector *c, uint32_t *how, uint32_t *status) {
    ht_process *process = c->processes[0];
    *how = HT_END_UNKNOWN;
    *status = 0;
    if (ht_process_ended(process)) return true;
    if (!ht_attach_is_there(c->attachment)) {
        // Gone with its memory, and still there a moment later: it became another program.
        for (int i = 0; i < 50 && !ht_process_ended(process); i++) usleep(1000);
        if (!ht_process_ended(process)) note_exec(process);
        return true;
    }
    bool off = atomic_load_explicit(&process->region->state, memory_order_acquire) == HT_STATE_OFF;
    if (!off && !interrupted && (c->ends_at_ns == 0 || ht_monotonic_ns() < c->ends_at_ns)) return false;
    *how = HT_END_DETACHED;
    detach(c);
    ht_collector_let_go(c);
    return true;
}

static void name_allocator(ht_collect_request *request, const ht_attachment *attachment) {
    const char *path = ht_attach_allocator(attachment);
    request->allocator_name = ht_allocator_name(path);
    if (strcmp(request->allocator_name, "glibc") != 0) request->allocator_path = path;
}

static enum ht_collect_outcome refuse(collector *c, enum ht_attach_outcome outcome) {
    ht_process_discard_output(c->processes[0]);
    if (c->attachment != NULL) ht_attach_close(c->attachment);
    return outcome == HT_ATTACH_NO_PROCESS ? HT_COLLECT_NO_PROCESS : HT_COLLECT_REFUSED;
}

enum ht_collect_outcome ht_record_process(const ht_collect_request *request, ht_collect_result *result) {
    memset(result, 0, sizeof *result);
    ht_launch_set_actions();
    result->pid = request->pid;
    collector c = {.request = request, .result = result, .lock = PTHREAD_MUTEX_INITIALIZER};
    ht_process *process = calloc(1, sizeof *process);
    if (process != NULL)
        *process = (ht_process){.pid = request->pid, .region_fd = -1, .pidfd = -1, .output_fd = -1, .attached = true};
    if (process == NULL || !ht_collector_add(&c, process)) {
        result->error = ENOMEM;
        return HT_COLLECT_NO_REGION;
    }
    if (!ht_process_create_output(process, request, false)) {
        result->error = errno;
        return HT_COLLECT_NO_OUTPUT;
    }
    watch_interrupts();
    size_t room = sizeof result->reason;
    enum ht_attach_outcome outcome =
        ht_attach_open(request->pid, request->library, &c.attachment, result->reason, room);
    if (outcome != HT_ATTACH_OK) return refuse(&c, outcome);
    int fd = ht_attach_region(c.attachment);
    if (fd < 0 || !ht_process_fill_region(process, request, fd)) {
        result->error = errno;
        refuse(&c, HT_ATTACH_REFUSED);
        return HT_COLLECT_NO_REGION;
    }
    ht_process_watch(process, request->pid);
    ht_collect_request own = *request;
    name_allocator(&own, c.attachment);
    c.request = &own;
    if (!ht_process_open_output(process, &own)) {
        result->error = errno;
        refuse(&c, HT_ATTACH_REFUSED);
        return HT_COLLECT_NO_OUTPUT;
    }
    outcome = ht_attach_begin(c.attachment, result->reason, room);
    if (outcome != HT_ATTACH_OK) return refuse(&c, outcome);
    if (request->began != NULL) request->began();
    if (request->duration_ns != 0) c.ends_at_ns = ht_monotonic_ns() + request->duration_ns;
    uint32_t how = HT_END_UNKNOWN, status = 0;
    ht_collector_run(&c, attached_ended, &how, &status);
    if (process->own_note[0] == 0)
        snprintf(process->own_note, sizeof process->own_note, "%s", ht_attach_note(c.attachment));
    ht_attach_close(c.attachment);
    ht_collector_finish(&c, how, status);
    return HT_COLLECT_OK;
}
