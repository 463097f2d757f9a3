// A replay from its start to its end: what the plan says is mapped, the threads run, the figures are written. Every
// failure ends the process at once, with its reason in the result, for the heap is the measured allocator's and nothing
// may be asked of it any more.
#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 256 << 10, EXIT_FAILED = 1 };

void ht_session_fail(ht_session *session, enum ht_replay_failure failure, int code, uint32_t op, uint64_t size) {
    struct ht_replay_result *result = session->result;
    uint32_t none = HT_REPLAY_OK;
    if (result && __atomic_compare_exchange_n(&result->failure, &none, (uint32_t)failure, false, __ATOMIC_RELAXED,
                                              __ATOMIC_RELAXED)) {
        result->code = code;
        result->failed_op = op;
        result->failed_size = size;
        result->failed_event = result->events;
    }
    _exit(EXIT_FAILED);
}

void *ht_session_map(ht_session *session, size_t bytes) {
    void *memory =
        mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) ht_session_fail(session, HT_REPLAY_SYSTEM, errno, 0, 0);
    return memory;
}

// The part of the plan behind its operations, and the places of the result.
static bool session_open(ht_session *session) {
    const struct ht_replay_request *request = session->request;
    struct ht_replay_plan *plan = &session->plan;
    struct stat status;
    if (pread(request->plan, plan, sizeof *plan, 0) != (ssize_t)sizeof *plan || plan->magic != HT_REPLAY_PLAN_MAGIC ||
        plan->streams == 0 || fstat(request->plan, &status) != 0) {
        return false;
    }
    char *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, request->plan, 0);
    if (file == MAP_FAILED) return false;
    session->streams = (const void *)(file + plan->stream_table);
    session->blocks = (const void *)(file + plan->block_table);
    session->curve = (const void *)(file + plan->curve);

    size_t points = plan->samples * sizeof *session->points, owners = plan->owners * sizeof *session->owners;
    size_t classes = HT_REPLAY_CLASSES * sizeof *session->classes;
    size_t bytes =
        sizeof *session->result + points + owners + classes + sizeof(uint64_t[HT_REPLAY_CALLS][HT_REPLAY_LATENCY_BINS]);
    // What a library wrote to standard output before `main` is none of it.
    if (ftruncate(request->result, 0) != 0 || ftruncate(request->result, (off_t)bytes) != 0) return false;
    char *result = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, request->result, 0);
    if (result == MAP_FAILED) return false;
    session->result = (void *)result;
    session->result_bytes = bytes;
    session->points = (void *)(result + sizeof *session->result);
    session->owners = (void *)((char *)session->points + points);
    session->classes = (void *)((char *)session->owners + owners);
    session->latency = (void *)((char *)session->classes + classes);
    memset(session->result, 0, sizeof *session->result);
    session->result->magic = HT_REPLAY_RESULT_MAGIC;
    return true;
}

// Adds what a thread did to the result, once it is over.
static void worker_merge(ht_worker *self) {
    ht_session *session = self->session;
    struct ht_replay_result *result = session->result;
    uint32_t expected = 0;
    // Acquire and release: one thread at a time.
    while (!atomic_compare_exchange_weak_explicit(&session->merging, &expected, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
        expected = 0;
    }
    result->hash += ht_replay_stream_hash(self->hash, (uint64_t)(self - session->workers));
    if (session->request->mode != HT_REPLAY_MEMORY) {
        session->events += self->events;
        result->calls += self->calls;
    }
    result->cpu_ns += self->cpu_ns;
    for (int call = 0; self->latency && call < HT_REPLAY_CALLS; call++) {
        for (int bin = 0; bin < HT_REPLAY_LATENCY_BINS; bin++) session->latency[call][bin] += self->latency[call][bin];
        if (self->worst_ticks[call] <= result->worst_ticks[call]) continue;
        result->worst_ticks[call] = self->worst_ticks[call];
        result->worst_size[call] = self->worst_size[call];
    }
    atomic_store_explicit(&session->merging, 0, memory_order_release);
}

static void worker_run(ht_worker *self) {
    ht_session *session = self->session;
    ht_calls_enter_thread(session, (uint64_t)(self - session->workers));
    switch (session->request->mode) {
        case HT_REPLAY_TIME: ht_worker_run_timed(self); break;
        case HT_REPLAY_LATENCY: ht_worker_run_latency(self); break;
        default: ht_worker_run_ordered(self); break;
    }
    worker_merge(self);
}

static void worker_open(ht_session *session, uint64_t stream) {
    ht_worker *self = &session->workers[stream];
    self->session = session;
    ht_cursor_open(session, &self->cursor, stream);
    if (session->request->mode == HT_REPLAY_LATENCY) {
        self->latency = ht_session_map(session, sizeof(uint64_t[HT_REPLAY_CALLS][HT_REPLAY_LATENCY_BINS]));
    }
}

static void worker_close(ht_worker *self) {
    ht_cursor_close(&self->cursor);
    if (self->latency) munmap(self->latency, sizeof(uint64_t[HT_REPLAY_CALLS][HT_REPLAY_LATENCY_BINS]));
}

static void *thread_main(void *argument) {
    ht_worker *self = argument;
    ht_session *session = self->session;
    worker_run(self);
    worker_close(self);
    // Release pairs with the acquire in `wait_for_threads`: all figures are in the result.
    atomic_fetch_sub_explicit(&session->running, 1, memory_order_release);
    return NULL;
}

void ht_worker_start(ht_session *session, uint64_t stream) {
    if (stream >= session->plan.streams || session->workers[stream].session) {
        ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, HT_REPLAY_START, 0);
    }
    // Nobody joins anybody here, so a thread that starts many one after the other would have them all at once. Those
    // that were over in the program by now wait for nothing that comes after this: there will be room.
    struct timespec pause = {0, 20000};
    while (atomic_load_explicit(&session->running, memory_order_acquire) >= session->plan.most_threads) {
        nanosleep(&pause, NULL);
    }
    worker_open(session, stream);
    ht_worker *worker = &session->workers[stream];
    atomic_fetch_add_explicit(&session->running, 1, memory_order_relaxed);
    int error = pthread_create(&worker->thread, &session->attributes, thread_main, worker);
    if (error) ht_session_fail(session, HT_REPLAY_SYSTEM, error, HT_REPLAY_START, 0);
}

static void wait_for_threads(ht_session *session) {
    struct timespec pause = {0, 50000};
    while (atomic_load_explicit(&session->running, memory_order_acquire) > 1) nanosleep(&pause, NULL);
}

static void session_prepare(ht_session *session) {
    struct ht_replay_plan *plan = &session->plan;
    session->slots = ht_session_map(session, plan->slots * sizeof *session->slots);
    session->workers = ht_session_map(session, plan->streams * sizeof *session->workers);
    if (session->request->mode == HT_REPLAY_MEMORY) {
        session->details = ht_session_map(session, plan->slots * sizeof *session->details);
        session->peak_owners = ht_session_map(session, plan->owners * sizeof *session->owners);
        session->peak_classes = ht_session_map(session, HT_REPLAY_CLASSES * sizeof *session->classes);
        session->next_sample = plan->sample_step;
        ht_cursor_open(session, &session->turns, plan->streams);
    }
    pthread_attr_init(&session->attributes);
    pthread_attr_setstacksize(&session->attributes, STACK_BYTES);
    // Threads of a memory run are joined after their last turn.
    bool is_joined = session->request->mode == HT_REPLAY_MEMORY;
    pthread_attr_setdetachstate(&session->attributes, is_joined ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
    prctl(PR_SET_TIMERSLACK, 1000);
    ht_calls_find(session);
    session->clock_ns = ht_clock_cost_ns();
    session->running = 1;
    worker_open(session, 0);
}

static void session_end_memory(ht_session *session) {
    struct ht_replay_result *result = session->result;
    result->end_anonymous = ht_resident_anonymous();
    ht_ordered_sample(session);
    result->end_live = session->live;
    result->end_places = ht_places_tell(session);
    if (session->points_written != session->plan.samples || result->peak_live != session->plan.peak_bytes) {
        ht_session_fail(session, HT_REPLAY_WRONG_CURVE, 0, 0, result->peak_live);
    }
    for (uint64_t slot = 0; slot < session->plan.slots; slot++) {
        if (!session->slots[slot]) continue;
        ht_ordered_check(session, slot, session->slots[slot], HT_REPLAY_FREE);
        session->calls.release(session->slots[slot]);
    }
    result->freed_anonymous = ht_resident_anonymous();
}

int32_t ht_replay_run(const struct ht_replay_request *request) {
    static ht_session session;
    session.request = request;
    if (!session_open(&session)) {
        static const char words[] = "the plan or the file for the result cannot be mapped\n";
        ssize_t ignored = write(2, words, sizeof words - 1);
        (void)ignored;
        return EXIT_FAILED;
    }
    session_prepare(&session);
    struct ht_replay_result *result = session.result;
    result->start_anonymous = ht_resident_anonymous();

    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    uint64_t began = ht_clock_wall_ns();
    worker_run(&session.workers[0]);
    wait_for_threads(&session);
    result->wall_ns = ht_clock_wall_ns() - began;
    getrusage(RUSAGE_SELF, &after);
    result->minor_faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
    result->major_faults = (uint64_t)(after.ru_majflt - before.ru_majflt);
    if (request->mode == HT_REPLAY_MEMORY) {
        session_end_memory(&session);
    } else {
        result->events = session.events;
    }
    if (result->events != session.plan.events) ht_session_fail(&session, HT_REPLAY_BAD_PLAN, 0, 0, 0);
    __atomic_store_n(&result->is_over, 1, __ATOMIC_RELEASE);
    return 0;
}
