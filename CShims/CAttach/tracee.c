// Stopping and releasing threads, reading and writing their memory and registers.
//
// A thread is seized (which does not stop it) and interrupted. A signal on its way is passed on at once; the interrupt
// stays pending and stops the thread right after, so no signal is ever held back by us. A system call that was
// interrupted is restarted by the kernel when the thread goes on with the registers it was stopped with: results and
// errno are as if nothing had happened.
#include "tracee.h"

#include "ptrace.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rseq.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STOP_ROUNDS = 1000, STOP_NAPS = 5000 };

bool ht_tracee_open(ht_tracee *tracee, pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    *tracee = (ht_tracee){.pid = pid, .memory = open(path, O_RDWR | O_CLOEXEC)};
    return tracee->memory >= 0;
}

void ht_tracee_close(ht_tracee *tracee) {
    if (tracee->memory >= 0) close(tracee->memory);
    free(tracee->threads);
    *tracee = (ht_tracee){.memory = -1};
}

static bool is_known(const ht_tracee *tracee, pid_t thread) {
    for (size_t i = 0; i < tracee->count; i++) {
        if (tracee->threads[i].id == thread) return true;
    }
    return false;
}

static bool remember(ht_tracee *tracee, ht_tracee_thread thread) {
    if (tracee->count == tracee->room) {
        size_t room = tracee->room == 0 ? 64 : tracee->room * 2;
        ht_tracee_thread *grown = realloc(tracee->threads, room * sizeof *grown);
        if (grown == NULL) return false;
        tracee->threads = grown;
        tracee->room = room;
    }
    tracee->threads[tracee->count++] = thread;
    return true;
}

// Waits until an interrupted thread stands, five seconds at most. HT_SEIZED_GONE when it ended instead.
static ht_seized await_stop(pid_t thread, bool *group_stopped) {
    for (int naps = 0;;) {
        int status;
        pid_t done = waitpid(thread, &status, __WALL | WNOHANG);
        if (done < 0 && errno == EINTR) continue;
        if (done == 0) {
            // In the kernel, and not to be interrupted there (vfork waits so for its child's exec).
            if (naps++ == STOP_NAPS) {
                errno = EBUSY;
                return HT_SEIZED_REFUSED;
            }
            struct timespec nap = {.tv_nsec = naps < 100 ? 20000 : 1000000};
            nanosleep(&nap, NULL);
            continue;
        }
        if (done < 0 || !WIFSTOPPED(status)) return HT_SEIZED_GONE;
        if (status >> 16 == PTRACE_EVENT_STOP) {
            *group_stopped = WSTOPSIG(status) != SIGTRAP;
            return HT_SEIZED;
        }
        if (ht_ptrace(PTRACE_CONT, thread, 0, (uint64_t)WSTOPSIG(status)) != 0 && errno == ESRCH) return HT_SEIZED_GONE;
    }
}

// Whether a signal that the thread does not block is on its way to it.
static bool signal_is_pending(pid_t thread) {
    char path[64], line[256];
    unsigned long long own = 0, shared = 0, blocked = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "SigPnd:", 7) == 0) own = strtoull(line + 7, NULL, 16);
        else if (strncmp(line, "ShdPnd:", 7) == 0) shared = strtoull(line + 7, NULL, 16);
        else if (strncmp(line, "SigBlk:", 7) == 0) blocked = strtoull(line + 7, NULL, 16);
    }
    fclose(file);
    return ((own | shared) & ~blocked) != 0;
}

// Some waits end with EINTR whatever interrupts them, and the kernel does not restart them (signal(7)). No signal of
// the program's did it, so the wait begins again.
static void resume_wait(pid_t thread) {
    static const uint16_t waits[] = {
        SYS_epoll_wait,      SYS_epoll_pwait,  SYS_epoll_pwait2,  SYS_semop,          SYS_semtimedop,
        SYS_rt_sigtimedwait, SYS_io_getevents, SYS_io_pgetevents, SYS_io_uring_enter, SYS_read,
        SYS_recvfrom,        SYS_recvmsg,      SYS_accept,        SYS_accept4,
    };
    struct user_regs_struct registers;
    if (!ht_tracee_registers(thread, &registers) || (int64_t)registers.rax != -EINTR) return;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        if (registers.orig_rax != waits[i] || signal_is_pending(thread)) continue;
        registers.rax = registers.orig_rax;
        registers.rip -= 2;  // the instruction that made the call
        registers.orig_rax = ~0ull;
        ht_tracee_set_registers(thread, &registers);
        return;
    }
}

ht_seized ht_tracee_stop_thread(ht_tracee *tracee, pid_t thread) {
    if (ht_ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) {
        if (errno == ESRCH) return HT_SEIZED_GONE;
        // A thread that has ended and still waits to be collected refuses, too: it is nobody to stop.
        int error = errno;
        char path[64], line[256], state = 0;
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)tracee->pid, (int)thread);
        FILE *file = fopen(path, "re");
        if (file == NULL) return HT_SEIZED_GONE;
        if (fgets(line, sizeof line, file) != NULL) {
            const char *end = strrchr(line, ')');
            if (end != NULL && end[1] == ' ') state = end[2];
        }
        fclose(file);
        if (state == 'Z' || state == 'X' || state == 0) return HT_SEIZED_GONE;
        errno = error;
        return HT_SEIZED_REFUSED;
    }
    ht_tracee_thread entry = {.id = thread, .stopped = true};
    if (ht_ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0) return HT_SEIZED_GONE;
    ht_seized outcome = await_stop(thread, &entry.group_stopped);
    if (outcome != HT_SEIZED) return outcome;
    resume_wait(thread);
    if (!remember(tracee, entry)) {
        ht_ptrace(PTRACE_DETACH, thread, 0, 0);
        errno = ENOMEM;
        return HT_SEIZED_REFUSED;
    }
    return HT_SEIZED;
}

ht_seized ht_tracee_stop_all(ht_tracee *tracee) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)tracee->pid);
    // Only threads that run can make others: when a whole pass finds none that is new, there will be none.
    for (int round = 0; round < STOP_ROUNDS; round++) {
        DIR *tasks = opendir(path);
        if (tasks == NULL) return HT_SEIZED_GONE;
        bool any = false;
        for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
            pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
            if (thread <= 0 || is_known(tracee, thread)) continue;
            ht_seized outcome = ht_tracee_stop_thread(tracee, thread);
            if (outcome == HT_SEIZED_REFUSED) {
                int error = errno;
                closedir(tasks);
                ht_tracee_release(tracee);
                errno = error;
                return outcome;
            }
            any |= outcome == HT_SEIZED;
        }
        closedir(tasks);
        if (!any) return tracee->count == 0 ? HT_SEIZED_GONE : HT_SEIZED;
    }
    ht_tracee_release(tracee);
    errno = EAGAIN;
    return HT_SEIZED_REFUSED;
}

void ht_tracee_release(ht_tracee *tracee) {
    for (size_t i = 0; i < tracee->count; i++) {
        if (tracee->threads[i].stopped) ht_ptrace(PTRACE_DETACH, tracee->threads[i].id, 0, 0);
    }
    tracee->count = 0;
}

bool ht_tracee_read(const ht_tracee *tracee, uint64_t address, void *out, size_t bytes) {
    char *at = out;
    while (bytes > 0) {
        ssize_t count = pread(tracee->memory, at, bytes, (off_t)address);
        if (count <= 0) return false;
        at += count;
        address += (uint64_t)count;
        bytes -= (size_t)count;
    }
    return true;
}

bool ht_tracee_write(const ht_tracee *tracee, uint64_t address, const void *bytes, size_t count) {
    return pwrite(tracee->memory, bytes, count, (off_t)address) == (ssize_t)count;
}

bool ht_tracee_registers(pid_t thread, struct user_regs_struct *registers) {
    return ht_ptrace(PTRACE_GETREGS, thread, 0, (uint64_t)(uintptr_t)registers) == 0;
}

bool ht_tracee_set_registers(pid_t thread, const struct user_regs_struct *registers) {
    return ht_ptrace(PTRACE_SETREGS, thread, 0, (uint64_t)(uintptr_t)registers) == 0;
}

bool ht_tracee_in_sequence(const ht_tracee *tracee, pid_t thread, uint64_t pc) {
    struct ptrace_rseq_configuration configuration = {0};
    if (ht_ptrace(PTRACE_GET_RSEQ_CONFIGURATION, thread, sizeof configuration, (uint64_t)(uintptr_t)&configuration) <=
            0 ||
        configuration.rseq_abi_pointer == 0)
        return false;
    uint64_t section = 0;
    struct rseq_cs bounds;
    if (!ht_tracee_read(tracee, configuration.rseq_abi_pointer + offsetof(struct rseq, rseq_cs), &section,
                        sizeof section) ||
        section == 0 || !ht_tracee_read(tracee, section, &bounds, sizeof bounds))
        return false;
    return pc - bounds.start_ip < bounds.post_commit_offset;
}
