// The system call, with the kernel's own constants: libc's header of the same name collides with them.
#pragma once

#include <linux/ptrace.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// 0 or -1 with errno set, as ptrace(2) has it; PTRACE_GET_RSEQ_CONFIGURATION returns a size.
static inline long ht_ptrace(int request, pid_t thread, uint64_t address, uint64_t data) {
    return syscall(SYS_ptrace, (long)request, (long)thread, (long)address, (long)data);
}
