// The fork of a small child (see CLaunch.h for why) and the wait for it. Linux only.
// Before the fork every mapping that the child can do without is marked MADV_DONTFORK, afterwards the marks are taken
// away. The child calls nothing but libc's syscall() and errno, and reads nothing but its stack, the thread's own
// block, the images of this code and of libc, and a parcel with the strings for exec.

#include "CLaunch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { HT_LAUNCH_MAX_RANGES = 4096, HT_LAUNCH_KEPT = 2, HT_LAUNCH_KERNEL_MASK_BYTES = 8 };

// Code that the child runs must not read memory it lacks, such as a sanitizer's shadow.
#define HT_LAUNCH_BARE __attribute__((no_stack_protector, no_sanitize("address", "thread")))

struct range {
    uintptr_t start, end;
};

// One mapping with everything the child reads on its way to exec; shared, so never among the ranges left out.
struct parcel {
    size_t bytes;
    const char *path;
    char **arguments;
    char **environment;
    long parent;
    int own_group;
};

static size_t strings_bytes(char *const *strings, size_t *count) {
    size_t bytes = 0;
    for (*count = 0; strings[*count]; (*count)++) bytes += strlen(strings[*count]) + 1;
    return bytes + (*count + 1) * sizeof(char *);
}

// Copies the pointers to `table` and the strings to `*text`, which moves on.
static char **strings_copy(char *const *strings, size_t count, char **table, char **text) {
    for (size_t i = 0; i < count; i++) {
        table[i] = *text;
        *text = stpcpy(*text, strings[i]) + 1;
    }
    table[count] = NULL;
    return table;
}

static struct parcel *parcel_make(const struct ht_launch_request *request) {
    size_t arguments, variables;
    size_t bytes = sizeof(struct parcel) + strlen(request->path) + 1;
    bytes += strings_bytes(request->arguments, &arguments) + strings_bytes(request->environment, &variables);
    struct parcel *parcel = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (parcel == MAP_FAILED) return NULL;
    char **table = (char **)(parcel + 1);
    char *text = (char *)(table + arguments + variables + 2);
    parcel->bytes = bytes;
    parcel->parent = getpid();
    parcel->own_group = request->own_group;
    parcel->arguments = strings_copy(request->arguments, arguments, table, &text);
    parcel->environment = strings_copy(request->environment, variables, table + arguments + 1, &text);
    parcel->path = text;
    strcpy(text, request->path);
    return parcel;
}

// Where the image that holds `address` begins, 0 where it is unknown.
static uintptr_t image_base(const void *address) {
    Dl_info information;
    return dladdr(address, &information) ? (uintptr_t)information.dli_fbase : 0;
}

// The parts the child needs: 64 KiB and more on both sides of the frame; the thread's block with the variables beside
// it, errno among them. Sorted, and made one where they touch.
static void ranges_keep(struct range kept[HT_LAUNCH_KEPT], uintptr_t frame, uintptr_t thread) {
    frame &= ~(uintptr_t)0xffff;
    thread &= ~(uintptr_t)0xfff;
    const struct range stack = {frame - 0x10000, frame + 0x20000};
    const struct range block = {thread - 0x2000, thread + 0x2000};
    kept[0] = stack.start < block.start ? stack : block;
    kept[1] = stack.start < block.start ? block : stack;
    if (kept[0].end >= kept[1].start) {
        if (kept[0].end < kept[1].end) kept[0].end = kept[1].end;
        kept[1] = kept[0];
    }
}

// Adds what is left of `range` when the `kept` parts, sorted and apart, are taken out.
static size_t ranges_add(struct range *ranges, size_t count, struct range range, const struct range *kept) {
    for (size_t i = 0; i <= HT_LAUNCH_KEPT && count < HT_LAUNCH_MAX_RANGES; i++) {
        uintptr_t end = i < HT_LAUNCH_KEPT && kept[i].start < range.end ? kept[i].start : range.end;
        if (range.start < end) ranges[count++] = (struct range){range.start, end};
        if (i < HT_LAUNCH_KEPT && range.start < kept[i].end) range.start = kept[i].end;
    }
    return count;
}

// Collects the private memory the child has no use for: all but the mappings of the two `images`, the kernel's own, and
// the `kept` parts of the rest (stacks and thread blocks may share a mapping with the heap). Returns how many ranges.
static size_t ranges_collect(struct range *ranges, const uintptr_t *images, const struct range *kept) {
    FILE *maps = fopen("/proc/self/maps", "re");
    if (!maps) return 0;
    char line[4500], name[4400], image_names[2][4400] = {"", ""};
    size_t count = 0;
    // An image is mapped at its base first, so its name is known before the mappings that follow it.
    while (fgets(line, sizeof line, maps)) {
        struct range range;
        char permissions[5];
        name[0] = 0;
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %4399[^\n]", &range.start, &range.end, permissions, name) < 3)
            continue;
        int keep = permissions[3] != 'p' || strncmp(name, "[v", 2) == 0;
        for (size_t i = 0; i < 2 && name[0] == '/'; i++) {
            if (images[i] == range.start) strcpy(image_names[i], name);
            keep |= strcmp(image_names[i], name) == 0;
        }
        if (!keep) count = ranges_add(ranges, count, range, kept);
    }
    fclose(maps);
    return count;
}

static void ranges_advise(const struct range *ranges, size_t count, int advice) {
    // A mapping that has gone meanwhile is no loss: errors mean one mapping more or less in the child.
    for (size_t i = 0; i < count; i++) madvise((void *)ranges[i].start, ranges[i].end - ranges[i].start, advice);
}

// In the child: becomes the program, or sends the errno and ends. Every call here is one that the parent has made
// before the fork, for a first call would enter the dynamic loader, whose memory the child does not have.
__attribute__((noreturn, noinline)) HT_LAUNCH_BARE static void child_exec(const struct parcel *parcel,
                                                                          const int32_t *descriptors,
                                                                          const sigset_t *mask, int report) {
    for (int i = 0; i < 3; i++) {
        if (syscall(SYS_dup3, descriptors[i], i, 0) < 0) goto failed;
    }
    // A tool that is killed cannot end what it started; the kernel does. Where it died before, there is no one to tell.
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L);
    if (syscall(SYS_getppid) != parcel->parent) goto failed;
    if (parcel->own_group) syscall(SYS_setpgid, 0L, 0L);
    // A tool that ignores SIGPIPE must not make the program ignore it. All zeros is the kernel's default action.
    const uint64_t usual[4] = {0};
    syscall(SYS_rt_sigaction, SIGPIPE, usual, NULL, HT_LAUNCH_KERNEL_MASK_BYTES);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, NULL, HT_LAUNCH_KERNEL_MASK_BYTES);
    syscall(SYS_execve, parcel->path, parcel->arguments, parcel->environment);
failed:;
    int error = errno;
    syscall(SYS_write, report, &error, sizeof error);
    for (;;) syscall(SYS_exit_group, 127);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Descriptors of the child lie above 2, so that duplicating one cannot overwrite another.
static int descriptors_lift(const struct ht_launch_request *request, int32_t *lifted) {
    const int32_t given[3] = {request->standard_input, request->standard_output, request->standard_error};
    for (int i = 0; i < 3; i++) lifted[i] = -1;
    for (int i = 0; i < 3; i++) {
        lifted[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3);
        if (lifted[i] < 0) return errno;
    }
    return 0;
}

// One fork at a time: the marks of one thread take away the stack that another thread's child would run on.
static pthread_mutex_t fork_lock = PTHREAD_MUTEX_INITIALIZER;

HT_LAUNCH_BARE static int fork_small(const struct parcel *parcel, const int32_t *descriptors, int report,
                                     struct ht_launch_process *process) {
    struct range *ranges = malloc(HT_LAUNCH_MAX_RANGES * sizeof *ranges);
    if (!ranges) return ENOMEM;
    const uintptr_t images[2] = {image_base((const void *)ht_launch_start), image_base((const void *)execve)};
    struct range kept[HT_LAUNCH_KEPT];
    ranges_keep(kept, (uintptr_t)__builtin_frame_address(0), (uintptr_t)__builtin_thread_pointer());
    size_t count = ranges_collect(ranges, images, kept);

    // A thread of a pool blocks signals that the program must not find blocked: it starts with none.
    sigset_t every, mask, none;
    sigfillset(&every);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &every, &mask);
    pthread_mutex_lock(&fork_lock);
    ranges_advise(ranges, count, MADV_DONTFORK);
    process->started_ns = now_ns();
    errno = 0;
    // Not fork(): its handlers would lock and touch memory that the child does not have.
    long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid == 0) child_exec(parcel, descriptors, &none, report);
    int error = pid < 0 ? errno : 0;
    ranges_advise(ranges, count, MADV_DOFORK);
    pthread_mutex_unlock(&fork_lock);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    free(ranges);
    process->pid = (int32_t)pid;
    return error;
}

int32_t ht_launch_start(const struct ht_launch_request *request, struct ht_launch_process *process) {
    int report[2];
    int32_t descriptors[3];
    if (pipe2(report, O_CLOEXEC) != 0) return errno;
    struct parcel *parcel = parcel_make(request);
    int error = parcel ? descriptors_lift(request, descriptors) : errno;
    if (!error) error = fork_small(parcel, descriptors, report[1], process);
    close(report[1]);
    int failure = 0;
    // The pipe closes at exec; before that it can only bring the errno of a child that could not get there.
    ssize_t count = 0;
    while (!error && (count = read(report[0], &failure, sizeof failure)) < 0 && errno == EINTR) {
    }
    if (!error && count == (ssize_t)sizeof failure) {
        waitpid(process->pid, NULL, 0);
        error = failure;
    }
    close(report[0]);
    for (int i = 0; parcel && i < 3; i++) {
        if (descriptors[i] >= 0) close(descriptors[i]);
    }
    if (parcel) munmap(parcel, parcel->bytes);
    return error;
}

static uint64_t nanoseconds(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

int32_t ht_launch_wait(const struct ht_launch_process *process, struct ht_launch_usage *usage) {
    struct rusage charged;
    int status;
    while (wait4(process->pid, &status, 0, &charged) < 0) {
        if (errno != EINTR) return errno;
    }
    usage->wall_ns = now_ns() - process->started_ns;
    usage->wait_status = status;
    usage->user_ns = nanoseconds(charged.ru_utime);
    usage->system_ns = nanoseconds(charged.ru_stime);
    usage->peak_rss_bytes = (uint64_t)charged.ru_maxrss * 1024;
    usage->minor_faults = (uint64_t)charged.ru_minflt;
    usage->major_faults = (uint64_t)charged.ru_majflt;
    usage->voluntary_switches = (uint64_t)charged.ru_nvcsw;
    usage->involuntary_switches = (uint64_t)charged.ru_nivcsw;
    return 0;
}

int32_t ht_launch_handle(int32_t pid) {
    // The kernel marks it close-on-exec.
    return (int32_t)syscall(SYS_pidfd_open, (long)pid, 0L);
}

int32_t ht_launch_watch_interrupts(void) {
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t watched;
    sigemptyset(&watched);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        // A blocked signal would arrive although it is ignored, as SIGHUP is under nohup.
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&watched, signals[i]);
    }
    int descriptor = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor >= 0) pthread_sigmask(SIG_BLOCK, &watched, NULL);
    return descriptor;
}

bool ht_launch_take_interrupt(int32_t descriptor, struct ht_launch_interrupt *interrupt) {
    struct signalfd_siginfo information;
    if (read(descriptor, &information, sizeof information) != (ssize_t)sizeof information) return false;
    interrupt->signal = (int32_t)information.ssi_signo;
    interrupt->from_terminal = information.ssi_code == SI_KERNEL;
    return true;
}

void ht_launch_adopt_orphans(void) { prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L); }

bool ht_launch_has_capabilities(const char *path) { return getxattr(path, "security.capability", NULL, 0) > 0; }
