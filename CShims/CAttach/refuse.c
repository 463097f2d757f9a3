// The checks, from /proc alone but for the last one, which asks the kernel whether it would let us trace.
#include "refuse.h"

#include "image.h"
#include "tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct status {
    char state;
    long thread_group, tracer, user, seccomp, threads;
} status;

static bool read_status(pid_t pid, status *found) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    *found = (status){0};
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "State:", 6) == 0) sscanf(line + 6, " %c", &found->state);
        else if (strncmp(line, "Tgid:", 5) == 0) found->thread_group = strtol(line + 5, NULL, 10);
        else if (strncmp(line, "TracerPid:", 10) == 0) found->tracer = strtol(line + 10, NULL, 10);
        else if (strncmp(line, "Threads:", 8) == 0) found->threads = strtol(line + 8, NULL, 10);
        else if (strncmp(line, "Uid:", 4) == 0) found->user = strtol(line + 4, NULL, 10);
        else if (strncmp(line, "Seccomp:", 8) == 0) found->seccomp = strtol(line + 8, NULL, 10);
    }
    fclose(file);
    return true;
}

static enum ht_attach_outcome refuse(char *reason, size_t room, const char *line) {
    snprintf(reason, room, "%s", line);
    return HT_ATTACH_REFUSED;
}

static bool same_namespace(pid_t pid, const char *name) {
    char path[64];
    struct stat own, other;
    snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
    if (stat(path, &other) != 0) return true;  // not readable: said otherwise
    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    return stat(path, &own) != 0 || own.st_ino == other.st_ino;
}

static long yama_scope(void) {
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    long scope = 0;
    if (file == NULL) return 0;
    if (fscanf(file, "%ld", &scope) != 1) scope = 0;
    fclose(file);
    return scope;
}

// Why the kernel does not let us trace.
static enum ht_attach_outcome explain(const status *found, int error, char *reason, size_t room) {
    long scope = yama_scope();
    if (error == EBUSY) {
        snprintf(reason, room, "it waits in the kernel and cannot be stopped now; try again");
    } else if (error == EOPNOTSUPP) {
        snprintf(reason, room, "it runs under a seccomp filter, which only root may suspend; run heaptrail as root");
    } else if (error != EPERM && error != EACCES) {
        snprintf(reason, room, "it cannot be traced: %s", strerror(error));
    } else if (geteuid() != 0 && (long)geteuid() != found->user) {
        snprintf(reason, room, "it belongs to another user (%ld); run heaptrail as that user or as root", found->user);
    } else if (scope > 0) {
        snprintf(reason, room,
                 "this system lets nobody trace a running process (kernel.yama.ptrace_scope is %ld); run heaptrail as "
                 "root, or set it to 0",
                 scope);
    } else if (geteuid() == 0) {
        snprintf(reason, room, "the system does not permit it (no CAP_SYS_PTRACE here?)");
    } else {
        snprintf(reason, room,
                 "the system does not permit it: it is setuid, or has forbidden it itself (PR_SET_DUMPABLE)");
    }
    return HT_ATTACH_REFUSED;
}

static bool is_this_machine(pid_t pid) {
    char path[64];
    Elf64_Ehdr header = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t count = read(fd, &header, sizeof header);
    close(fd);
    return count == sizeof header && header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64;
}

// Asks by stopping the first thread for a moment. 0 or an error number.
static int try_tracing(pid_t pid, bool filtered) {
    ht_tracee tracee;
    if (!ht_tracee_open(&tracee, pid)) return errno == ENOENT ? ESRCH : errno;
    tracee.filtered = filtered;
    ht_seized seized = ht_tracee_stop_thread(&tracee, pid);
    int error = seized == HT_SEIZED_REFUSED ? errno : 0;
    ht_tracee_release(&tracee);
    ht_tracee_close(&tracee);
    return error;
}

static bool is_kernel_thread(pid_t pid) {
    char path[64], target[8];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return readlink(path, target, sizeof target) < 0 && errno == ENOENT;
}

// Whether the process reaches the very file that we mean by `library`.
static bool reaches(pid_t pid, const char *library) {
    char path[4200];
    struct stat ours, theirs;
    ht_path_within(path, sizeof path, pid, library);
    return stat(library, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

enum ht_attach_outcome ht_attach_check(pid_t pid, const char *library, ht_attach_facts *facts, char *reason,
                                       size_t room) {
    status found;
    bool known = pid > 0 && read_status(pid, &found);
    if (known && found.state == 'Z' && found.threads > 1)
        return refuse(reason, room, "its first thread has ended before the others: it cannot be looked into");
    if (!known || found.state == 'Z' || found.state == 'X') {
        snprintf(reason, room, "there is no such process");
        return HT_ATTACH_NO_PROCESS;
    }
    if (found.thread_group != pid) {
        snprintf(reason, room, "it is a thread of process %ld", found.thread_group);
        return HT_ATTACH_NO_PROCESS;
    }
    if (pid == getpid()) return refuse(reason, room, "that is heaptrail itself");
    if (is_kernel_thread(pid)) return refuse(reason, room, "it is a thread of the kernel");
    if (found.tracer != 0) {
        snprintf(reason, room, "it is being traced already, by process %ld", found.tracer);
        return HT_ATTACH_REFUSED;
    }
    if (!is_this_machine(pid)) return refuse(reason, room, "it is no x86-64 program");
    if (found.seccomp == 1) return refuse(reason, room, "it runs in strict seccomp mode");
    int error = try_tracing(pid, found.seccomp == 2);
    if (error == ESRCH) {
        snprintf(reason, room, "there is no such process");
        return HT_ATTACH_NO_PROCESS;
    }
    if (error != 0) return explain(&found, error, reason, room);
    if (!same_namespace(pid, "pid"))
        return refuse(reason, room,
                      "it runs in a container of its own (another pid namespace); run heaptrail in there");
    if (!reaches(pid, library)) {
        snprintf(reason, room,
                 "it does not see %s (another mount namespace, or a chroot); install heaptrail where it does", library);
        return HT_ATTACH_REFUSED;
    }
    facts->stopped = found.state == 'T';
    facts->filtered = found.seccomp == 2;
    return HT_ATTACH_OK;
}
