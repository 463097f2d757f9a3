// Starts a program for measurement and reports what the kernel charged to it.
// The peak resident set a kernel reports begins with that of the process which called exec. posix_spawn and vfork share
// the caller's memory until then, so /bin/true started by a tool of 30 MiB is said to have needed 30 MiB. Here the
// child is forked from the few mappings it needs to reach exec, well under a mebibyte, less than any program needs to
// start.

#ifndef CLAUNCH_H
#define CLAUNCH_H

#include <stdbool.h>
#include <stdint.h>

// What to start. All three descriptors are duplicated to 0, 1 and 2 of the program.
struct ht_launch_request {
    const char *path;          // no search along PATH
    char *const *arguments;    // null-terminated, the program's name first
    char *const *environment;  // null-terminated
    int32_t standard_input;
    int32_t standard_output;
    int32_t standard_error;
};

// A program on its way.
struct ht_launch_process {
    int32_t pid;
    uint64_t started_ns;  // CLOCK_MONOTONIC just before the fork
};

// How it ended and what it used, children it waited for included.
struct ht_launch_usage {
    int32_t wait_status;  // as wait4 gives it
    uint64_t wall_ns;     // from the fork until it was reaped
    uint64_t user_ns;
    uint64_t system_ns;
    uint64_t peak_rss_bytes;
    uint64_t minor_faults;
};

// Starts the program, with no signal blocked and SIGPIPE not ignored, and returns once it has been exec'd. Threads may
// call it side by side; no thread may call fork() meanwhile (posix_spawn is harmless). Returns 0, or the errno of what
// failed, exec included.
int32_t ht_launch_start(const struct ht_launch_request *request, struct ht_launch_process *process);

// Waits for the end of the program. Returns 0 or an errno.
int32_t ht_launch_wait(const struct ht_launch_process *process, struct ht_launch_usage *usage);

// Whether a file carries capabilities (security.capability), for which the loader ignores preloads.
bool ht_launch_has_capabilities(const char *path);
#endif
