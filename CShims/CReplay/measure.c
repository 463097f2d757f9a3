// Clocks, and how much memory the process holds.
#include "session.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ht_clock_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

uint64_t ht_clock_wall_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

uint64_t ht_clock_cost_ns(void) {
    uint64_t least = UINT64_MAX, last = ht_clock_cpu_ns();
    for (int i = 0; i < 64; i++) {
        uint64_t now = ht_clock_cpu_ns();
        if (now - last < least) least = now - last;
        last = now;
    }
    return least;
}

// The kernel adds these up from the page tables; the counters of /proc/self/statm may be 64 pages off for each thread.
uint64_t ht_resident_anonymous(void) {
    char text[4096];
    int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) return 0;
    text[count] = 0;
    const char *line = strstr(text, "\nAnonymous:");
    if (!line) return 0;
    uint64_t kibibytes = 0;
    for (line += 11; *line == ' '; line++) {
    }
    for (; *line >= '0' && *line <= '9'; line++) kibibytes = kibibytes * 10 + (uint64_t)(*line - '0');
    return kibibytes * 1024;
}
