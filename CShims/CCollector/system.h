// System calls made directly, so that neither errno nor a cancellation point nor another library's wrapper of the same
// name is ever involved. Used inside the traced process and by the code both sides share. Results are as the kernel
// gives them: negative error numbers.
#pragma once

#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#if !defined(__x86_64__)
#error "Heaptrail records on x86-64 only"
#endif

static inline long ht_syscall(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

// Sleeps while *word is `expected`, at most timeout_ns. Not private: the word may be shared between processes.
static inline long ht_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    return ht_syscall(SYS_futex, (long)word, FUTEX_WAIT, (long)expected, (long)&timeout, 0, 0);
}

static inline long ht_futex_wake(_Atomic uint32_t *word, int count) {
    return ht_syscall(SYS_futex, (long)word, FUTEX_WAKE, count, 0, 0, 0);
}

// Sleeps until a descriptor that does not block takes more. Whatever ends the wait, the next write tells how things
// stand.
static inline void ht_await_writable(int fd) {
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    ht_syscall(SYS_poll, (long)&wanted, 1, -1, 0, 0, 0);
}

// Zeroed private pages, or NULL.
static inline void *ht_map_pages(size_t bytes) {
    long result = ht_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return result < 0 && result > -4096 ? NULL : (void *)result;
}

static inline void ht_unmap_pages(void *pages, size_t bytes) {
    ht_syscall(SYS_munmap, (long)pages, (long)bytes, 0, 0, 0, 0);
}

// The time-stamp counter. About 12 ns on the machines measured.
static inline uint64_t ht_now(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t ht_monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
