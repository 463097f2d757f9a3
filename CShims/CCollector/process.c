// Regions and outputs of traced processes. Runs in the collector process alone, so it may allocate.
#include "process.h"

#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20 };

bool ht_process_map_region(ht_process *process, int fd) {
    ht_region_side = HT_SIDE_COLLECTOR;
    void *mapped = mmap(NULL, HT_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (mapped == MAP_FAILED) return false;
    process->region = mapped;
    process->region_fd = fd;
    process->drain.region = mapped;
    process->pidfd = -1;
    return true;
}

// A file-size limit holds for shared memory, too: it is lifted for the moment, as far as that is allowed.
static int size_region(int fd) {
    struct rlimit limit, lifted = {RLIM_INFINITY, RLIM_INFINITY};
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur >= HT_REGION_FILE_BYTES)
        return ftruncate(fd, (off_t)HT_REGION_FILE_BYTES);
    if (setrlimit(RLIMIT_FSIZE, &lifted) != 0) {
        lifted = (struct rlimit){limit.rlim_max, limit.rlim_max};
        setrlimit(RLIMIT_FSIZE, &lifted);
    }
    int status = ftruncate(fd, (off_t)HT_REGION_FILE_BYTES);
    int error = errno;
    setrlimit(RLIMIT_FSIZE, &limit);
    errno = error;
    return status;
}

bool ht_process_make_region(ht_process *process, const ht_collect_request *request) {
    int fd = memfd_create("heaptrail", MFD_CLOEXEC);
    return fd >= 0 && ht_process_fill_region(process, request, fd);
}

bool ht_process_fill_region(ht_process *process, const ht_collect_request *request, int fd) {
    if (size_region(fd) != 0 || !ht_process_map_region(process, fd)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return false;
    }
    uint32_t options = (request->no_stacks ? HT_OPTION_NO_STACKS : 0u) | (request->drop ? HT_OPTION_DROP : 0u) |
                       (request->follow ? HT_OPTION_FOLLOW : 0u) |
                       (request->no_swift_types ? HT_OPTION_NO_SWIFT_TYPES : 0u);
    ht_region_init(process->region, options, request->max_depth);
    process->request = request;
    process->region->sample_bytes = request->sample_bytes;
    process->region->sample_seed = request->sample_seed;
    process->region->collector_pid = (uint32_t)getpid();
    process->region->collector_fd = (uint32_t)fd;
    process->region->root_fd = (uint32_t)fd;
    snprintf(process->region->allocator_path, sizeof process->region->allocator_path, "%s", request->allocator_path);
    pthread_mutex_lock(&process->region->alive);
    return true;
}

// A file that exists is kept (EEXIST) unless forced. A device, a pipe or a terminal is no file to be lost: it is simply
// written to.
static int create_file(const char *path, bool force, bool *created) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *created = fd >= 0;
    if (fd >= 0 || errno != EEXIST) return fd;
    struct stat found;
    if (!force && stat(path, &found) == 0 && S_ISREG(found.st_mode)) {
        errno = EEXIST;
        return -1;
    }
    return open(path, O_WRONLY | O_CLOEXEC);
}

static void put_opening(ht_process *process, const ht_collect_request *request) {
    uint32_t flags = (process->region->options & HT_OPTION_NO_STACKS ? HT_FILE_NO_STACKS : 0u) |
                     (process->region->options & HT_OPTION_DROP ? HT_FILE_DROPS : 0u) |
                     (process->region->sample_bytes != 0 ? HT_FILE_SAMPLED : 0u) |
                     (atomic_load_explicit(&process->region->forked, memory_order_relaxed) ? HT_FILE_FORKED : 0u) |
                     (process->attached ? HT_FILE_ATTACHED : 0u);
    ht_trace_put_header(&process->writer, HT_MODE_COLLECTOR, flags, (uint32_t)process->pid,
                        process->region->sample_bytes);
    char arguments[8 << 10];
    size_t used = 0;
    for (char *const *argument = request->arguments; argument != NULL && *argument != NULL; argument++) {
        size_t length = strlen(*argument) + 1;
        if (used + length > sizeof arguments) break;
        memcpy(arguments + used, *argument, length);
        used += length;
    }
    char directory[4096];
    if (getcwd(directory, sizeof directory) == NULL) directory[0] = 0;
    struct utsname host;
    if (uname(&host) != 0) memset(&host, 0, sizeof host);
    const char *program = request->arguments != NULL && request->arguments[0] != NULL ? request->arguments[0] : "";
    // A followed child says itself what it is, in its IMAGE record; the command line is the program's alone, and comes
    // last here.
    bool is_child = request->pid != 0 && request->pid != process->pid;
    ht_info_entry entries[] = {
        {HT_INFO_HOST, host.nodename, strlen(host.nodename)},
        {HT_INFO_KERNEL, host.release, strlen(host.release)},
        {HT_INFO_ALLOCATOR, request->allocator_name, strlen(request->allocator_name)},
        {HT_INFO_ALLOCATOR_PATH, request->allocator_path, strlen(request->allocator_path)},
        {HT_INFO_RECORDER, request->version, strlen(request->version)},
        {HT_INFO_DIRECTORY, directory, strlen(directory)},
        {HT_INFO_PROGRAM, program, strlen(program)},
        {HT_INFO_ARGUMENTS, arguments, used},
        {HT_INFO_EXECUTABLE, request->executable == NULL ? "" : request->executable,
         request->executable == NULL ? 0 : strlen(request->executable)},
    };
    enum { OF_THE_COMMAND_LINE = 3 };
    size_t count = sizeof entries / sizeof entries[0];
    ht_trace_put_info(&process->writer, 0, entries, is_child ? count - OF_THE_COMMAND_LINE : count);
    ht_trace_put_clock(&process->writer);
    process->drain.clock_at_ns = ht_monotonic_ns();
}

bool ht_process_create_output(ht_process *process, const ht_collect_request *request, bool child) {
    char *path = process->output_path;
    size_t room = sizeof process->output_path;
    process->output_fd = 2;
    if (request->output_base != NULL) snprintf(path, room, "%s.%d.trace", request->output_base, (int)request->pid);
    else if (request->output != NULL) snprintf(path, room, "%s", request->output);
    else return true;
    if (strcmp(path, "-") == 0) {
        process->output_fd = 1;
        return true;
    }
    if (child) {
        size_t used = strlen(path);
        snprintf(path + used, room - used, ".%d", (int)process->pid);
    }
    process->output_fd = create_file(path, request->force, &process->created);
    if (process->output_fd < 0) return false;
    // Readers wait for this lock, so that a report right after the program sees the whole trace.
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)fcntl(process->output_fd, F_SETLK, &lock);
    return true;
}

void ht_process_discard_output(ht_process *process) {
    if (process->output_fd > 2) close(process->output_fd);
    if (process->created) unlink(process->output_path);
    process->output_fd = -1;
}

bool ht_process_open_output(ht_process *process, const ht_collect_request *request) {
    int fd = process->output_fd;
    if (fd > 2 && !process->created && ftruncate(fd, 0) != 0 && errno != EINVAL) return false;
    process->opened = true;
    if (request->text) {
        process->text = calloc(1, sizeof *process->text);
        if (process->text == NULL) return false;
        process->text->fd = fd;
        process->drain.text = process->text;
        return true;
    }
    process->writer = (ht_trace_writer){.fd = fd, .buffer = malloc(BUFFER_BYTES), .capacity = BUFFER_BYTES};
    if (process->writer.buffer == NULL) return false;
    process->drain.writer = &process->writer;
    put_opening(process, request);
    ht_trace_flush(&process->writer);
    return process->writer.error == 0;
}

bool ht_process_watch(ht_process *process, pid_t pid) {
    process->pid = pid;
    process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return process->pidfd >= 0;
}

void ht_process_drop_region(const ht_process *process) {
    // The control block stays: its lock is held.
    fallocate(process->region_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HT_CONTROL_BYTES,
              HT_REGION_BYTES - HT_CONTROL_BYTES);
}

bool ht_process_ended(const ht_process *process) {
    if (process->pidfd < 0) return process->pid != 0;
    struct pollfd poller = {.fd = process->pidfd, .events = POLLIN};
    return poll(&poller, 1, 0) > 0;
}

void ht_process_close(ht_process *process, uint32_t how, uint32_t status) {
    if (process->opened) ht_drain_finish(&process->drain, how, status);
    if (process->output_fd > 2) close(process->output_fd);
    process->output_fd = -1;
    free(process->writer.buffer);
    free(process->text);
    process->writer.buffer = NULL;
    process->text = NULL;
    process->opened = false;
    if (process->pidfd >= 0) close(process->pidfd);
    process->pidfd = -1;
    if (process->region != NULL) {
        // Unlocked first: held robust mutexes are a list through their own memory, and the next region's would be
        // linked to this one's.
        atomic_store_explicit(&process->region->state, HT_STATE_OFF, memory_order_release);
        pthread_mutex_unlock(&process->region->alive);
        ht_region_withdraw(process->region);
        if (process->attached) ht_process_drop_region(process);
        munmap(process->region, HT_REGION_BYTES);
    }
    process->region = NULL;
    if (process->region_fd >= 0) close(process->region_fd);
    process->region_fd = -1;
}
