// A recording without hooks: what ht_life_start does, by hand, with the drain on a thread of this process.
#include "session.h"

#include "definitions.h"
#include "life.h"
#include "real.h"
#include "record.h"
#include "sample.h"
#include "stack.h"
#include "swift_types.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <system.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 << 10 };

ht_region *ht_test_region_make(uint32_t options, uint32_t max_depth, uint32_t segment_limit) {
    void *pages =
        mmap(NULL, HT_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    ht_region *region = pages;
    ht_region_init(region, options, max_depth);
    if (segment_limit != 0) region->segment_limit = segment_limit;
    return region;
}

void ht_test_region_free(ht_region *region) { munmap(region, HT_REGION_BYTES); }

// What the blocks of the tests, which are addresses alone, are said to hold.
static size_t usable_size(void *block) { return (uintptr_t)block % 1000 + 1; }

// Tests know which of their threads have ended; the system may still list one that was joined.
static bool answer(uint32_t thread, void *context) {
    (void)thread;
    return *(bool *)context;
}

ht_test_session *ht_test_session_start(ht_test_options options) {
    ht_test_session *session = calloc(1, sizeof *session);
    if (session == NULL) return NULL;
    session->fd = open(options.output, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    session->region = ht_test_region_make(options.options, options.max_depth, options.segment_limit);
    session->buffer = malloc(BUFFER_BYTES);
    session->text = options.text ? calloc(1, sizeof *session->text) : NULL;
    if (session->fd < 0 || session->region == NULL || session->buffer == NULL ||
        (options.text && session->text == NULL))
        abort();
    session->drain = (ht_drain){.region = session->region};
    if (options.text) {
        session->text->fd = session->fd;
        session->drain.text = session->text;
    } else {
        session->writer = (ht_trace_writer){.fd = session->fd, .buffer = session->buffer, .capacity = BUFFER_BYTES};
        session->drain.writer = &session->writer;
        ht_trace_put_header(&session->writer, HT_MODE_THREAD,
                            (options.options & HT_OPTION_NO_STACKS ? HT_FILE_NO_STACKS : 0u) |
                                (options.sample_bytes != 0 ? HT_FILE_SAMPLED : 0u),
                            (uint32_t)getpid(), options.sample_bytes);
        ht_trace_put_clock(&session->writer);
    }
    ht_real.malloc_usable_size = usable_size;
    ht_stacks_reset();
    ht_sizes_reset();
    ht_types_reset();
    ht_modules_reset();
    ht_rules_flush();
    ht_sampled_reset();
    session->region->sample_bytes = options.sample_bytes;
    session->region->sample_seed = options.sample_seed;
    ht_region_shared = session->region;
    ht_options = options.options;
    ht_max_depth = session->region->max_depth;
    atomic_store_explicit(&session->region->image, 1, memory_order_relaxed);
    atomic_store_explicit(&session->region->pid, (uint32_t)getpid(), memory_order_relaxed);
    atomic_store_explicit(&session->region->state, HT_STATE_RUNNING, memory_order_release);
    ht_epoch++;
    atomic_store_explicit(&ht_power.sample_bytes, options.sample_bytes, memory_order_relaxed);
    atomic_store_explicit(&ht_power.on, 1, memory_order_release);
    return session;
}

static void *drain(void *context) {
    ht_test_session *session = context;
    while (!atomic_load_explicit(&session->stop, memory_order_acquire)) {
        if (ht_drain_round(&session->drain, false) == 0) sched_yield();
    }
    return NULL;
}

void ht_test_session_drain(ht_test_session *session) {
    if (pthread_create(&session->thread, NULL, drain, session) != 0) abort();
    session->draining = true;
}

ht_test_state ht_test_session_state(ht_test_session *session) {
    ht_region *region = session->region;
    return (ht_test_state){
        .state = atomic_load_explicit(&region->state, memory_order_acquire),
        .off_reason = atomic_load_explicit(&region->off_reason, memory_order_acquire),
        .lost_allocations = atomic_load_explicit(&region->lost_allocations, memory_order_acquire),
        .lost_frees = atomic_load_explicit(&region->lost_frees, memory_order_acquire),
        .lost_bytes = atomic_load_explicit(&region->lost_bytes, memory_order_acquire),
        .lost_reason = atomic_load_explicit(&region->lost_reason, memory_order_acquire),
        .live_homes = atomic_load_explicit(&region->live_homes, memory_order_acquire),
        .used_segments = atomic_load_explicit(&region->used_segments, memory_order_acquire),
        .room_waiters = atomic_load_explicit(&region->room_waiters, memory_order_acquire),
    };
}

uint64_t ht_test_session_round(ht_test_session *session) { return ht_drain_round(&session->drain, false); }

uint64_t ht_test_now(void) { return ht_now(); }

bool ht_test_maps_region(uint32_t version) {
    uint64_t magic = HT_REGION_MAGIC;
    size_t bytes = 0;
    int fd = memfd_create("heaptrail-test", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, HT_REGION_FILE_BYTES) != 0 ||
        pwrite(fd, &magic, sizeof magic, offsetof(ht_region, magic)) != sizeof magic ||
        pwrite(fd, &version, sizeof version, offsetof(ht_region, version)) != sizeof version)
        abort();
    ht_region *region = ht_life_map(fd, &bytes);
    close(fd);
    if (region != NULL) munmap(region, bytes);
    return region != NULL;
}

uint32_t ht_test_region_version(void) { return HT_REGION_VERSION; }

void ht_test_session_reap(ht_test_session *session, bool alive) { ht_drain_reap(&session->drain, answer, &alive); }

void ht_test_session_await_waiter(ht_test_session *session) {
    while (atomic_load_explicit(&session->region->room_waiters, memory_order_seq_cst) == 0) sched_yield();
}

void ht_test_put_stream(ht_test_session *session, uint32_t serial, uint16_t image, uint64_t start,
                        const uint64_t *words, size_t count) {
    ht_region *region = session->region;
    uint32_t segment_number = ht_region_take_segment(region, HT_SEGMENTS_BEYOND_THREADS),
             number = ht_region_take_home(region);
    if (segment_number == 0 || number == 0 || count > HT_SEGMENT_WORDS) abort();
    ht_segment *segment = ht_region_segment(region, segment_number - 1);
    memcpy(segment->words, words, count * sizeof words[0]);
    atomic_store_explicit(&segment->used, (uint32_t)count, memory_order_release);
    ht_home *home = ht_region_home(region, number - 1);
    *home = (ht_home){.serial = serial, .image = image, .first_segment = segment_number, .time = start};
    atomic_store_explicit(&home->state, HT_HOME_LIVE, memory_order_release);
}

static void *hold(void *context) { return (void *)(intptr_t)pthread_mutex_lock(context); }

bool ht_test_session_kill_collector(ht_test_session *session, bool process) {
    ht_region *region = session->region;
    region->collector_pid = (uint32_t)getpid();
    if (!process) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, hold, &region->alive) != 0) return false;
        pthread_join(thread, NULL);
    } else {
        pid_t child = fork();
        if (child < 0) return false;
        if (child == 0) _exit(pthread_mutex_lock(&region->alive) == 0 ? 0 : 1);
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (status != 0) return false;
    }
    return ht_region_collector_died(region);
}

ht_test_state ht_test_session_finish(ht_test_session *session, uint32_t how, uint32_t status) {
    atomic_store_explicit(&ht_power.on, 0, memory_order_release);
    if (session->draining) {
        atomic_store_explicit(&session->stop, 1, memory_order_release);
        pthread_join(session->thread, NULL);
    }
    ht_drain_finish(&session->drain, how, status);
    ht_test_session_reap(session, false);
    ht_test_state state = ht_test_session_state(session);
    state.drained_allocations = session->text != NULL ? session->text->allocations : session->drain.allocations;
    state.drained_frees = session->text != NULL ? session->text->frees : session->drain.frees;
    state.write_error = session->text != NULL ? session->text->error : session->writer.error;
    close(session->fd);
    ht_region_shared = NULL;
    ht_test_region_free(session->region);
    free(session->text);
    free(session->buffer);
    free(session);
    return state;
}
