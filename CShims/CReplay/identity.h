// Which thread the running code is taken for. A thread's local storage, its control block (pthread_self) and so all
// that an allocator keeps by thread are found through one register, which a thread may load with another one's value:
// it is that thread then, to every library. The kernel still knows who runs. Whoever takes an identity must know that
// its owner does nothing meanwhile.
#pragma once

#if defined(__x86_64__)
#include <asm/prctl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

// The first word of a thread's control block is its own address (System V ABI for x86-64, thread-local storage).
static inline void *ht_identity(void) {
    void *pointer;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(pointer));
    return pointer;
}

static inline void ht_identity_take(void *pointer) {
    enum { HWCAP2_WRITES_BASES = 1 << 1 };  // HWCAP2_FSGSBASE, Linux 5.9
    if (getauxval(AT_HWCAP2) & HWCAP2_WRITES_BASES) {
        __asm__ volatile("wrfsbase %0" : : "r"(pointer) : "memory");
    } else {
        long status = SYS_arch_prctl;
        __asm__ volatile("syscall" : "+a"(status) : "D"(ARCH_SET_FS), "S"(pointer) : "rcx", "r11", "memory");
    }
}

#elif defined(__aarch64__)

static inline void *ht_identity(void) {
    void *pointer;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(pointer));
    return pointer;
}

static inline void ht_identity_take(void *pointer) {
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(pointer) : "memory");
}

#else
#error "the register that holds the thread pointer is not known for this architecture"
#endif
