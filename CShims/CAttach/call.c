// Borrowing a stopped thread for system calls and calls of our own, and giving it back as it was: general, vector and
// signal-mask state. Calls run on pages of our own, so neither the red zone nor a small signal stack is touched.
#include "tracee.h"

#include "ptrace.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { KERNEL_MASK_BYTES = 8, POLL_NS = 200000 };

bool ht_tracee_borrow(pid_t thread, ht_tracee_state *saved) {
    struct iovec vectors = {saved->vectors, sizeof saved->vectors};
    uint64_t all = ~(uint64_t)0;
    if (!ht_tracee_registers(thread, &saved->registers)) return false;
    if (ht_ptrace(PTRACE_GETREGSET, thread, NT_X86_XSTATE, (uint64_t)(uintptr_t)&vectors) != 0) return false;
    saved->vector_bytes = vectors.iov_len;
    if (ht_ptrace(PTRACE_GETSIGMASK, thread, KERNEL_MASK_BYTES, (uint64_t)(uintptr_t)&saved->signal_mask) != 0)
        return false;
    return ht_ptrace(PTRACE_SETSIGMASK, thread, KERNEL_MASK_BYTES, (uint64_t)(uintptr_t)&all) == 0;
}

bool ht_tracee_give_back(pid_t thread, const ht_tracee_state *saved) {
    struct iovec vectors = {(void *)(uintptr_t)saved->vectors, saved->vector_bytes};
    bool done = ht_ptrace(PTRACE_SETREGSET, thread, NT_X86_XSTATE, (uint64_t)(uintptr_t)&vectors) == 0;
    done &= ht_tracee_set_registers(thread, &saved->registers);
    // Last: a signal that waited is delivered on the thread's own registers.
    done &= ht_ptrace(PTRACE_SETSIGMASK, thread, KERNEL_MASK_BYTES, (uint64_t)(uintptr_t)&saved->signal_mask) == 0;
    return done;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// What a running borrowed thread did: trapped (by our int3, or after its one instruction), or not.
typedef enum ran { RAN_TRAPPED, RAN_FAULTED, RAN_GONE, RAN_ON } ran;

// Lets the thread run by `request` until it traps. A stop signal that comes meanwhile is kept and sent again, for it
// cannot be blocked; the rest wait in the kernel.
static ran run_until_trap(const ht_tracee *tracee, pid_t thread, int request, int milliseconds) {
    int64_t end = now_ns() + (int64_t)milliseconds * 1000000;
    bool stop_again = false;
    ran outcome = RAN_ON;
    if (ht_ptrace(request, thread, 0, 0) != 0) return RAN_GONE;
    while (outcome == RAN_ON) {
        int status;
        pid_t done = waitpid(thread, &status, __WALL | WNOHANG);
        if (done < 0 && errno != EINTR) return RAN_GONE;
        if (done <= 0) {
            if (now_ns() > end) break;
            struct timespec nap = {.tv_nsec = POLL_NS};
            nanosleep(&nap, NULL);
            continue;
        }
        if (!WIFSTOPPED(status)) return RAN_GONE;
        int number = WSTOPSIG(status);
        if (status >> 16 == PTRACE_EVENT_STOP || number == SIGSTOP) {
            stop_again |= number == SIGSTOP && status >> 16 != PTRACE_EVENT_STOP;
            if (ht_ptrace(request, thread, 0, 0) != 0) return RAN_GONE;
        } else {
            outcome = number == SIGTRAP ? RAN_TRAPPED : RAN_FAULTED;
        }
    }
    if (stop_again) syscall(SYS_tgkill, tracee->pid, thread, SIGSTOP);
    return outcome;
}

long ht_tracee_syscall(ht_tracee *tracee, pid_t thread, long number, const uint64_t arguments[6]) {
    struct user_regs_struct registers;
    if (!ht_tracee_registers(thread, &registers)) return -ESRCH;
    registers.rip = tracee->syscall_at;
    registers.rax = (uint64_t)number;
    registers.orig_rax = ~0ull;  // not in a system call: nothing to restart
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.r10 = arguments[3];
    registers.r8 = arguments[4];
    registers.r9 = arguments[5];
    if (!ht_tracee_set_registers(thread, &registers)) return -ESRCH;
    if (run_until_trap(tracee, thread, PTRACE_SINGLESTEP, 10000) != RAN_TRAPPED) return -ESRCH;
    if (!ht_tracee_registers(thread, &registers)) return -ESRCH;
    return (long)registers.rax;
}

bool ht_tracee_map_scratch(ht_tracee *tracee, pid_t thread) {
    if (tracee->scratch != 0) return true;
    long mapped = ht_tracee_syscall(
        tracee, thread, SYS_mmap,
        (uint64_t[6]){0, HT_SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0});
    if (mapped < 0 && mapped > -4096) {
        snprintf(tracee->reason, sizeof tracee->reason, "it may not map memory: %s", strerror((int)-mapped));
        return false;
    }
    // The first page is where calls return to.
    static const uint8_t trap = 0xcc;
    long status = ht_tracee_syscall(tracee, thread, SYS_mprotect,
                                    (uint64_t[6]){(uint64_t)mapped, 4096, PROT_READ | PROT_EXEC, 0, 0, 0});
    tracee->scratch = (uint64_t)mapped;
    if (status == 0 && ht_tracee_write(tracee, (uint64_t)mapped, &trap, 1)) return true;
    snprintf(tracee->reason, sizeof tracee->reason, "it may not map executable memory: %s", strerror((int)-status));
    ht_tracee_unmap_scratch(tracee, thread);
    return false;
}

void ht_tracee_unmap_scratch(ht_tracee *tracee, pid_t thread) {
    if (tracee->scratch == 0) return;
    ht_tracee_syscall(tracee, thread, SYS_munmap, (uint64_t[6]){tracee->scratch, HT_SCRATCH_BYTES, 0, 0, 0, 0});
    tracee->scratch = 0;
}

bool ht_tracee_call(ht_tracee *tracee, pid_t thread, uint64_t function, const uint64_t arguments[4], int milliseconds,
                    uint64_t *result) {
    struct user_regs_struct registers;
    uint64_t stack = tracee->scratch + HT_SCRATCH_BYTES - 128;  // 16-byte aligned before the call
    uint64_t back = tracee->scratch;
    if (!ht_tracee_registers(thread, &registers) || !ht_tracee_write(tracee, stack - 8, &back, sizeof back)) goto gone;
    registers.rip = function;
    registers.rsp = stack - 8;
    registers.rbp = 0;
    registers.orig_rax = ~0ull;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.rcx = arguments[3];
    registers.rax = 0;              // no vector arguments
    registers.eflags &= ~0x500ull;  // direction and trap flags as the calling convention has them
    if (!ht_tracee_set_registers(thread, &registers)) goto gone;
    ran outcome = run_until_trap(tracee, thread, PTRACE_CONT, milliseconds);
    if (outcome == RAN_GONE || (outcome != RAN_ON && !ht_tracee_registers(thread, &registers))) goto gone;
    if (outcome == RAN_TRAPPED && registers.rip == back + 1) {
        *result = registers.rax;
        return true;
    }
    if (outcome == RAN_ON) {
        snprintf(tracee->reason, sizeof tracee->reason, "a call in it did not return within %d s", milliseconds / 1000);
    } else {
        snprintf(tracee->reason, sizeof tracee->reason, "a call in it failed at address 0x%llx", registers.rip);
    }
    return false;
gone:
    snprintf(tracee->reason, sizeof tracee->reason, "it ended while it was being attached to");
    return false;
}
