// A process under ptrace: its threads, their registers, its memory. Everything here runs on the one thread that seized.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

typedef struct ht_tracee_thread {
    pid_t id;
    bool stopped;
} ht_tracee_thread;

typedef struct ht_tracee {
    pid_t pid;
    int memory;  // of /proc/PID/mem: reads nothing more once the image is gone
    ht_tracee_thread *threads;
    size_t count, room;
    uint64_t syscall_at;  // a `syscall` instruction of the process
    uint64_t scratch;     // pages of ours in the process, 0 none: code that calls return to, data, a stack
    const struct ht_tracee_state *borrowed;  // of the thread that is borrowed
    bool filtered;                           // by seccomp: the filter is suspended while a thread is stopped by us
    char reason[256];                        // of the last failure
} ht_tracee;

// The outcome of stopping: a thread may refuse (EPERM), and threads come and go.
typedef enum ht_seized { HT_SEIZED, HT_SEIZED_GONE, HT_SEIZED_REFUSED } ht_seized;

// The process's threads, `*threads` to be freed.
size_t ht_list_threads(pid_t pid, pid_t **threads);

// Opens the process's memory. False with errno set.
bool ht_tracee_open(ht_tracee *tracee, pid_t pid);
void ht_tracee_close(ht_tracee *tracee);

// Stops one thread; refused with EOPNOTSUPP where its seccomp filter cannot be suspended. On HT_SEIZED it is the last
// of tracee->threads.
ht_seized ht_tracee_stop_thread(ht_tracee *tracee, pid_t thread);
// Stops all threads, those that appear meanwhile included.
ht_seized ht_tracee_stop_all(ht_tracee *tracee);
// Lets all stopped threads go their way, untraced.
void ht_tracee_release(ht_tracee *tracee);

bool ht_tracee_read(const ht_tracee *tracee, uint64_t address, void *out, size_t bytes);
// Writes into read-only pages, too.
bool ht_tracee_write(const ht_tracee *tracee, uint64_t address, const void *bytes, size_t count);
bool ht_tracee_registers(pid_t thread, struct user_regs_struct *registers);
bool ht_tracee_set_registers(pid_t thread, const struct user_regs_struct *registers);
// Whether the thread is inside a restartable sequence: its pc must not be borrowed there.
bool ht_tracee_in_sequence(const ht_tracee *tracee, pid_t thread, uint64_t pc);

// Everything of a thread that a borrowed call would change.
typedef struct ht_tracee_state {
    struct user_regs_struct registers;
    uint64_t signal_mask;
    size_t vector_bytes;
    uint8_t vectors[16 << 10];
} ht_tracee_state;

// Saves a stopped thread and blocks its signals: those that arrive are delivered after ht_tracee_give_back.
bool ht_tracee_borrow(ht_tracee *tracee, pid_t thread, ht_tracee_state *saved);
bool ht_tracee_give_back(ht_tracee *tracee, pid_t thread, const ht_tracee_state *saved);

enum {
    HT_SCRATCH_BYTES = 256 << 10,
    HT_SCRATCH_FRAME_BYTES = 24 << 10,
    HT_SCRATCH_DATA = 4096,
    HT_SCRATCH_DATA_BYTES = 60 << 10
};

// One system call on a borrowed thread. Returns what the kernel does, -ESRCH when the thread is gone.
long ht_tracee_syscall(ht_tracee *tracee, pid_t thread, long number, const uint64_t arguments[6]);
// Maps the scratch pages through a borrowed thread.
bool ht_tracee_map_scratch(ht_tracee *tracee, pid_t thread);
void ht_tracee_unmap_scratch(ht_tracee *tracee, pid_t thread);
// One call of a function of the process on a borrowed thread, on the scratch stack; waits `milliseconds` at most. False
// with the reason when it did not return: the thread is then still in the call, and goes on with what it did before
// when that returns, by itself. So it does when this process is killed meanwhile.
bool ht_tracee_call(ht_tracee *tracee, pid_t thread, uint64_t function, const uint64_t arguments[4], int milliseconds,
                    uint64_t *result);
