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
static ht_seized await_stop(pid_t thread) {
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
        if (status >> 16 == PTRACE_EVENT_STOP) return HT_SEIZED;
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

// Whether a thread that refuses to be seized has ended, and only waits to be collected.
static bool has_ended(const ht_tracee *tracee, pid_t thread) {
    char path[64], line[256], state = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)tracee->pid, (int)thread);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true;
    if (fgets(line, sizeof line, file) != NULL) {
        const char *end = strrchr(line, ')');
        if (end != NULL && end[1] == ' ') state = end[2];
    }
    fclose(file);
    return state == 'Z' || state == 'X' || state == 0;
}

// Seizes a thread and asks it to stop; it is the last of tracee->threads then.
static ht_seized interrupt(ht_tracee *tracee, pid_t thread) {
    if (ht_ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) {
        int error = errno;
        if (error == ESRCH || has_ended(tracee, thread)) return HT_SEIZED_GONE;
        errno = error;
        return HT_SEIZED_REFUSED;
    }
    if (!remember(tracee, (ht_tracee_thread){.id = thread})) {
        errno = ENOMEM;
        return HT_SEIZED_REFUSED;
    }
    ht_ptrace(PTRACE_INTERRUPT, thread, 0, 0);  // fails where it has ended, which the wait will tell
    return HT_SEIZED;
}

// Waits for one that was asked.
static ht_seized settle(const ht_tracee *tracee, ht_tracee_thread *thread) {
    ht_seized outcome = await_stop(thread->id);
    if (outcome != HT_SEIZED) return outcome;
    thread->stopped = true;
    if (tracee->filtered && ht_ptrace(PTRACE_SETOPTIONS, thread->id, 0, PTRACE_O_SUSPEND_SECCOMP) != 0) {
        errno = EOPNOTSUPP;
        return HT_SEIZED_REFUSED;
    }
    resume_wait(thread->id);
    return HT_SEIZED;
}

// Waits for all from `first` on, and forgets those that have ended.
static ht_seized settle_all(ht_tracee *tracee, size_t first) {
    size_t kept = first;
    ht_seized worst = HT_SEIZED;
    int error = 0;
    for (size_t i = first; i < tracee->count; i++) {
        ht_seized outcome = settle(tracee, &tracee->threads[i]);
        if (outcome == HT_SEIZED_GONE) continue;
        if (outcome == HT_SEIZED_REFUSED) {
            worst = outcome;
            error = errno;
        }
        tracee->threads[kept++] = tracee->threads[i];
    }
    tracee->count = kept;
    errno = error;
    return worst;
}

static ht_seized give_up(ht_tracee *tracee) {
    int error = errno;
    ht_tracee_release(tracee);
    errno = error;
    return HT_SEIZED_REFUSED;
}

ht_seized ht_tracee_stop_thread(ht_tracee *tracee, pid_t thread) {
    ht_seized outcome = interrupt(tracee, thread);
    if (outcome != HT_SEIZED) return outcome;
    if (settle_all(tracee, tracee->count - 1) != HT_SEIZED) return give_up(tracee);
    return is_known(tracee, thread) ? HT_SEIZED : HT_SEIZED_GONE;
}

// Asks all threads that are new. False with errno set when one refuses.
static bool interrupt_new(ht_tracee *tracee) {
    pid_t *threads;
    size_t count = ht_list_threads(tracee->pid, &threads);
    bool willing = true;
    for (size_t i = 0; i < count && willing; i++) {
        if (!is_known(tracee, threads[i])) willing = interrupt(tracee, threads[i]) != HT_SEIZED_REFUSED;
    }
    int error = errno;
    free(threads);
    errno = error;
    return willing;
}

ht_seized ht_tracee_stop_all(ht_tracee *tracee) {
    // Only threads that run can make others: when passes find none that is new, there will be none. Two passes, for a
    // thread that ends while the list is read can hide another one in it.
    int quiet = 0;
    for (int round = 0; round < STOP_ROUNDS && quiet < 2; round++) {
        size_t known = tracee->count;
        bool willing = interrupt_new(tracee);
        quiet = tracee->count == known ? quiet + 1 : 0;
        if (!willing || settle_all(tracee, known) != HT_SEIZED) return give_up(tracee);
    }
    if (quiet == 2) return tracee->count == 0 ? HT_SEIZED_GONE : HT_SEIZED;
    errno = EAGAIN;
    return give_up(tracee);
}

void ht_tracee_release(ht_tracee *tracee) {
    for (size_t i = 0; i < tracee->count; i++) {
        if (tracee->threads[i].stopped) ht_ptrace(PTRACE_DETACH, tracee->threads[i].id, 0, 0);
    }
    tracee->count = 0;
}

size_t ht_list_threads(pid_t pid, pid_t **threads) {
    char path[64];
    size_t count = 0, room = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    *threads = NULL;
    if (tasks == NULL) return 0;
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        long thread = strtol(entry->d_name, NULL, 10);
        if (thread <= 0) continue;
        if (count == room) {
            size_t wider = room == 0 ? 64 : room * 2;
            pid_t *grown = realloc(*threads, wider * sizeof *grown);
            if (grown == NULL) break;
            *threads = grown;
            room = wider;
        }
        (*threads)[count++] = (pid_t)thread;
    }
    closedir(tasks);
    return count;
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

// Word by word, on a stopped thread: a system may forbid writing to read-only pages through the file
// (proc_mem.force_override).
static bool poke(pid_t thread, uint64_t address, const uint8_t *bytes, size_t count) {
    while (count > 0) {
        uint64_t word;
        size_t offset = address & 7, part = 8 - offset < count ? 8 - offset : count;
        if (ht_ptrace(PTRACE_PEEKDATA, thread, address - offset, (uint64_t)(uintptr_t)&word) != 0) return false;
        memcpy((uint8_t *)&word + offset, bytes, part);
        if (ht_ptrace(PTRACE_POKEDATA, thread, address - offset, word) != 0) return false;
        address += part;
        bytes += part;
        count -= part;
    }
    return true;
}

bool ht_tracee_write(const ht_tracee *tracee, uint64_t address, const void *bytes, size_t count) {
    if (pwrite(tracee->memory, bytes, count, (off_t)address) == (ssize_t)count) return true;
    for (size_t i = 0; i < tracee->count; i++) {
        if (poke(tracee->threads[i].id, address, bytes, count)) return true;
    }
    return false;
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
