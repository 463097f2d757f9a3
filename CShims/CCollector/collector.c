// The collector's loop: drain, grant regions to followed children, notice ends, sleep. One thread does it all; it holds
// each region's `alive` mutex, so the kernel tells the traced processes should this one die. A second one shows a sign
// of life while the first waits for a slow disk or reader: then the program waits, too, and nothing is lost.
#include "launch.h"
#include "loop.h"
#include "patch_service.h"
#include "process.h"
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t nap_ns = 2000000;        // while events come
static const int64_t long_nap_ns = 20000000;  // after a quiet second
static const int64_t pulse_ns = 1000000000;
static const uint64_t reap_interval_ns = 200000000;
static const uint64_t flush_interval_ns = 100000000;
static const uint64_t unclaimed_ns = 12000000000;
static const uint64_t check_interval_ns = 10000000;  // of what goes on beside the events, while they come

bool ht_collector_add(collector *c, ht_process *process) {
    bool added = true;
    pthread_mutex_lock(&c->lock);
    if (c->count == c->room) {
        size_t room = c->room == 0 ? 8 : c->room * 2;
        ht_process **grown = realloc(c->processes, room * sizeof *grown);
        added = grown != NULL;
        if (added) {
            c->processes = grown;
            c->room = room;
        }
    }
    if (added) c->processes[c->count++] = process;
    process->drain.note_module = ht_kept_modules_note;
    process->drain.note_context = &c->modules;
    pthread_mutex_unlock(&c->lock);
    return added;
}

static bool thread_lives(uint32_t thread, void *context) {
    const ht_region *region = context;
    // Ids of another pid namespace say nothing here: such threads keep their homes until the process ends.
    if (atomic_load_explicit(&region->foreign, memory_order_relaxed)) return true;
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task/%u", atomic_load_explicit(&region->pid, memory_order_relaxed), thread);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

// A followed child has asked for a region: makes one, and says so in the slot the child watches.
static void serve_requests(collector *c) {
    ht_region *root = c->processes[0]->region;
    while (c->granted != atomic_load_explicit(&root->requests, memory_order_acquire)) {
        ht_grant *grant = &root->grants[c->granted % HT_GRANT_COUNT];
        uint32_t earlier = atomic_load_explicit(&grant->sequence, memory_order_relaxed);
        if (earlier != atomic_load_explicit(&grant->taken, memory_order_acquire)) {
            // The slot's last user has not mapped its region yet; a dead one is forgotten when its time is over.
            bool waiting = false;
            for (size_t i = 1; i < c->count; i++) {
                if (c->processes[i]->region_fd == (int)grant->fd && !c->processes[i]->opened) waiting = true;
            }
            if (waiting) return;
        }
        ht_process *process = calloc(1, sizeof *process);
        if (process == NULL || !ht_process_make_region(process, c->request) || !ht_collector_add(c, process)) {
            free(process);
            return;
        }
        process->region->root_fd = root->collector_fd;
        process->region->sample_seed += (uint64_t)(c->granted + 1) << 32;
        process->granted_at_ns = ht_monotonic_ns();
        grant->fd = (uint32_t)process->region_fd;
        atomic_store_explicit(&grant->sequence, ++c->granted, memory_order_release);
        ht_futex_wake(&grant->sequence, 1 << 30);
    }
}

static void remove_process(collector *c, size_t index, uint32_t how, uint32_t status) {
    ht_patch_serve(c->processes[index]);  // what a short one said of its plan
    c->announced += atomic_load_explicit(&c->processes[index]->region->announced, memory_order_relaxed);
    ht_process *process = c->processes[index];
    pthread_mutex_lock(&c->lock);
    c->processes[index] = c->processes[--c->count];
    pthread_mutex_unlock(&c->lock);
    ht_process_close(process, how, status);
    free(process);
}

void ht_collector_let_go(collector *c) {
    for (size_t i = c->count; i-- > 1;) {
        atomic_store_explicit(&c->processes[i]->region->off_reason, HT_LOSS_NONE, memory_order_relaxed);
        remove_process(c, i, HT_END_DETACHED, 0);
    }
}

// Opens the outputs of children that have attached, and closes those that have ended.
static void tend_children(collector *c) {
    for (size_t i = c->count; i-- > 1;) {
        ht_process *process = c->processes[i];
        pid_t pid = (pid_t)atomic_load_explicit(&process->region->pid, memory_order_acquire);
        if (!process->opened) {
            if (pid == 0) {
                if (ht_monotonic_ns() - process->granted_at_ns > unclaimed_ns) remove_process(c, i, HT_END_UNKNOWN, 0);
                continue;
            }
            ht_process_watch(process, pid);
            if (!ht_process_create_output(process, c->request, true) || !ht_process_open_output(process, c->request)) {
                atomic_store_explicit(&process->region->state, HT_STATE_OFF, memory_order_release);
                atomic_fetch_add_explicit(&c->processes[0]->region->unfollowed, 1, memory_order_relaxed);
                remove_process(c, i, HT_END_TURNED_OFF, HT_LOSS_WRITE_FAILED);
                continue;
            }
            c->result->followed++;
        }
        if (ht_process_ended(process)) remove_process(c, i, HT_END_UNKNOWN, 0);
    }
}

static void reap_threads(collector *c, uint64_t now) {
    bool crowded = false, wanted = false;
    for (size_t i = 0; i < c->count; i++) {
        crowded |= c->processes[i]->opened &&
                   atomic_load_explicit(&c->processes[i]->region->live_homes, memory_order_relaxed) > HT_HOME_COUNT / 8;
        wanted |= c->processes[i]->opened &&
                  atomic_load_explicit(&c->processes[i]->region->homes_wanted, memory_order_relaxed) != 0;
    }
    if (!wanted && now - c->reaped_at_ns < (crowded ? reap_interval_ns / 10 : reap_interval_ns)) return;
    c->reaped_at_ns = now;
    for (size_t i = 0; i < c->count; i++) {
        ht_process *process = c->processes[i];
        pid_t pid = (pid_t)atomic_load_explicit(&process->region->pid, memory_order_acquire);
        if (process->opened && pid != 0) ht_drain_reap(&process->drain, thread_lives, process->region);
    }
}

uint64_t ht_collector_drain(collector *c) {
    uint64_t taken = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->processes[i]->opened) taken += ht_drain_round(&c->processes[i]->drain, false);
    }
    return taken;
}

static ht_region *_Atomic awaiting;

// A child has ended: the loop is not to nap on. Rings the bell as a producer would, whichever thread the signal struck.
static void ring_for_end(int number) {
    (void)number;
    ht_region *region = atomic_load_explicit(&awaiting, memory_order_acquire);
    if (region == NULL) return;
    atomic_fetch_add_explicit(&region->bell, 1, memory_order_seq_cst);
    ht_futex_wake(&region->bell, 1);
}

static void wake_at_end(ht_region *region) {
    atomic_store_explicit(&awaiting, region, memory_order_release);
    struct sigaction action = {.sa_handler = region != NULL ? ring_for_end : SIG_DFL,
                               .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigaction(SIGCHLD, &action, NULL);
}

static void sleep_until_bell(collector *c, uint64_t now) {
    ht_region *root = c->processes[0]->region;
    uint32_t bell = atomic_load_explicit(&root->bell, memory_order_acquire);
    // Sequentially consistent with the producer's fence after it rings: either it sees us asleep, or we see its bell.
    atomic_store_explicit(&root->collector_sleeping, 1, memory_order_seq_cst);
    // Samples fill a segment slowly; its thread rings when it takes the next.
    bool quiet = (root->sample_bytes != 0 || now - c->busy_at_ns > 1000000000) && c->count == 1;
    ht_futex_wait(&root->bell, bell, quiet ? long_nap_ns : nap_ns);
    atomic_store_explicit(&root->collector_sleeping, 0, memory_order_relaxed);
}

static void *beat(void *context) {
    collector *c = context;
    while (!atomic_load_explicit(&c->stop, memory_order_acquire)) {
        ht_futex_wait(&c->stop, 0, pulse_ns);
        if (atomic_load_explicit(&ht_output_waiting, memory_order_relaxed) == 0) continue;
        pthread_mutex_lock(&c->lock);
        for (size_t i = 0; i < c->count; i++)
            atomic_fetch_add_explicit(&c->processes[i]->region->heartbeat, 1, memory_order_relaxed);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

static void start_pulse(collector *c) {
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    c->has_pulse = pthread_create(&c->pulse, NULL, beat, c) == 0;
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

static void stop_pulse(collector *c) {
    atomic_store_explicit(&c->stop, 1, memory_order_release);
    ht_futex_wake(&c->stop, 1);
    if (c->has_pulse) pthread_join(c->pulse, NULL);
}

void ht_collector_run(collector *c, bool (*ended)(collector *, uint32_t *how, uint32_t *status), uint32_t *how,
                      uint32_t *status) {
    bool main_ended = false;
    start_pulse(c);
    uint64_t checked_at_ns = 0;
    for (;;) {
        uint64_t taken = ht_collector_drain(c);
        uint64_t now = ht_monotonic_ns();
        if (taken > 0 && now - checked_at_ns < check_interval_ns) continue;
        checked_at_ns = now;
        if (taken > 0) c->busy_at_ns = now;
        serve_requests(c);
        for (size_t i = 0; i < c->count; i++) ht_patch_serve(c->processes[i]);
        tend_children(c);
        reap_threads(c, now);
        if (now - c->flushed_at_ns > flush_interval_ns) {
            c->flushed_at_ns = now;
            for (size_t i = 0; i < c->count; i++) {
                if (c->processes[i]->drain.writer != NULL) ht_trace_flush(c->processes[i]->drain.writer);
            }
        }
        if (!main_ended) main_ended = ended(c, how, status);
        if (main_ended && c->count == 1) break;
        if (taken == 0) sleep_until_bell(c, now);
    }
    stop_pulse(c);
}

static void fill_result(collector *c) {
    ht_process *program = c->processes[0];
    ht_region *region = program->region;
    ht_collect_result *result = c->result;
    result->attached = atomic_load_explicit(&region->image, memory_order_acquire) != 0;
    result->images = atomic_load_explicit(&region->image, memory_order_relaxed);
    result->unfollowed = atomic_load_explicit(&region->unfollowed, memory_order_relaxed);
    result->exec_pending = atomic_load_explicit(&region->exec_pending, memory_order_relaxed) != 0;
    result->lost_allocations = atomic_load_explicit(&region->lost_allocations, memory_order_relaxed);
    result->lost_frees = atomic_load_explicit(&region->lost_frees, memory_order_relaxed);
    if (atomic_load_explicit(&region->state, memory_order_acquire) == HT_STATE_OFF) {
        result->off_reason = atomic_load_explicit(&region->off_reason, memory_order_relaxed);
    }
}

void ht_collector_finish(collector *c, uint32_t how, uint32_t status) {
    ht_process *program = c->processes[0];
    ht_patch_serve(program);
    memcpy(c->result->note, program->own_note, sizeof c->result->note);
    ht_region *region = program->region;
    // Children that executed something to be followed and never came: static programs, other namespaces, set-user-id.
    uint32_t announced = c->announced + atomic_load_explicit(&region->announced, memory_order_relaxed);
    uint32_t arrived = atomic_load_explicit(&region->arrived, memory_order_relaxed);
    if (announced > arrived) atomic_fetch_add_explicit(&region->unfollowed, announced - arrived, memory_order_relaxed);
    ht_drain_finish(&program->drain, how, status);
    fill_result(c);
    c->result->allocations = program->text != NULL ? program->text->allocations : program->drain.allocations;
    c->result->frees = program->text != NULL ? program->text->frees : program->drain.frees;
    c->result->exact_allocations = program->drain.exact_allocations;
    c->result->exact_frees = program->drain.exact_frees;
    c->result->bytes_written = program->writer.written;
    c->result->write_error = (uint32_t)(program->text != NULL ? program->text->error : program->writer.error);
    program->opened = false;
    ht_process_close(program, how, status);
    ht_kept_modules_give(&c->modules, c->result);
    free(c->processes);
}

static bool child_ended(collector *c, uint32_t *how, uint32_t *status) {
    int wait_status;
    pid_t done;
    do done = waitpid(c->processes[0]->pid, &wait_status, WNOHANG);
    while (done < 0 && errno == EINTR);
    if (done == 0) return false;
    c->result->status = done < 0 ? 0 : wait_status;
    bool killed = done > 0 && WIFSIGNALED(wait_status);
    *how = done < 0 ? HT_END_UNKNOWN : killed ? HT_END_SIGNALLED : HT_END_EXITED;
    *status = (uint32_t)(killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
    return true;
}

static bool stranger_ended(collector *c, uint32_t *how, uint32_t *status) {
    *how = HT_END_UNKNOWN;
    *status = 0;
    return ht_process_ended(c->processes[0]);
}

enum ht_collect_outcome ht_record(const ht_collect_request *request, ht_collect_result *result) {
    memset(result, 0, sizeof *result);
    ht_launch_set_actions();
    collector c = {.request = request, .result = result, .lock = PTHREAD_MUTEX_INITIALIZER};
    ht_process *program = calloc(1, sizeof *program);
    if (program == NULL || !ht_process_make_region(program, request) || !ht_collector_add(&c, program)) {
        result->error = errno;
        free(program);
        return HT_COLLECT_NO_REGION;
    }
    // The program waits, forked but not yet executed, until its trace exists: the default name carries its pid.
    ht_launch launch;
    if (!ht_launch_prepare(&launch, request, (uint32_t)program->region_fd)) {
        result->error = errno;
        return HT_COLLECT_NO_PROCESS;
    }
    ht_collect_request own = *request;
    own.pid = result->pid = launch.pid;
    c.request = &own;
    program->pid = launch.pid;
    if (!ht_process_create_output(program, &own, false)) {
        result->error = errno;
        ht_launch_abandon(&launch);
        return HT_COLLECT_NO_OUTPUT;
    }
    ht_patch_answer(program, request->executable);
    result->error = ht_launch_go(&launch);
    if (result->error != 0) {
        ht_process_discard_output(program);
        return HT_COLLECT_NO_PROGRAM;
    }
    ht_process_watch(program, launch.pid);
    if (!ht_process_open_output(program, &own)) {
        // The program runs already: it goes on, unrecorded.
        atomic_store_explicit(&program->region->state, HT_STATE_OFF, memory_order_release);
        atomic_store_explicit(&program->region->off_reason, HT_LOSS_WRITE_FAILED, memory_order_relaxed);
    }
    uint32_t how = HT_END_UNKNOWN, status = 0;
    wake_at_end(program->region);
    ht_collector_run(&c, child_ended, &how, &status);
    wake_at_end(NULL);
    ht_launch_done();
    ht_collector_finish(&c, how, status);
    return HT_COLLECT_OK;
}

// The program waits for this, before main. Release: what it then reads of the region is as it stands now.
static void answer(ht_region *region, uint32_t ready) {
    atomic_store_explicit(&region->ready, ready, memory_order_release);
    ht_futex_wake(&region->ready, 1);
}

// Of a program that still waits to hear that there is no trace.
static ht_region *refused_region;

void ht_collect_refused(void) {
    if (refused_region != NULL) answer(refused_region, HT_READY_FAILED);
    refused_region = NULL;
}

enum ht_collect_outcome ht_collect(const ht_collect_request *request, ht_collect_result *result) {
    memset(result, 0, sizeof *result);
    ht_launch_set_actions();
    collector c = {.request = request, .result = result, .lock = PTHREAD_MUTEX_INITIALIZER};
    ht_process *program = calloc(1, sizeof *program);
    if (program == NULL || !ht_process_map_region(program, request->region_fd) || !ht_collector_add(&c, program)) {
        result->error = errno;
        return HT_COLLECT_NO_REGION;
    }
    ht_region *region = program->region;
    if (region->magic != HT_REGION_MAGIC || region->version != HT_REGION_VERSION) {
        result->error = EINVAL;
        return HT_COLLECT_NO_REGION;
    }
    // Interrupts from a terminal are meant for the program.
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_lock(&region->alive);
    (void)fcntl(request->region_fd, F_SETFD, FD_CLOEXEC);
    region->collector_fd = (uint32_t)request->region_fd;
    region->root_fd = (uint32_t)request->region_fd;
    region->collector_pid = (uint32_t)getpid();
    bool watched = ht_process_watch(program, request->pid);
    char executable[32];
    snprintf(executable, sizeof executable, "/proc/%d/exe", (int)request->pid);
    program->request = request;
    ht_patch_answer(program, executable);
    bool opened = ht_process_create_output(program, request, false) && ht_process_open_output(program, request);
    int error = errno;
    if (!opened) atomic_store_explicit(&region->state, HT_STATE_OFF, memory_order_release);
    if (!opened) {
        result->error = error;
        refused_region = region;
        return HT_COLLECT_NO_OUTPUT;
    }
    answer(region, HT_READY_YES);
    uint32_t how = HT_END_UNKNOWN, status = 0;
    if (watched) ht_collector_run(&c, stranger_ended, &how, &status);
    ht_collector_finish(&c, how, status);
    return HT_COLLECT_OK;
}
