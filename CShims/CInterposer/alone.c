// Starting on one's own. Runs before main. The collector is a grandchild: its parent exits at once, so the program
// never sees a child it did not make, nor a SIGCHLD (exit signal 0). Both share our memory until they exec or exit, as
// vfork does, so nothing is copied and no fork handler runs.
#include "alone.h"

#include "environment.h"
#include "life.h"
#include "real.h"
#include "thread.h"

#include <alloca.h>
#include <allocator_name.h>
#include <drain.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <system.h>
#include <text_writer.h>
#include <unistd.h>

enum { STACK_BYTES = 64 << 10, BUFFER_BYTES = 256 << 10 };

// What the children read; lives on the starting thread's stack while they run.
typedef struct start {
    const char *collector;
    char *const *environment;
    const char *arguments[16];
    char *stack;
    int region_fd;
    int failed;
    int collector_pid;
} start;

// The drain thread's own, where there is one.
static struct {
    ht_region *region;
    ht_trace_writer writer;
    ht_drain drain;
    char output[HT_PATH_MAX];
    bool wanted, text, running;
    _Atomic uint32_t stop;
    _Atomic uint32_t stopped;
} alone;

static int run_collector(void *context) {
    start *s = context;
    setsid();
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        if (alone.output[0] != '-') dup2(null, 1);
        if (null > 2) close(null);
    }
    // No descriptor of the program's may live on in the collector: the other end of a pipe would never see it closed.
    if (s->region_fd > 3) ht_syscall(SYS_close_range, 3, s->region_fd - 1, 0, 0, 0, 0);
    ht_syscall(SYS_close_range, s->region_fd > 2 ? s->region_fd + 1 : 3, ~0u, 0, 0, 0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // The call itself: our own execve hook is not ready yet where the first hook is reached before our constructor, and
    // would fail without an errno, so that neither the collector nor the thread in its place would start.
    s->failed = (int)-ht_syscall(SYS_execve, (long)s->collector, (long)s->arguments, (long)s->environment, 0, 0, 0);
    _exit(127);
}

static int run_parent(void *context) {
    start *s = context;
    s->collector_pid = clone(run_collector, s->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK, s);
    if (s->collector_pid < 0) s->failed = errno;
    _exit(0);
}

static bool start_collector(start *s) {
    char *stacks = ht_map_pages(2 * STACK_BYTES);
    if (stacks == NULL) return false;
    s->stack = stacks;
    sigset_t all, saved;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &saved);
    pid_t parent = clone(run_parent, stacks + 2 * STACK_BYTES, CLONE_VM | CLONE_VFORK, s);
    if (parent > 0) {
        long status;
        do status = ht_syscall(SYS_wait4, parent, 0, 0x40000000 /* __WALL */, 0, 0, 0);
        while (status == -EINTR);
    } else {
        s->failed = errno;
    }
    sigprocmask(SIG_SETMASK, &saved, NULL);
    ht_unmap_pages(stacks, 2 * STACK_BYTES);
    return s->failed == 0;
}

static bool copy_path(char *out, size_t size, const char *text) {
    size_t length = strlen(text);
    if (length + 1 > size) return false;
    memcpy(out, text, length + 1);
    return true;
}

// Beside our library, or where the tool is when we lie in its lib directory.
static bool find_collector(char *out, size_t size) {
    static const char *const places[] = {"heaptrail", "../../bin/heaptrail"};
    const char *library = ht_environment_library();
    const char *slash = strrchr(library, '/');
    size_t directory = slash == NULL ? 0 : (size_t)(slash - library) + 1;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (directory + strlen(places[i]) + 1 > size) return false;
        memcpy(out, library, directory);
        memcpy(out + directory, places[i], strlen(places[i]) + 1);
        if (access(out, X_OK) == 0) return true;
    }
    return false;
}

static bool truthy(const char *value) { return value != NULL && *value != 0 && strcmp(value, "0") != 0; }

// strtoul is not usable here before libc is up; digits alone.
static uint64_t decimal(const char *text) {
    uint64_t value = 0;
    for (; text != NULL && *text >= '0' && *text <= '9' && value <= (UINT64_MAX - 9) / 10; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

// A size in bytes, or in KiB, MiB or GiB; 0 for what is none.
static uint64_t byte_size(const char *text) {
    if (text == NULL) return 0;
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value < 1ull << 40; at++) value = value * 10 + (uint64_t)(*at - '0');
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    int shift = *at == 0 ? 0 : -1;
    for (int i = 0; i < 3; i++) {
        if (strcmp(at, units[i]) == 0) shift = 10 * (i + 1);
    }
    if (shift < 0 || value > (1ull << 40) >> shift) return 0;
    return value << shift;
}

// HEAPTRAIL_SAMPLE and HEAPTRAIL_SAMPLE_SEED. False when they ask for what cannot be.
static bool set_sampling(ht_region *region, char *const *environment) {
    const char *sample = ht_environment_get(environment, "HEAPTRAIL_SAMPLE");
    if (sample == NULL || *sample == 0) return true;
    region->sample_bytes = byte_size(sample);
    static const char no_size[] =
        "heaptrail: not recording: HEAPTRAIL_SAMPLE takes a size such as 512KiB, at most 1024GiB\n";
    static const char no_text[] =
        "heaptrail: not recording: text lines have no place for the weights of HEAPTRAIL_SAMPLE\n";
    const char *message = region->sample_bytes == 0 ? no_size : alone.text ? no_text : NULL;
    if (message != NULL) {
        ht_syscall(SYS_write, 2, (long)message, (long)strlen(message), 0, 0, 0);
        return false;
    }
    const char *seed = ht_environment_get(environment, "HEAPTRAIL_SAMPLE_SEED");
    region->sample_seed = decimal(seed);
    if (seed == NULL) ht_syscall(SYS_getrandom, (long)&region->sample_seed, sizeof region->sample_seed, 0, 0, 0, 0);
    return true;
}

// Whether a process runs, zombies excluded. The descriptor this takes is closed again at once.
static bool runs(int pid) {
    long fd = ht_syscall(SYS_pidfd_open, pid, 0, 0, 0, 0, 0);
    if (fd == -ESRCH) return false;
    if (fd < 0) return true;  // it cannot be told
    struct pollfd ended = {.fd = (int)fd, .events = POLLIN};
    long count = ht_syscall(SYS_poll, (long)&ended, 1, 0, 0, 0, 0);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    return count <= 0;
}

// Until the trace exists, or the collector has said on standard error why it cannot: a short program would have ended
// before. Ten seconds at most. False when the collector ended before it could tell: it never held `alive`.
static bool wait_until_ready(ht_region *region, int pid) {
    for (int step = 0; step < 100; step++) {
        bool running = runs(pid);
        if (atomic_load_explicit(&region->ready, memory_order_acquire) != HT_READY_NOT_YET) return true;
        if (!running) return false;
        ht_futex_wait(&region->ready, HT_READY_NOT_YET, 100000000);
    }
    return true;
}

// A file-size limit holds for shared memory, too, and its signal kills: the soft limit is lifted for the moment.
static bool size_region(long fd) {
    struct rlimit limit, lifted;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
    if (limit.rlim_max < HT_REGION_FILE_BYTES) {
        static const char message[] =
            "heaptrail: not recording: the hard file-size limit (ulimit -f) leaves no room for shared memory\n";
        ht_syscall(SYS_write, 2, (long)message, sizeof message - 1, 0, 0, 0);
        return false;
    }
    lifted = (struct rlimit){.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    bool lift = limit.rlim_cur < HT_REGION_FILE_BYTES;
    if (lift && setrlimit(RLIMIT_FSIZE, &lifted) != 0) return false;
    long status = ht_syscall(SYS_ftruncate, fd, (long)HT_REGION_FILE_BYTES, 0, 0, 0, 0);
    if (lift) setrlimit(RLIMIT_FSIZE, &limit);
    return status == 0;
}

ht_region *ht_alone_start(char **environment, size_t *mapped_bytes) {
    const char *output = ht_environment_get(environment, "HEAPTRAIL_OUTPUT");
    const char *format = ht_environment_get(environment, "HEAPTRAIL_FORMAT");
    alone.text = format != NULL && strcmp(format, "text") == 0;
    if ((output == NULL || *output == 0) && !alone.text) return NULL;
    if (output != NULL && !copy_path(alone.output, sizeof alone.output, output)) return NULL;
    long fd = ht_syscall(SYS_memfd_create, (long)"heaptrail", 0, 0, 0, 0, 0);
    if (fd < 0) return NULL;
    ht_region *region = NULL;
    if (size_region(fd)) {
        uint64_t magic = HT_REGION_MAGIC;
        uint32_t version = HT_REGION_VERSION;
        ht_syscall(SYS_pwrite64, fd, (long)&magic, sizeof magic, offsetof(ht_region, magic), 0, 0);
        ht_syscall(SYS_pwrite64, fd, (long)&version, sizeof version, offsetof(ht_region, version), 0, 0);
        uint32_t segments = HT_SEGMENT_COUNT;
        ht_syscall(SYS_pwrite64, fd, (long)&segments, sizeof segments, offsetof(ht_region, segment_limit), 0, 0);
        region = ht_life_map((int)fd, mapped_bytes);
    }
    if (region == NULL) {
        ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
        return NULL;
    }
    uint32_t options =
        (truthy(ht_environment_get(environment, "HEAPTRAIL_NO_STACKS")) ? HT_OPTION_NO_STACKS : 0) |
        (truthy(ht_environment_get(environment, "HEAPTRAIL_FOLLOW")) ? HT_OPTION_FOLLOW : 0) |
        (truthy(ht_environment_get(environment, "HEAPTRAIL_NO_SWIFT_TYPES")) ? HT_OPTION_NO_SWIFT_TYPES : 0);
    const char *full = ht_environment_get(environment, "HEAPTRAIL_WHEN_FULL");
    if (full != NULL && strcmp(full, "drop") == 0) options |= HT_OPTION_DROP;
    uint32_t limit = region->segment_limit;
    uint64_t depth = decimal(ht_environment_get(environment, "HEAPTRAIL_MAX_DEPTH"));
    ht_region_init(region, options, depth > UINT32_MAX ? UINT32_MAX : (uint32_t)depth);
    region->segment_limit = limit;
    if (!set_sampling(region, environment)) {
        ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
        ht_syscall(SYS_munmap, (long)region, (long)*mapped_bytes, 0, 0, 0, 0);
        return NULL;
    }
    alone.region = region;

    char collector[HT_PATH_MAX], fd_text[12], pid_text[12];
    ht_append_number(fd_text, (unsigned)fd);
    ht_append_number(pid_text, (unsigned)ht_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0));
    ht_environment_clean(environment, "");
    // The program's other preloads are for the program: another recorder among them would record the collector.
    size_t variables = 0, kept = 0;
    while (environment[variables] != NULL) variables++;
    char **copy = alloca((variables + 1) * sizeof *copy);
    for (size_t i = 0; i < variables; i++) {
        if (strncmp(environment[i], "LD_PRELOAD=", 11) != 0) copy[kept++] = environment[i];
    }
    copy[kept] = NULL;
    start s = {.collector = collector,
               .environment = copy,
               .region_fd = (int)fd,
               .arguments = {"heaptrail", "collect", "--region-fd", fd_text, "--pid", pid_text,
                             alone.text ? "--text" : "--binary", output == NULL ? NULL : "--output", alone.output}};
    bool started = find_collector(collector, sizeof collector) && start_collector(&s);
    ht_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
    alone.wanted = !started || !wait_until_ready(region, s.collector_pid);
    if (alone.wanted) region->collector_pid = 0;
    return region;
}

static bool thread_lives(uint32_t thread, void *context) {
    (void)context;
    char path[40] = "/proc/self/task/";
    ht_append_number(path + 16, thread);
    return ht_syscall(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0, 0, 0) == 0;
}

static void *drain_thread(void *context) {
    (void)context;
    // Its own allocations, should libc make any on its behalf, are not the program's.
    ht_self.guard = ~(uintptr_t)HT_DEPTH_MASK | HT_LANES;
    int idle = 0;
    while (!atomic_load_explicit(&alone.stop, memory_order_acquire)) {
        uint64_t taken = ht_drain_round(&alone.drain, false);
        if (++idle % 64 == 0) ht_drain_reap(&alone.drain, thread_lives, NULL);
        if (taken != 0) continue;
        if (alone.drain.writer != NULL) ht_trace_flush(alone.drain.writer);
        atomic_store_explicit(&alone.region->collector_sleeping, 1, memory_order_seq_cst);
        uint32_t bell = atomic_load_explicit(&alone.region->bell, memory_order_acquire);
        ht_futex_wait(&alone.region->bell, bell, 2000000);
        atomic_store_explicit(&alone.region->collector_sleeping, 0, memory_order_relaxed);
    }
    ht_drain_finish(&alone.drain, HT_END_EXITED, 0);
    atomic_store_explicit(&alone.stopped, 1, memory_order_release);
    ht_futex_wake(&alone.stopped, 1);
    return NULL;
}

void ht_alone_constructed(void) {
    if (!alone.wanted || alone.region == NULL || !ht_recording()) return;
    alone.wanted = false;
    // An existing trace is not overwritten: O_EXCL. Text without a file goes to standard error.
    int fd = alone.output[0] == 0 ? 2 : open(alone.output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    void *buffer = fd < 0 ? NULL : ht_map_pages(alone.text ? sizeof(ht_text_writer) : BUFFER_BYTES);
    if (buffer == NULL) {
        static const char message[] =
            "heaptrail: cannot create the trace that HEAPTRAIL_OUTPUT names (does it exist?); not recording\n";
        ht_syscall(SYS_write, 2, (long)message, sizeof message - 1, 0, 0, 0);
        ht_life_turn_off(HT_LOSS_WRITE_FAILED);
        return;
    }
    alone.drain.region = alone.region;
    if (alone.text) {
        alone.drain.text = buffer;
        alone.drain.text->fd = fd;
        alone.drain.text->file = ht_output_file_of(fd);
    } else {
        alone.writer =
            (ht_trace_writer){.fd = fd, .buffer = buffer, .capacity = BUFFER_BYTES, .file = ht_output_file_of(fd)};
        alone.drain.writer = &alone.writer;
        ht_trace_put_header(&alone.writer, HT_MODE_THREAD,
                            (ht_options & HT_OPTION_NO_STACKS ? HT_FILE_NO_STACKS : 0u) |
                                (alone.region->sample_bytes != 0 ? HT_FILE_SAMPLED : 0u),
                            (uint32_t)getpid(), alone.region->sample_bytes);
        uint32_t image = atomic_load_explicit(&alone.region->malloc_image, memory_order_relaxed);
        const char *library = alone.region->malloc_paths[image % HT_IMAGES_TOLD];
        const char *allocator = ht_allocator_name(library);
        if (strcmp(allocator, "glibc") == 0) library = "";
        ht_info_entry names[] = {{HT_INFO_ALLOCATOR, allocator, strlen(allocator)},
                                 {HT_INFO_ALLOCATOR_PATH, library, strlen(library)}};
        if (*allocator != 0) ht_trace_put_info(&alone.writer, 0, names, 2);
        ht_trace_put_clock(&alone.writer);
        // Where the functions of the executable's own allocator are, only the collector could have said.
        static const char unseen[] = "the program's own malloc was not recorded: there is no collector to find it";
        ht_info_entry warning = {HT_INFO_WARNING, unseen, sizeof unseen - 1};
        if (ht_real.front_free != NULL) ht_trace_put_info(&alone.writer, 0, &warning, 1);
        ht_trace_flush(&alone.writer);
    }
    // No signal of the program's is ever handled on our thread. Making it allocates (its thread descriptor); that is
    // not the program's either.
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    pthread_t thread;
    atomic_store_explicit(&ht_power.on, 0, memory_order_relaxed);
    alone.running = ht_real.pthread_create(&thread, NULL, drain_thread, NULL) == 0;
    if (alone.running) pthread_detach(thread);
    atomic_store_explicit(&ht_power.on, 1, memory_order_release);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    if (!alone.running) ht_life_turn_off(HT_LOSS_NO_RING);
    else at_quick_exit(ht_alone_finish);
}

bool ht_alone_runs(void) { return alone.running; }

void ht_alone_finish(void) {
    if (!alone.running || !ht_recording()) return;
    alone.running = false;
    atomic_store_explicit(&alone.stop, 1, memory_order_release);
    atomic_fetch_add_explicit(&alone.region->bell, 1, memory_order_release);
    ht_futex_wake(&alone.region->bell, 1);
    for (int step = 0; step < 100 && !atomic_load_explicit(&alone.stopped, memory_order_acquire); step++) {
        ht_futex_wait(&alone.stopped, 0, 100000000);
    }
    // What the program still frees after this destructor is not recorded: the trace is closed.
    ht_life_turn_off(HT_LOSS_NONE);
}
