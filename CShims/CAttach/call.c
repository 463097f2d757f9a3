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
#include <ucontext.h>
#include <unistd.h>

enum {
    KERNEL_MASK_BYTES = 8,
    KERNEL_FRAME_BYTES = 304,  // of a ucontext, as the kernel has it
    FRAME_VECTORS = 320,
    VECTORS_MARKS = 464,
    POLL_NS = 200000,
    RAW_CALL_MS = 10000
};

// Code of ours: syscall ; mov %rax, %rdi ; mov $15, %eax ; syscall. Calls return to the second instruction. The last is
// rt_sigreturn: the thread takes back its own state, even if nobody is there any more to see it come. We stop it right
// there and do it ourselves.
static const uint8_t code[] = {0x0f, 0x05, 0x48, 0x89, 0xc7, 0xb8, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};
enum { WAY_BACK = 2 };

bool ht_tracee_borrow(ht_tracee *tracee, pid_t thread, ht_tracee_state *saved) {
    struct iovec vectors = {saved->vectors, sizeof saved->vectors};
    uint64_t all = ~(uint64_t)0;
    if (!ht_tracee_registers(thread, &saved->registers)) return false;
    if (ht_ptrace(PTRACE_GETREGSET, thread, NT_X86_XSTATE, (uint64_t)(uintptr_t)&vectors) != 0) return false;
    saved->vector_bytes = vectors.iov_len;
    tracee->borrowed = saved;
    if (ht_ptrace(PTRACE_GETSIGMASK, thread, KERNEL_MASK_BYTES, (uint64_t)(uintptr_t)&saved->signal_mask) != 0)
        return false;
    return ht_ptrace(PTRACE_SETSIGMASK, thread, KERNEL_MASK_BYTES, (uint64_t)(uintptr_t)&all) == 0;
}

bool ht_tracee_give_back(ht_tracee *tracee, pid_t thread, const ht_tracee_state *saved) {
    tracee->borrowed = NULL;
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

// What a running borrowed thread did: trapped after its one instruction, came to the way back, or not.
typedef enum ran { RAN_TRAPPED, RAN_BACK, RAN_FAULTED, RAN_GONE, RAN_ON } ran;

// Lets the thread run by `request` until it traps, or comes by the way back. A stop signal that comes meanwhile is kept
// and sent again, for it cannot be blocked; the rest wait in the kernel.
static ran run_until_trap(const ht_tracee *tracee, pid_t thread, int request, int milliseconds) {
    int64_t end = now_ns() + (int64_t)milliseconds * 1000000;
    bool stop_again = false;
    ran outcome = RAN_ON;
    if (ht_ptrace(request, thread, 0, 0) != 0) return RAN_GONE;
    for (int naps = 0; outcome == RAN_ON;) {
        int status;
        pid_t done = waitpid(thread, &status, __WALL | WNOHANG);
        if (done < 0 && errno != EINTR) return RAN_GONE;
        if (done <= 0) {
            if (now_ns() > end) break;
            struct timespec nap = {.tv_nsec = naps++ < 100 ? POLL_NS / 10 : POLL_NS};
            nanosleep(&nap, NULL);
            continue;
        }
        if (!WIFSTOPPED(status)) return RAN_GONE;
        int number = WSTOPSIG(status);
        if (number == (SIGTRAP | 0x80)) {  // at a system call's entry or end
            struct user_regs_struct at;
            if (!ht_tracee_registers(thread, &at)) return RAN_GONE;
            if (at.orig_rax == SYS_rt_sigreturn && at.rip == tracee->scratch + sizeof code) outcome = RAN_BACK;
            else if (ht_ptrace(request, thread, 0, 0) != 0) return RAN_GONE;
        } else if (status >> 16 == PTRACE_EVENT_STOP || number == SIGSTOP) {
            stop_again |= number == SIGSTOP && status >> 16 != PTRACE_EVENT_STOP;
            if (ht_ptrace(request, thread, 0, 0) != 0) return RAN_GONE;
        } else {
            outcome = number == SIGTRAP ? RAN_TRAPPED : RAN_FAULTED;
        }
    }
    if (stop_again) syscall(SYS_tgkill, tracee->pid, thread, SIGSTOP);
    return outcome;
}

// The frame that rt_sigreturn takes the thread's own state from. A system call that was interrupted is made again.
static bool write_frame(const ht_tracee *tracee, uint64_t frame_at) {
    const ht_tracee_state *saved = tracee->borrowed;
    const struct user_regs_struct *own = &saved->registers;
    enum { RESTART_SYS = 512, RESTART_NO_INTR = 513, RESTART_NO_HANDLER = 514, RESTART_BLOCK = 516 };
    int64_t status = -(int64_t)own->rax;
    bool again = (int64_t)own->orig_rax >= 0 && (status == RESTART_SYS || status == RESTART_NO_INTR ||
                                                 status == RESTART_NO_HANDLER || status == RESTART_BLOCK);
    uint64_t vectors_at = frame_at + FRAME_VECTORS;
    ucontext_t frame = {.uc_flags = 7};  // extended vector state, a stack segment that is to be kept
    frame.uc_stack.ss_flags = 0x7f;      // none that there are: the alternate stack stays as it is
    greg_t *to = frame.uc_mcontext.gregs;
    const uint64_t from[] = {
        [REG_R8] = own->r8,
        [REG_R9] = own->r9,
        [REG_R10] = own->r10,
        [REG_R11] = own->r11,
        [REG_R12] = own->r12,
        [REG_R13] = own->r13,
        [REG_R14] = own->r14,
        [REG_R15] = own->r15,
        [REG_RDI] = own->rdi,
        [REG_RSI] = own->rsi,
        [REG_RBP] = own->rbp,
        [REG_RBX] = own->rbx,
        [REG_RDX] = own->rdx,
        [REG_RCX] = own->rcx,
        [REG_RSP] = own->rsp,
        [REG_RAX] = again ? own->orig_rax : own->rax,
        [REG_RIP] = own->rip - (again ? 2 : 0),
        [REG_EFL] = own->eflags,
        [REG_CSGSFS] = (own->cs & 0xffff) | (own->ss & 0xffff) << 48,
    };
    for (size_t i = 0; i < sizeof from / sizeof from[0]; i++) to[i] = (greg_t)from[i];
    memcpy(&frame.uc_mcontext.fpregs, &vectors_at, sizeof vectors_at);
    memcpy(&frame.uc_sigmask, &saved->signal_mask, sizeof saved->signal_mask);
    // What ptrace gives, marked as the kernel marks a signal frame's (struct _fpx_sw_bytes).
    uint8_t vectors[sizeof saved->vectors + 4];
    memcpy(vectors, saved->vectors, saved->vector_bytes);
    struct _fpx_sw_bytes marks = {.magic1 = FP_XSTATE_MAGIC1,
                                  .extended_size = (uint32_t)saved->vector_bytes + 4,
                                  .xstate_size = (uint32_t)saved->vector_bytes};
    uint32_t end = FP_XSTATE_MAGIC2;
    memcpy(&marks.xstate_bv, vectors + VECTORS_MARKS, sizeof marks.xstate_bv);
    memcpy(vectors + VECTORS_MARKS, &marks, sizeof marks);
    memcpy(vectors + saved->vector_bytes, &end, sizeof end);
    return ht_tracee_write(tracee, frame_at, &frame, KERNEL_FRAME_BYTES) &&
           ht_tracee_write(tracee, vectors_at, vectors, saved->vector_bytes + sizeof end);
}

// The thread has come by the way back: it is not to go it, but to stand where it can be given back.
static bool halt(const ht_tracee *tracee, pid_t thread, struct user_regs_struct *registers) {
    registers->orig_rax = ~0ull;  // no system call
    if (!ht_tracee_set_registers(thread, registers) || ht_ptrace(PTRACE_INTERRUPT, thread, 0, 0) != 0 ||
        ht_ptrace(PTRACE_CONT, thread, 0, 0) != 0)
        return false;
    int status;
    pid_t done;
    do done = waitpid(thread, &status, __WALL);
    while (done < 0 && errno == EINTR);
    if (done != thread || !WIFSTOPPED(status)) return false;
    // No thread can block it, so it may come here in the interrupt's place: put off until the thread is given back.
    if (WSTOPSIG(status) == SIGSTOP && status >> 16 == 0) syscall(SYS_tgkill, tracee->pid, thread, SIGSTOP);
    return true;
}

// Runs the borrowed thread from `registers` until it comes back. Its result is in rdi then.
static ran run_and_return(ht_tracee *tracee, pid_t thread, struct user_regs_struct *registers, int milliseconds) {
    uint64_t frame = tracee->scratch + HT_SCRATCH_BYTES - HT_SCRATCH_FRAME_BYTES;
    uint64_t back = tracee->scratch + WAY_BACK;
    uint64_t options = PTRACE_O_TRACESYSGOOD | (tracee->filtered ? PTRACE_O_SUSPEND_SECCOMP : 0u);
    bool calls = registers->rip != tracee->scratch;
    registers->rsp = calls ? frame - 8 : frame;
    registers->orig_rax = ~0ull;     // not in a system call: nothing to restart
    registers->eflags &= ~0x500ull;  // direction and trap flags as the calling convention has them
    if (!write_frame(tracee, frame) || (calls && !ht_tracee_write(tracee, frame - 8, &back, sizeof back)) ||
        ht_ptrace(PTRACE_SETOPTIONS, thread, 0, options) != 0 || !ht_tracee_set_registers(thread, registers))
        return RAN_GONE;
    ran outcome = run_until_trap(tracee, thread, PTRACE_SYSCALL, milliseconds);
    if (outcome == RAN_GONE || outcome == RAN_ON) return outcome;
    if (!ht_tracee_registers(thread, registers)) return RAN_GONE;
    return outcome == RAN_BACK && !halt(tracee, thread, registers) ? RAN_GONE : outcome;
}

long ht_tracee_syscall(ht_tracee *tracee, pid_t thread, long number, const uint64_t arguments[6]) {
    struct user_regs_struct registers;
    if (!ht_tracee_registers(thread, &registers)) return -ESRCH;
    registers.rax = (uint64_t)number;
    registers.orig_rax = ~0ull;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.r10 = arguments[3];
    registers.r8 = arguments[4];
    registers.r9 = arguments[5];
    if (tracee->scratch != 0 && number != SYS_munmap) {
        registers.rip = tracee->scratch;
        if (run_and_return(tracee, thread, &registers, RAW_CALL_MS) != RAN_BACK) return -ESRCH;
        return (long)registers.rdi;
    }
    // Without pages of ours: by one instruction of libc's, for as short a time as can be.
    registers.rip = tracee->syscall_at;
    if (!ht_tracee_set_registers(thread, &registers)) return -ESRCH;
    if (run_until_trap(tracee, thread, PTRACE_SINGLESTEP, RAW_CALL_MS) != RAN_TRAPPED) return -ESRCH;
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
    long status = ht_tracee_syscall(tracee, thread, SYS_mprotect,
                                    (uint64_t[6]){(uint64_t)mapped, 4096, PROT_READ | PROT_EXEC, 0, 0, 0});
    tracee->scratch = (uint64_t)mapped;
    if (status == 0 && ht_tracee_write(tracee, (uint64_t)mapped, code, sizeof code)) return true;
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
    if (!ht_tracee_registers(thread, &registers)) goto gone;
    registers.rip = function;
    registers.rbp = 0;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.rcx = arguments[3];
    registers.rax = 0;  // no vector arguments
    ran outcome = run_and_return(tracee, thread, &registers, milliseconds);
    if (outcome == RAN_GONE) goto gone;
    if (outcome == RAN_BACK) {
        *result = registers.rdi;
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
